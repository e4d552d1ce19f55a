import { expect } from 'chai';
import { freshDatabase, serverUrl, type TestDatabase } from '../testing/database.ts';
import { statements } from './statements.ts';
import { trouble } from './trouble.ts';

describe('statements', () => {
  let database: TestDatabase;
  let run: ReturnType<typeof statements>;

  before(async function () {
    this.timeout(120_000);
    database = await freshDatabase();
    run = statements(database.db);
  });
  after(() => database.close());

  it('have named parameters, each any number of times and with new values each time', async () => {
    const sql = 'select :a::int + :b::int as sum, :a::int::text as text';
    for (const isPrepared of [false, true]) {
      expect(await run(sql, { a: 1, b: 2 }, { isPrepared })).to.deep.equal([{ sum: 3, text: '1' }]);
      expect(await run(sql, { b: 20, a: 3 }, { isPrepared })).to.deep.equal([{ sum: 23, text: '3' }]);
    }
  });

  it('leave the connection usable if they fail', async () => {
    for (let turn = 0; turn < 20; turn++) {
      const error = await run('select 1 / :a::int', { a: 0 }).catch((error: unknown) => error);
      expect(error).to.include({ code: '22012' });
    }
    expect(await run('select 1 as one', {})).to.deep.equal([{ one: 1 }]);
  });

  if (serverUrl) {
    it('are prepared once per connection if their plan is shared', async () => {
      const names =
        "select count(*)::int as many from pg_prepared_statements where statement like 'select 7%'";
      await database.db.transaction(async (transaction) => {
        const within = statements(transaction);
        for (const a of [1, 2]) await within('select 7 + :a::int', { a }, { isPrepared: true });
        for (const a of [1, 2]) await within('select 77 + :a::int', { a });
        expect((await transaction.raw(names)).rows).to.deep.equal([{ many: 1 }]);
      });
    });

    it('fail after their timeout, and their connections are replaced', async () => {
      const slow = () => run('select pg_sleep(30)', {}, { timeout: 50 }).catch(trouble);
      // More than the pool has connections.
      for (const problem of await Promise.all(Array.from({ length: 15 }, slow))) {
        expect(problem).to.equal('The database does not respond in time.');
      }
      expect(await run('select 1 as one', {})).to.deep.equal([{ one: 1 }]);
    });
  }
});
