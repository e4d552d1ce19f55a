import { expect } from 'chai';
import type { Knex } from 'knex';
import { retrying } from './retry.ts';

describe('retrying', () => {
  const pool = { isTransaction: false } as unknown as Knex;
  const transaction = { isTransaction: true } as unknown as Knex;

  /** Runs a write that fails with one code `times` times. @returns its result or error, and how often it ran */
  const attempts = async (db: Knex, code: string, times: number) => {
    let ran = 0;
    const error = Object.assign(new Error('no'), { code });
    const result = await retrying(db, async () => {
      if (ran++ < times) throw error;
      return 'written';
    }).catch((caught: unknown) => caught === error && 'failed');
    return [result, ran];
  };

  for (const code of ['40001', '40P01']) {
    it(`runs a write up to three times after ${code}`, async () => {
      expect(await attempts(pool, code, 0)).to.deep.equal(['written', 1]);
      expect(await attempts(pool, code, 2)).to.deep.equal(['written', 3]);
      expect(await attempts(pool, code, 3)).to.deep.equal(['failed', 3]);
    });

    it(`leaves ${code} to the code that began the transaction`, async () => {
      expect(await attempts(transaction, code, 1)).to.deep.equal(['failed', 1]);
    });
  }

  it('does not repeat a write after another error', async () => {
    expect(await attempts(pool, '23505', 1)).to.deep.equal(['failed', 1]);
  });
});
