import { expect } from 'chai';
import { batched } from './batched.ts';

describe('batched', () => {
  it('writes the first item at once, and then the items that arrived meanwhile, one batch at a time', async () => {
    const batches: number[][] = [];
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const double = batched(3, async (items: number[]) => {
      batches.push(items);
      await gate;
      return items.map((item) => 2 * item);
    });
    const calls = [1, 2, 3, 4, 5].map((item) => double(item));
    expect(batches).to.deep.equal([[1]]);
    open();
    expect(await Promise.all(calls)).to.deep.equal([2, 4, 6, 8, 10]);
    expect(await double(6)).to.equal(12);
    expect(batches).to.deep.equal([[1], [2, 3, 4], [5], [6]]);
  });

  it('fails only for the items of a failed batch', async () => {
    const refuse = batched(10, async (items: number[]) => {
      await Promise.resolve();
      if (items.includes(2)) throw new Error('no');
      return items;
    });
    const calls = [1, 2, 3].map((item) => refuse(item));
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'rejected']);
    expect(await refuse(4)).to.equal(4);
  });
});
