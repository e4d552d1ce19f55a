import type { Knex } from 'knex';
import './tables.ts';

/** A database to query and the way to let go of it. */
export type Database = { db: Knex; close: () => Promise<void> };

const nothing = () => undefined;

/** For knex's own log: whoever made the query logs its failure. */
export const silent = { warn: nothing, error: nothing, deprecate: nothing, debug: nothing };
