import { expect } from 'chai';
import { BrokenCsv, type CsvRecord, type Line, readCsv } from './read.ts';

const columns = ['name', 'lat'] as const;

async function* linesOf(text: string): AsyncGenerator<Line> {
  for (const [index, line] of text.split('\n').entries()) yield { line: index + 1, text: line };
}

async function read(text: string): Promise<CsvRecord<(typeof columns)[number]>[]> {
  const records = [];
  for await (const record of readCsv(linesOf(text), columns)) records.push(record);
  return records;
}

const fields = async (text: string) => (await read(text)).map((record) => Object.values(record.fields));

const broken = async (text: string) => {
  const error: unknown = await read(text).catch((failure: unknown) => failure);
  expect(error).to.be.instanceOf(BrokenCsv);
  return `${(error as BrokenCsv).line}: ${(error as BrokenCsv).message}`;
};

describe('readCsv', () => {
  const rows = [
    ['a', '1'],
    ['b', '2'],
  ];

  for (const [what, text] of [
    ['commas', 'name,lat\na,1\nb,2'],
    ['semicolons', 'name;lat\na;1\nb;2'],
    ['tabs', 'name\tlat\na\t1\nb\t2'],
    ['columns in another order', 'lat,name\n1,a\n2,b'],
    ['columns in another case', ' NAME ,"Lat"\na,1\nb,2'],
    ['additional columns', 'id,name,x,lat,x\n7,a,,1,8\n7,b,,2,8'],
    ['a column name with other separators', 'name;lat;"a, b, c"\na;1;\nb;2;'],
    ['blank lines before the header', '\n \n,,,\nname,lat\na,1\nb,2'],
    ['the separator for Excel', 'sep=;\nname;lat\na;1\nb;2'],
    ['blank lines', 'name,lat\n\na,1\n,\n  \nb,2\n,,\n\n'],
    ['empty columns after the last', 'name,lat,,\na,1,,\nb,2,,,,'],
    ['quoted fields', '"name","lat"\n"a","1"\n"b" , "2"'],
  ] as const) {
    it(`reads ${what}`, async () => {
      expect(await fields(text)).to.deep.equal(rows);
      expect((await read(text)).some(({ fault }) => fault !== undefined)).to.equal(false);
    });
  }

  it('reads quotes, separators and line ends in quoted fields', async () => {
    expect(await fields('name,lat\n"a, ""b""\n\nc",1\n"","2"')).to.deep.equal([
      ['a, "b"\n\nc', '1'],
      ['', '2'],
    ]);
  });

  it('numbers each record by its first line', async () => {
    const records = await read('\nname,lat\n"a\nb",1\n\nc,2');
    expect(records.map(({ line }) => line)).to.deep.equal([3, 6]);
  });

  it('reads missing fields at the end as empty, with a note', async () => {
    const [record] = await read('name,lat\na');
    expect(record).to.deep.equal({
      line: 2,
      fields: { name: 'a', lat: '' },
      note: 'there are 1 fields, the first line names 2',
    });
  });

  it('reports surplus fields and quotes inside a field without losing the following records', async () => {
    const records = await read('name,lat\na,33,5\nthe "Zoo",1\n"Zoo" 2,3\n5" pipe,1\nb,2');
    expect(records.map(({ line, fault }) => `${line} ${fault?.replace(/;.*/, '')}`)).to.deep.equal([
      '2 there are 3 fields, the first line names 2',
      '3 a field contains an unescaped quote',
      '4 a field contains an unescaped quote',
      '5 a field contains an unescaped quote',
      '6 undefined',
    ]);
  });

  it('stops at an unclosed quote', async () => {
    const expected = '3: a field begins with a quote that is never closed';
    expect(await broken('name,lat\na,1\nb,"2\nc,3\n')).to.equal(expected);
    const lines = 'c,3\n'.repeat(50_000);
    const begin = performance.now();
    expect(await broken(`name,lat\na,1\nb,"2\n${lines}d,"4"`)).to.equal(expected);
    expect(performance.now() - begin).to.be.lessThan(2_000);
  });

  it('refuses a missing or duplicated column by name', async () => {
    expect(await broken('name,x\na,1')).to.equal(
      '1: the first line must name the columns name,lat; lat is missing',
    );
    expect(await broken('\na;1')).to.equal(
      '2: the first line must name the columns name,lat; name, lat are missing',
    );
    expect(await broken('name,lat,LAT\na,1,2')).to.equal(
      '1: the first line names lat twice; remove or rename one of the columns',
    );
    for (const empty of ['', '\n\n', ',,\n']) expect(await broken(empty)).to.equal('1: the file is empty');
  });
});
