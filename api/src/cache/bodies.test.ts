import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { holdBodies, type Bodies } from './bodies.ts';

describe('holdBodies', () => {
  let bodies: Bodies;
  let [state, made] = [0, 0];
  beforeEach(() => {
    bodies = holdBodies(10_000);
    [state, made] = [0, 0];
  });

  /** Reads the state some time after the call began, as a query does. */
  const make =
    (size = 10) =>
    async () => {
      made++;
      await wait(5);
      return { headers: {}, text: Buffer.from(String(state).padEnd(size)) };
    };
  const get = (name: string, size?: number, wanted = state) =>
    bodies.get(name, { state: String(wanted), newest: () => String(state), make: make(size) });

  it('builds a body once for concurrent requests in the same state, and again in a new state', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => get('a')));
    expect(new Set(all).size).to.equal(1);
    expect(await get('a')).to.equal(all[0]);
    expect(made).to.equal(1);
    state = 1;
    expect((await get('a'))?.text.toString().trim()).to.equal('1');
    expect(made).to.equal(2);
  });

  it('never returns a stale body, and never labels one with a newer state', async () => {
    const asked = async () => {
      for (let turn = 0; turn < 30; turn++) {
        const wanted = state;
        const body = await get('a', 10, wanted);
        expect(Number(body?.state)).to.be.at.least(wanted);
        expect(Number(body?.text.toString())).to.be.at.least(Number(body?.state));
        if (turn % 3 === 0) state++;
      }
    };
    await Promise.all(Array.from({ length: 20 }, asked));
    expect(made).to.be.lessThan(300);
  });

  it('keeps to its limit and evicts the least recently used body first', async () => {
    for (const name of ['a', 'b', 'c']) await get(name, 2_000);
    await get('a', 2_000);
    await get('d', 2_000);
    expect(made).to.equal(4);
    await get('a', 2_000);
    expect(made).to.equal(4);
    await get('b', 2_000);
    expect(made).to.equal(5);
  });

  it('counts only the newest body of a name towards the limit', async () => {
    await get('b', 2_000);
    for (state = 1; state < 6; state++) await get('a', 2_000);
    const before = made;
    await get('b', 2_000, 0);
    expect(made).to.equal(before);
  });

  it('counts compressed copies towards the limit', async () => {
    const random = randomBytes(4_000);
    const body = await bodies.get('a', {
      state: '0',
      newest: () => '0',
      make: async () => ({ headers: {}, text: random }),
    });
    await get('b', 1_000);
    await body?.encoded('gzip');
    expect(await body?.encoded('gzip')).to.equal(await body?.encoded('gzip'));
    await body?.encoded('br');
    await body?.encoded('zstd');
    await get('b', 1_000);
    expect(made).to.equal(1);
    await get('a');
    expect(made).to.equal(2);
  });

  it('returns null for a body that is too large, until told to try again', async () => {
    const tooLarge = { state: '0', newest: () => '0', make: async () => null };
    expect(await bodies.get('a', tooLarge)).to.equal(null);
    expect(await get('a')).to.equal(null);
    expect(made).to.equal(0);
    bodies.forget('a');
    expect(await get('a')).to.have.property('state', '0');
  });

  it('retries after a failure', async () => {
    const failing = { state: '0', newest: () => '0', make: () => Promise.reject(new Error('lost')) };
    for (const attempt of [bodies.get('a', failing), bodies.get('a', failing)]) {
      expect(await attempt.catch(String)).to.equal('Error: lost');
    }
    expect(await get('a')).to.have.property('state', '0');
  });
});
