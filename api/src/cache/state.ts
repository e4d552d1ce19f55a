import type { Knex } from 'knex';
import { shared } from './shared.ts';

/** Rows that change together. Those of `pins` change all day, the others now and then. */
export type Collection = 'pins' | 'animals' | 'survey' | 'totals';

/** A text for each collection. Once its rows may be others it is another one, and none that it ever was. */
export type State = Record<Collection, string>;

export type StateCheck = {
  /** Asks the database for its state, at a moment after the call. Calls that wait share one question. */
  now: () => Promise<State>;
  /** The state that was answered last. */
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
 * The same snapshot sees the same rows, and once it has changed it never comes back, so no writer has to leave a note. Numbers of transactions are used again
 * after a restore or a failover, which the server's start tells apart, and after a crash, which does not change that start but does reset the statistics.
 * Collections that are seldom written have a revision instead, which writes to others leave as it is.
 */
export function stateCheck(db: Knex): StateCheck {
  let newest: State | undefined;
  const now = shared(async () => {
    // Named, so that PostgreSQL plans it once a connection: of a cheap question that is the dearer half.
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
