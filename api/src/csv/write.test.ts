import { expect } from 'chai';
import { csvText, type Row } from './write.ts';

describe('csvText', () => {
  const text = async (pages: Row[][]) => {
    let all = '';
    async function* given() {
      yield* pages;
    }
    for await (const part of csvText(['cell'], given())) all += part;
    return all.slice('\uFEFF"cell"\r\n'.length);
  };

  for (const [cell, field] of [
    ['plain', '"plain"'],
    ['', '""'],
    [null, ''],
    [0, '0'],
    [-1, '-1'],
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['\t=1', `"'\t'=1"`],
    ['\r=1', `"'\r'=1"`],
    ['\tplain', `"'\tplain"`],
    ['＝1', `"'＝1"`],
    ['＋1', `"'＋1"`],
    ['－1', `"'－1"`],
    ['＠SUM(A1)', `"'＠SUM(A1)"`],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['a;=1', `"a;'=1"`],
    ['a\t＝1', `"a\t'＝1"`],
    ['a;"=1', `"a;'""=1"`],
    ['a; ;-1', `"a; ;'-1"`],
    ['a\n@b', `"a\n'@b"`],
    ['a=1', '"a=1"'],
    ['a;b', '"a;b"'],
    [' =1', `"' =1"`],
    ['a,b', '"a,b"'],
    ['a"b', '"a""b"'],
    ['a\nb', '"a\nb"'],
    ['🦭', '"🦭"'],
  ] as const) {
    it(`writes ${JSON.stringify(cell)}`, async () => {
      expect(await text([[{ cell }]])).to.equal(`${field}\r\n`);
    });
  }

  it('writes the header once, with the first page', async () => {
    expect(await text([[], [{ cell: 1 }], [], [{ cell: 2 }]])).to.equal('1\r\n2\r\n');
  });
});
