import type { Knex } from 'knex';
import { trouble } from '../database/trouble.ts';
import { causeOf, type Log } from '../log.ts';

/** Whether this worker can serve requests. */
export type Readiness = {
  /** Queries the database now. Null if it accepts writes, otherwise a sentence with the reason. */
  check: () => Promise<string | null>;
  /**
   * Checks the database soon, unless it is already known to be unavailable. If the check finds nothing, logs the cause
   * of `failure`, once a minute.
   */
  suspect: (failure: unknown) => void;
  stop: () => void;
};

type Options = {
  db: Knex;
  /** The migration that this program needs. */
  schema: string;
  log: Log;
  /** Returns another reason why writes are not possible, or null. */
  alsoRequired?: (() => Promise<string | null>) | undefined;
  /** Called after each change, and after the first result. */
  changed?: (cause: string | null) => void;
};

const pause = 1_000;
const patience = 3_000;
const minute = 60_000;

/**
 * Watches the database. Each change is logged once, for any number of requests. While the database is unavailable it is
 * checked every second, so that the recovery is logged, too.
 */
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
  /** The check succeeds although requests fail, for example on a disk that is full only for writes. */
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
    if (state.recovering) return 'The database is in recovery: it accepts no writes until it is promoted.';
    if (state.reading) return 'The database is read-only.';
    const step = await db('schema_migration').where({ name: schema }).first('name').timeout(patience);
    return step ? null : 'The schema is not the one this release needs: run "map-app migrate".';
  } catch (error) {
    const cause = trouble(error);
    if (cause === null) log.error('the database cannot be checked', causeOf(error));
    return cause ?? 'The database cannot be checked: see the log for the cause.';
  }
}
