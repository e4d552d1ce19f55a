import { expect } from 'chai';
import { inPages } from './pages.ts';

describe('inPages', () => {
  /** Reads `total` rows. @returns the lengths of the pages, all ids, and the ids after which pages were requested */
  const read = async (total: number) => {
    const [lengths, ids, requested]: number[][] = [[], [], []];
    const rows = Array.from({ length: total }, (_, index) => ({ id: 2 * index + 1 }));
    const page = async (after: number, limit: number) => {
      requested!.push(after);
      return rows.filter(({ id }) => id > after).slice(0, limit);
    };
    for await (const part of inPages(page, ({ id }) => id)) {
      lengths!.push(part.length);
      ids!.push(...part);
    }
    expect(ids).to.deep.equal(rows.map(({ id }) => id));
    return { lengths, requested };
  };

  it('yields one page of no rows', async () => {
    expect(await read(0)).to.deep.equal({ lengths: [0], requested: [0] });
  });

  it('yields a last page that is not full', async () => {
    expect(await read(2_500)).to.deep.equal({ lengths: [1_000, 1_000, 500], requested: [0, 1_999, 3_999] });
  });

  it('requests one more page after a last one that is full', async () => {
    expect(await read(1_000)).to.deep.equal({ lengths: [1_000, 0], requested: [0, 1_999] });
  });
});
