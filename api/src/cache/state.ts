import type { Knex } from 'knex';
import type { Collection } from '../database/tables.ts';
import { shared } from './shared.ts';

/** A version string per collection. It changes whenever rows may have changed, and never repeats. */
export type State = Record<Collection, string>;

export type StateCheck = {
  /** Queries the database for its state, after the call. Concurrent calls share a query. */
  now: () => Promise<State>;
  /** Returns the state of the last query. */
  newest: () => State;
};

const patience = 3_000;

// One statement, so one snapshot.
const question = `
  select pg_current_snapshot()::text as snapshot,
         pg_postmaster_start_time() || ' ' || pg_stat_get_bgwriter_stat_reset_time() as run,
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
  let newest: State | undefined;
  const now = shared(async () => {
    // A prepared statement: PostgreSQL plans it once per connection, and planning is the larger part of its cost.
    const asked = db.raw<{ rows: [Row] }>(question).options({ name: 'state' }).timeout(patience);
    const { rows } = await asked;
    newest = stateOf(rows[0]);
    return newest;
  });
  return { now, newest: () => newest! };
}

function stateOf({ snapshot, run, revisions }: Row): State {
  return {
    pins: `${run} ${snapshot}`,
    animals: `${run} ${revisions.animals}`,
    survey: `${run} ${revisions.survey}`,
    totals: `${run} ${revisions.totals}`,
  };
}
