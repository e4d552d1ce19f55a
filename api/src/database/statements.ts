import { hash } from 'node:crypto';
import knex, { type Knex } from 'knex';

/** The values of named parameters, as in `:limit`. */
export type Values = Record<string, unknown>;

type Options = {
  /** Whether each connection plans the statement only once. That saves most of the cost of a short one. */
  isPrepared?: boolean;
  /** Milliseconds after which the statement fails as knex's own timeout does. */
  timeout?: number;
};

type Statement = { text: string; parameters: string[]; name: string };

/** The part of the driver's connection that is used here. The embedded database implements the same. */
type Connection = {
  query: (
    query: { text: string; values: unknown[]; name?: string },
    done: (error: Error | null, result: { rows: unknown[] }) => void,
  ) => void;
  /** The pool destroys a connection that has this. */
  __knex__disposed?: Error;
};

/**
 * Returns a function that runs a statement and returns its rows, for the statements of the most frequent requests: knex
 * builds each one anew, which costs more than sending it. Uses knex's pool. Keeps each statement that it has run, so the
 * number of different texts must be limited.
 */
export function statements(db: Knex) {
  const known = new Map<string, Statement>();
  const compile = (sql: string, values: Values): Statement => {
    const names = Object.fromEntries(Object.keys(values).map((name) => [name, name]));
    const { sql: text, bindings } = db.raw(sql, names).toSQL().toNative();
    const statement = { text, parameters: bindings as string[], name: hash('md5', text) };
    known.set(sql, statement);
    return statement;
  };

  return async <Rows extends unknown[]>(
    sql: string,
    values: Values,
    { isPrepared, timeout }: Options = {},
  ): Promise<Rows> => {
    const { text, parameters, name } = known.get(sql) ?? compile(sql, values);
    const query = {
      text,
      values: parameters.map((parameter) => values[parameter]),
      ...(isPrepared && { name }),
    };
    const connection: Connection = await db.client.acquireConnection();
    const { promise, resolve, reject } = Promise.withResolvers<Rows>();
    const timer =
      timeout &&
      setTimeout(() => {
        // It stays busy until the statement ends.
        connection.__knex__disposed = new knex.KnexTimeoutError(
          `The statement took more than ${timeout} ms.`,
        );
        reject(connection.__knex__disposed);
      }, timeout);
    try {
      // knex does the same for its own statements.
      db.client.emit('query', { sql: text, bindings: query.values, options: query });
      connection.query(query, (error, result) => (error ? reject(error) : resolve(result.rows as Rows)));
      return await promise;
    } finally {
      clearTimeout(timer);
      await db.client.releaseConnection(connection);
    }
  };
}
