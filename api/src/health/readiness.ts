import type { Knex } from 'knex';
import { trouble } from '../database/trouble.ts';
import { causeOf, type Log } from '../log.ts';

/** Whether this worker can do its work. */
export type Readiness = {
  /** Asks the database now. Null if it takes writes, else the sentence that says why it does not. */
  check: () => Promise<string | null>;
  /** Checks the database soon, unless it is already known to be in trouble. Where the check finds nothing, the cause of `failure` is logged, once a minute. */
  suspect: (failure: unknown) => void;
  stop: () => void;
};

type Options = {
  db: Knex;
  /** The step of the schema that this program needs. */
  schema: string;
  log: Log;
  /** Another reason why the database takes no writes, or null. */
  alsoRequired?: (() => Promise<string | null>) | undefined;
  /** Hears of each change, and of the first result. */
  changed?: (cause: string | null) => void;
};

const pause = 1_000;
const patience = 3_000;
const minute = 60_000;

/** Watches the database. Each change is logged once, however many requests meet it; while in trouble it asks every second, so that the end is logged too. */
export function watchDatabase({ db, schema, log, alsoRequired, changed }: Options): Readiness {
  let known: string | null | undefined;
  let asking: Promise<string | null> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const note = (cause: string | null) => {
    if (!stopped && cause !== null) timer = setTimeout(() => void check(), pause).unref();
    if (stopped || cause === known) return cause;
    if (cause !== null) log.error('not ready', { cause });
    else log.info(known === undefined ? 'ready' : 'ready again');
    known = cause;
    changed?.(cause);
    return cause;
  };
  const loggedAt = new Map<string, number>();
  /** The database is well otherwise, as on a disk that is full for writes alone. */
  const noteFailure = (cause: string | null) => {
    const now = performance.now();
    if (cause === null || now - (loggedAt.get(cause) ?? -minute) < minute) return;
    loggedAt.set(cause, now);
    log.error('the database refused a request', { cause });
  };
  const check = () => {
    clearTimeout(timer);
    asking ??= ask(db, schema, log)
      .then(async (cause) => cause ?? (await alsoRequired?.()) ?? null)
      .then(note)
      .finally(() => (asking = undefined));
    return asking;
  };
  return {
    check,
    suspect: (failure) => {
      if (known === null) void check().then((cause) => cause === null && noteFailure(trouble(failure)));
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

async function ask(db: Knex, schema: string, log: Log): Promise<string | null> {
  try {
    const state = await db
      .first(
        db.raw(
          "pg_is_in_recovery() as recovering, current_setting('transaction_read_only') = 'on' as reading",
        ),
      )
      .timeout(patience);
    if (state.recovering) return 'The database is in recovery: it takes no writes until it is promoted.';
    if (state.reading) return 'The database is read-only.';
    const step = await db('schema_migration').where({ name: schema }).first('name').timeout(patience);
    return step ? null : 'The schema is not the one this release needs: run "map-app migrate".';
  } catch (error) {
    const cause = trouble(error);
    if (cause === null) log.error('the database cannot be checked', causeOf(error));
    return cause ?? 'The database cannot be checked: the cause is in the log.';
  }
}
