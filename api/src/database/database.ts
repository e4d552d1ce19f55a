import type { Knex } from 'knex';
import './tables.ts';

/** A database connection, and the function that closes it. */
export type Database = { db: Knex; close: () => Promise<void> };

const nothing = () => undefined;

/** Replaces knex's own log: the code that makes a query logs its failure. */
export const silent = { warn: nothing, error: nothing, deprecate: nothing, debug: nothing };
