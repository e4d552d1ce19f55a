import type { DatabasePlace } from '../config.ts';
import type { Database } from './database.ts';
import { openEmbedded } from './embedded.ts';
import { openPostgresql } from './postgresql.ts';

/** Opens the database that the configuration names. */
export async function openDatabase(place: DatabasePlace): Promise<Database> {
  return place.kind === 'embedded' ? openEmbedded(place.folder) : openPostgresql(place.url);
}
