import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { sequence } from '../testing/sequence.ts';
import { shared } from './shared.ts';

describe('shared', () => {
  it('gives each call the result of a run that began after it, with one run at a time', async () => {
    const next = sequence(1);
    let [clock, runs, underway] = [0, 0, 0];
    const call = shared(async () => {
      const began = ++clock;
      runs++;
      expect(++underway).to.equal(1);
      await wait(next() * 3);
      underway--;
      return began;
    });
    const caller = async () => {
      for (let turn = 0; turn < 20; turn++) {
        const called = ++clock;
        expect(await call()).to.be.greaterThan(called);
        if (next() < 0.3) await wait(next() * 3);
      }
    };
    await Promise.all(Array.from({ length: 50 }, caller));
    expect(runs).to.be.greaterThan(20).and.lessThan(300);
  });

  it('rejects the calls that shared a failed run, and no later ones', async () => {
    let runs = 0;
    const call = shared(async () => {
      await wait(1);
      if (++runs === 2) throw new Error('lost');
      return runs;
    });
    const [first, second, third] = await Promise.allSettled([call(), call(), call()]);
    expect([first.status, second.status, third.status]).to.deep.equal(['fulfilled', 'rejected', 'rejected']);
    expect(await call()).to.equal(3);
  });
});
