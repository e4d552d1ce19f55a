import type { Knex } from 'knex';
import type { Collection } from '../database/tables.ts';
import { statements } from '../database/statements.ts';
import { shared } from './shared.ts';

/** A version string per collection. It changes whenever rows may have changed, and never repeats. */
export type State = Record<Collection, string>;

export type StateCheck = {
  /** Queries the database for its state, after the call. Concurrent calls share a query. */
  now: () => Promise<State>;
  /** Returns the state of the last query. */
  newest: () => State;
  /** Whether the last query has ended so recently that its state may be the tag of a new body. */
  isRecent: () => boolean;
};

const patience = 3_000;
/** Milliseconds. A body with the tag of an older state than its own is sent again to a client that revalidates it. */
const recent = 100;

const run = `pg_postmaster_start_time() || ' ' || pg_stat_get_bgwriter_stat_reset_time()`;

/** The SQL of a state of the pins and of all other rows, as the rest of its statement sees them. */
export const stateInSql = `${run} || ' ' || pg_current_snapshot()`;

// One statement, so one snapshot.
const question = `
  select pg_current_snapshot()::text as snapshot, ${run} as run,
         (select jsonb_object_agg(collection, number) from revision) as revisions`;

type Row = {
  snapshot: string;
  run: string;
  revisions: Record<Exclude<Collection, 'pins'>, number>;
};

/**
 * Equal snapshots see equal rows, and a snapshot that has changed never comes back, so writers need not do anything.
 * Transaction ids are reused after a restore or a failover, which changes the server's start time, and after a crash,
 * which does not change it but resets the statistics. Collections that are rarely written have a revision instead,
 * which writes to other collections do not change.
 */
export function stateCheck(db: Knex): StateCheck {
  const ask = statements(db);
  let newest: State | undefined;
  let ended = -Infinity;
  const now = shared(async () => {
    const [row] = await ask<[Row]>(question, {}, { isPrepared: true, timeout: patience });
    newest = stateOf(row);
    ended = performance.now();
    return newest;
  });
  return { now, newest: () => newest!, isRecent: () => performance.now() - ended < recent };
}

export function stateOf({ snapshot, run, revisions }: Row): State {
  return {
    pins: `${run} ${snapshot}`,
    animals: `${run} ${revisions.animals}`,
    survey: `${run} ${revisions.survey}`,
    totals: `${run} ${revisions.totals}`,
  };
}
