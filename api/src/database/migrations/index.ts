import type { Knex } from 'knex';
import * as first from './0001-visitors-animals-survey.ts';
import * as staff from './0002-staff.ts';
import * as survey from './0003-survey.ts';
import * as animals from './0004-animals.ts';
import * as once from './0005-once.ts';
import * as collections from './0006-collections.ts';
import * as rights from './0007-rights.ts';
import * as corrections from './0009-pin-corrections.ts';
import * as pictureSizes from './0010-picture-sizes.ts';
import * as filters from './0011-filters.ts';
import * as pinCounts from './0012-pin-counts.ts';
import * as pinFeatures from './0013-pin-features.ts';
import * as fillPinFeatures from './0014-fill-pin-features.ts';
import * as pinIndex from './0015-pin-index.ts';

/** One migration of the schema. Migrations only expand the schema: the previous release must run on the new schema. */
export type Migration = { name: string; up(db: Knex): Promise<void> };

/**
 * All migrations in the order of their numbers, which may have gaps. They are imported, not found in a folder, so that
 * they are bundled with the program.
 */
export const migrations: readonly Migration[] = [
  first,
  staff,
  survey,
  animals,
  once,
  collections,
  rights,
  corrections,
  pictureSizes,
  filters,
  pinCounts,
  pinFeatures,
  fillPinFeatures,
  pinIndex,
];
