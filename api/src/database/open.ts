import type { DatabasePlace } from '../config.ts';
import type { Database } from './database.ts';
import { openEmbedded } from './embedded.ts';
import { migrate } from './migrate.ts';
import { openPostgresql } from './postgresql.ts';

/** Opens the database that the configuration specifies. */
export async function openDatabase(place: DatabasePlace): Promise<Database> {
  return place.kind === 'embedded' ? openEmbedded(place) : openPostgresql(place.url);
}

/** Opens the database for a command. Migrates the embedded one first, because no deploy does. */
export async function openForCommand(place: DatabasePlace): Promise<Database> {
  const database = await openDatabase(place);
  if (place.kind === 'embedded') await migrate(database.db);
  return database;
}
