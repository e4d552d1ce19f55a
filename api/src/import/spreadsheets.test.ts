import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { animalsHeader, pinsHeader, useImport } from '../testing/import.ts';

const rows = [
  'animal_name,animal_type,location_name,placement_year,animal_notes,lat,long,animal_images',
  'José,Sea Lion,"Zoo, Köln",2013,"two\nlines; ""quoted""",50.9,-6.97,static/seal.jpg',
  'Otto,,Harbor,,,1.5,2,',
];
const commas = rows.join('\r\n');
const german = [
  rows[0]!.replaceAll(',', ';'),
  'José;Sea Lion;Zoo, Köln;2013;"two\nlines; ""quoted""";50,9;-6,97;static/seal.jpg',
  'Otto;;Harbor;;;1,5;2;',
].join('\r\n');
const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le');
const zip = (...names: string[]) => Buffer.from(`PK\x03\x04\x14\0${names.join('\0')}`, 'latin1');

describe('files from spreadsheets', () => {
  const importing = useImport();
  const { write, bring, problemsOf } = importing;

  for (const [what, content] of [
    ['Excel’s "CSV UTF-8"', `\uFEFF${commas}\r\n`],
    ['Excel’s "CSV UTF-8" where the decimal sign is a comma', `\uFEFF${german}\r\n`],
    ['Excel’s "Unicode Text"', utf16(`${german.replace(/;(?! )/g, '\t').replaceAll(';', ';')}\r\n`)],
    ['UTF-16 with the other byte order', utf16(commas).swap16()],
    ['carriage returns as line endings', commas.replaceAll('\r\n', '\r')],
    ['decimal commas in quotes', commas.replace('50.9,-6.97', '"50,9","-6,97"')],
    ['a blank first line and blank rows', `,,,,,,,\r\n${commas}\r\n,,,,,,,\r\n\r\n`],
    ['empty columns after the last', `${rows[0]},,\n${rows[1]},,\n${rows[2]},,\n`],
    ['other names and another order of columns', reordered()],
  ] as const) {
    it(`reads ${what}`, async () => {
      const { summaries, warnings } = await bring({ animals: await write('animals.csv', content) });
      expect(warnings).to.deep.equal([]);
      expect(summaries[0]).to.include({ inFile: 2, added: 2 });
      expect(
        await importing.database
          .db('animal')
          .orderBy('id')
          .select('name', 'location_name', 'placement_year', 'notes', 'latitude', 'longitude', 'picture_id'),
      ).to.deep.equal([
        {
          name: 'José',
          location_name: 'Zoo, Köln',
          placement_year: 2013,
          notes: 'two\nlines; "quoted"',
          latitude: 50.9,
          longitude: -6.97,
          picture_id: 1,
        },
        {
          name: 'Otto',
          location_name: 'Harbor',
          placement_year: null,
          notes: '',
          latitude: 1.5,
          longitude: 2,
          picture_id: null,
        },
      ]);
    });
  }

  it('warns about fields that Excel omitted at the end of a line', async () => {
    const animals = await write('animals.csv', `${animalsHeader}Otto,,Harbor,,,1.5,2\n`);
    const { summaries, warnings } = await bring({ animals });
    expect(summaries[0]).to.include({ added: 1 });
    expect(warnings.map(({ line, text }) => `${line}: ${text}`)).to.deep.equal([
      '2: there are 7 fields, the first line names 8; the missing ones are read as empty',
    ]);
  });

  it('reads questions and options from spreadsheets', async () => {
    const questions = await write('questions.csv', '\uFEFF"First, or last?";\r\nSaid "why"?\r\n;\r\n');
    const options = await write('options.txt', utf16('1\tYes\r\n2\t"No, never"\r\n'));
    const semicolons = await write('options.csv', '1;Maybe;;\r\n"2","Other, but what"\r\n');
    await bring({ questions, options });
    await bring({ options: semicolons });
    const texts = (table: 'question' | 'option') => importing.database.db(table).orderBy('id').pluck('text');
    expect(await texts('question')).to.deep.equal(['First, or last?', 'Said "why"?']);
    expect(await texts('option')).to.deep.equal(['Yes', 'No, never', 'Maybe', 'Other, but what']);
  });

  for (const [what, content, sentence] of [
    [
      'an Excel workbook',
      zip('[Content_Types].xml', 'xl/workbook.xml'),
      /Excel workbook \(\.xlsx\); .*"CSV UTF-8"/,
    ],
    ['an old Excel workbook', Buffer.from('D0CF11E0A1B11AE1', 'hex'), /Excel 97 to 2003.*"CSV UTF-8"/],
    [
      'a LibreOffice spreadsheet',
      zip('mimetypeapplication/vnd.oasis.opendocument.spreadsheet'),
      /LibreOffice spreadsheet.*"Text CSV"/,
    ],
    ['a Numbers spreadsheet', zip('Index/Document.iwa'), /Numbers spreadsheet.*"Export To"/],
    ['a Word document', zip('[Content_Types].xml', 'word/document.xml'), /Word document.*"Plain Text"/],
    ['a zip archive', zip('AnimalLocations.csv'), /zip archive; unpack it/],
    ['a compressed file', gzipSync(commas), /compressed by gzip; unpack it with "gunzip"/],
    ['a web page', '\n<!DOCTYPE html>\n<html></html>', /web page \(HTML\).*"CSV UTF-8"/],
    ['a web page in UTF-16', utf16('<html></html>'), /web page \(HTML\)/],
    ['a workbook in XML', '<?xml version="1.0"?>\n<Workbook/>', /Excel workbook in XML.*"CSV UTF-8"/],
    ['a PDF document', '%PDF-1.7\n', /PDF document; .*"CSV UTF-8"/],
    ['a picture', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), /not a text file; .*"CSV UTF-8"/],
    ['UTF-16 without a byte order mark', utf16(commas).subarray(2), /not a text file; .*"CSV UTF-8"/],
  ] as const) {
    it(`rejects ${what} with one sentence`, async () => {
      const file = await write('file.csv', content);
      for (const files of [{ animals: file }, { questions: file }, { options: file }, { pins: file }]) {
        const problems = await problemsOf(files);
        expect(problems).to.have.length(1);
        expect(problems[0])
          .to.match(/^file\.csv: this /)
          .and.match(sentence);
      }
    });
  }

  it('rejects Windows-1252 and characters lost in an earlier conversion, with the line', async () => {
    const animals = await write('latin.csv', Buffer.from(commas, 'latin1'));
    expect(await problemsOf({ animals })).to.deep.equal([
      'latin.csv line 2: this file is not in UTF-8 but in an older encoding such as Windows-1252; save it as "CSV UTF-8" and import that file',
    ]);
    // The invalid byte is not in the first chunk.
    const far = await write('far.txt', Buffer.from(`${'Why?\n'.repeat(40_000)}Où?`, 'latin1'));
    expect((await problemsOf({ questions: far })).at(-1)).to.match(
      /^… and|far\.txt line 40001: this file is not/,
    );
    const lost = await write('lost.csv', commas.replace('é', '\uFFFD'));
    expect(await problemsOf({ animals: lost })).to.deep.equal([
      'lost.csv line 2: a character was lost when this file was converted (\uFFFD); save the original as "CSV UTF-8"',
    ]);
  });

  it('rejects a duplicate column by name', async () => {
    const animals = await write('animals.csv', `${animalsHeader.trim()},LAT\nOtto,,Harbor,,,1.5,2,,3\n`);
    expect(await problemsOf({ animals })).to.deep.equal([
      'animals.csv line 1: the first line names lat twice; remove or rename one of the columns',
    ]);
  });

  it('rejects texts longer than the API accepts, with column and line', async () => {
    const [short, long] = ['🦭'.repeat(200), 'x'.repeat(201)];
    const good = `${short},${short},${short},,${'n'.repeat(5_000)},1,2,\n`;
    const animals = await write(
      'animals.csv',
      `${animalsHeader}${good}${long},,z,,,1,2,\nb,${long},z,,,1,2,\nc,,${long},,,1,2,\nd,,z,,${'n'.repeat(5_001)},1,2,\n`,
    );
    const pins = await write(
      'pins.csv',
      `${pinsHeader}1,2,${long},,France,2020-01-01\n1,2,,${long},France,2020-01-01\n1,2,,,${long},2020-01-01\n`,
    );
    expect(await problemsOf({ animals, pins })).to.deep.equal([
      'animals.csv line 3: animal_name has 201 characters, the maximum is 200',
      'animals.csv line 4: animal_type has 201 characters, the maximum is 200',
      'animals.csv line 5: location_name has 201 characters, the maximum is 200',
      'animals.csv line 6: animal_notes has 5001 characters, the maximum is 5000',
      'pins.csv line 2: city has 201 characters, the maximum is 200',
      'pins.csv line 3: state has 201 characters, the maximum is 200',
      'pins.csv line 4: country has 201 characters, the maximum is 200',
    ]);
  });

  it('reports 20 problems, and counts the others', async () => {
    const bad = 'Otto,,Harbor,soon,,1.5,2,\n';
    const twenty = await problemsOf({ animals: await write('animals.csv', animalsHeader + bad.repeat(20)) });
    expect(twenty).to.have.length(20);
    expect(twenty.at(-1)).to.match(/^animals\.csv line 21: placement_year is "soon"/);
    const most = await problemsOf({ animals: await write('animals.csv', animalsHeader + bad.repeat(21)) });
    expect(most.slice(20)).to.deep.equal(['… and 1 more problem']);
    const more = await problemsOf({ animals: await write('animals.csv', animalsHeader + bad.repeat(1000)) });
    expect(more.slice(20)).to.deep.equal(['… and 980 more problems']);
  });

  it('reports the line and the reason if a picture cannot be read', async () => {
    await mkdir(join(importing.folder, 'static/folder.jpg'));
    const animals = await write('animals.csv', `${animalsHeader}Otto,,Harbor,,,1,2,static/folder.jpg\n`);
    expect(await problemsOf({ animals })).to.deep.equal([
      'animals.csv line 2: the picture static/folder.jpg cannot be read: it is a folder',
    ]);
    // Root can read every file.
    if (process.getuid?.() === 0) return;
    await chmod(join(importing.folder, 'static/seal.jpg'), 0);
    const locked = await write('animals.csv', `${animalsHeader}Otto,,Harbor,,,1,2,static/seal.jpg\n`);
    expect(await problemsOf({ animals: locked })).to.deep.equal([
      'animals.csv line 2: the picture static/seal.jpg cannot be read: this user may not read it',
    ]);
  });

  it('stores the contract’s name of a country, and warns once about an unknown name', async () => {
    const names = ['US', 'Deutschland', 'Holland', 'Atlantis', 'France', 'Atlantis'];
    const lines = names.map((name, second) => `1,2,,,${name},2020-01-01T00:00:0${second}\n`);
    const { warnings } = await bring({ pins: await write('pins.csv', pinsHeader + lines.join('')) });
    expect(await importing.database.db('pin').orderBy('id').pluck('country')).to.deep.equal([
      'United States of America',
      'Germany',
      'Netherlands',
      'Atlantis',
      'France',
      'Atlantis',
    ]);
    expect(warnings.map(({ line, text }) => `${line}: ${text}`)).to.deep.equal([
      '5: "Atlantis" is not known as a country and is stored as it is written',
    ]);
    const pins = await write('korea.csv', `${pinsHeader}1,2,,,Korea,2020-01-01\n`);
    expect(await problemsOf({ pins })).to.deep.equal([
      'korea.csv line 2: country is "Korea", which is South Korea or North Korea; write one of these names',
    ]);
  }).timeout(60_000);
});

function reordered(): string {
  const columns = 'Long,LAT,animal images,Animal Name,Animal-Type,LOCATION_NAME,placement_year,animal_notes';
  return `${columns}\n-6.97,50.9,static/seal.jpg,José,Sea Lion,"Zoo, Köln",2013,"two\nlines; ""quoted"""\n2,1.5,,Otto,,Harbor,,\n`;
}
