import { existsSync } from 'node:fs';
import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { serverUrl } from '../testing/database.ts';
import { animalsHeader, exampleFiles, examplePicture, pinsHeader, useImport } from '../testing/import.ts';
import { time } from './fields.ts';
import { UnreadableFile } from './problems.ts';

const realData = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));

/** The embedded database is slow. */
const many = serverUrl ? 100_000 : 10_000;

describe('import', function () {
  this.timeout(300_000); // each picture is decoded in its own process
  const importing = useImport();
  const { write, counts, bring, addedOf, problemsOf } = importing;

  it('imports the example, and adds nothing the second time', async () => {
    const { summaries: first, warnings } = await bring(exampleFiles);
    const all = { animals: 6, pictures: 5, questions: 4, options: 11, pins: 42, tallied: 42 };
    expect(await counts()).to.deep.equal(all);
    expect(first.map(({ what, inFile, added }) => [what, inFile, added])).to.deep.equal([
      ['animals', 6, 6],
      ['questions', 4, 4],
      ['options', 11, 11],
      ['pins', 42, 42],
    ]);
    expect(warnings).to.deep.equal([]);

    const { summaries: again } = await bring(exampleFiles);
    expect(await counts()).to.deep.equal(all);
    expect(again.map(({ added }) => added)).to.deep.equal([0, 0, 0, 0]);
  });

  if (existsSync(realData)) {
    it('imports the centre’s real data unchanged', async () => {
      const real = {
        animals: join(realData, 'AnimalLocations.csv'),
        questions: join(realData, 'questions.txt'),
        options: join(realData, 'options.txt'),
      };
      for (const added of [
        [16, 5, 13],
        [0, 0, 0],
      ]) {
        const { summaries, warnings } = await bring(real);
        expect(summaries.map((summary) => summary.added)).to.deep.equal(added);
        expect(summaries[0]?.remarks).to.deep.equal(['2 pictures missing']);
        expect(warnings.map(({ line }) => line)).to.deep.equal([6, 22]);
      }
      expect(await counts()).to.include({ animals: 16, pictures: 13, questions: 5, options: 13 });
      const options = await importing.database.db('option').orderBy('id').pluck('text');
      expect(options).to.include.members([
        'Vacationing in Laguna Beach',
        'Yes, excellent!',
        'No, not really',
      ]);
    });
  } else {
    console.log(`Not tested: the import of the centre's real data, because ${realData} does not exist.`);
  }

  it('accepts files as spreadsheets and editors save them', async () => {
    const animals = await write(
      'animals.csv',
      '\uFEFF' +
        animalsHeader.replace('\n', '\r\n') +
        'Rosie,Sea Lion,"Zoo, with a comma",2013,"two\nlines, ""quoted""",33.5,-117.7,"static/seal.jpg \n"\r\n' +
        '\r\n' +
        ' Otto ,,Harbor,,,1,2,', // no line ending
    );
    const questions = await write('questions.txt', '\uFEFFFirst?\r\n\r\nSecond? \r\nThird?');
    const options = await write('options.txt', '1,Yes, very \r\n3,No');
    await bring({ animals, questions, options });
    expect(
      await importing.database
        .db('animal')
        .orderBy('id')
        .select('name', 'type', 'location_name', 'placement_year', 'notes', 'picture_id'),
    ).to.deep.equal([
      {
        name: 'Rosie',
        type: 'Sea Lion',
        location_name: 'Zoo, with a comma',
        placement_year: 2013,
        notes: 'two\nlines, "quoted"',
        picture_id: 1,
      },
      { name: 'Otto', type: '', location_name: 'Harbor', placement_year: null, notes: '', picture_id: null },
    ]);
    expect(await importing.database.db('question').orderBy('id').pluck('text')).to.deep.equal([
      'First?',
      'Second?',
      'Third?',
    ]);
    expect(await importing.database.db('option').orderBy('id').select('question_id', 'text')).to.deep.equal([
      { question_id: 1, text: 'Yes, very' },
      { question_id: 3, text: 'No' },
    ]);
  });

  describe('of animals', () => {
    it('reports each invalid line with its number and the reason, and changes nothing', async () => {
      await write('static/notes.jpg', 'this is not a picture');
      await write(
        'static/huge.jpg',
        Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(26_300_000)]),
      );
      await symlink('/etc/hostname', join(importing.folder, 'static/link.jpg'));
      const animals = await write(
        'animals.csv',
        animalsHeader +
          'Good,Seal,Zoo,2013,,33.5,-117.7,static/seal.jpg\n' +
          ',Seal,Zoo,2013,,33.5,-117.7,\n' +
          'A,Seal,"Zoo\nof two lines",soon,,33.5,-117.7,\n' +
          'B,Seal,Zoo,2013,,91,-117.7,\n' +
          'C,Seal,Zoo,2013,,33.5,west,\n' +
          'D,Seal,Zoo,2013,33.5,-117.7,\n' +
          'E,Seal,Zoo,2013,,33.5,-117.7,../secret.jpg\n' +
          'F,Seal,Zoo,2013,,33.5,-117.7,/etc/hostname\n' +
          'G,Seal,Zoo,2013,,33.5,-117.7,static/link.jpg\n' +
          'H,Seal,Zoo,2013,,33.5,-117.7,static/notes.jpg\n' +
          'I,Seal,Zoo,2013,,33.5,-117.7,static/huge.jpg\n' +
          'Good,Sea Lion,Zoo,2020,,33.5,-117.7,\n',
      );
      expect(await problemsOf({ animals })).to.deep.equal([
        'animals.csv line 3: animal_name is empty',
        'animals.csv line 4: placement_year is "soon", not a year of four digits',
        'animals.csv line 6: lat is "91", not a number of degrees from -90 to 90',
        'animals.csv line 7: long is "west", not a number of degrees from -180 to 180',
        'animals.csv line 8: there are 7 fields, the first line names 8; lat is "-117.7", not a number of degrees from -90 to 90',
        "animals.csv line 9: the picture ../secret.jpg is outside the file's folder; move it into that folder",
        "animals.csv line 10: the picture /etc/hostname is outside the file's folder; move it into that folder",
        "animals.csv line 11: the picture static/link.jpg is outside the file's folder; move it into that folder",
        'animals.csv line 12: the picture static/notes.jpg is not a JPEG, PNG, WebP, GIF, AVIF or TIFF file',
        'animals.csv line 13: the picture static/huge.jpg has 25.1 MB, the maximum is 25 MB',
        'animals.csv line 14: duplicate of line 2',
      ]);
    });

    it('reports the line from which the file cannot be read', async () => {
      const open = await write(
        'open.csv',
        animalsHeader + 'A,Seal,Zoo,2013,,1,2,\nB,Seal,"Zoo,2013,,1,2,\nC,Seal,Zoo,2013,,1,2,\n',
      );
      expect(await problemsOf({ animals: open })).to.deep.equal([
        'open.csv line 3: a field begins with a quote that is never closed',
      ]);
      const inside = await write(
        'inside.csv',
        animalsHeader + 'A,Seal,the "Zoo",2013,,1,2,\nB,Seal,"Zoo" 2,2013,,1,2,\n',
      );
      expect(
        (await problemsOf({ animals: inside })).map((problem) => problem.replace(/;.*/, '')),
      ).to.deep.equal([
        'inside.csv line 2: a field contains an unescaped quote',
        'inside.csv line 3: a field contains an unescaped quote',
      ]);
      const other = await write('other.csv', 'name,lat,long\nA,1,2\n');
      expect((await problemsOf({ animals: other }))[0]).to.match(
        /^other.csv line 1: .*animal_name, .* are missing$/,
      );
      const empty = await write('empty.csv', '');
      expect(await problemsOf({ animals: empty })).to.deep.equal(['empty.csv line 1: the file is empty']);
    });

    it('finds a picture regardless of the Unicode form, case and separators of its name', async () => {
      await mkdir(join(importing.folder, 'static/Fotos'), { recursive: true });
      await copyFile(examplePicture, join(importing.folder, 'static/Fotos/Zoe\u0308.JPG'));
      const paths = [
        'static\\Fotos\\Zo\u00eb.jpg',
        './STATIC/fotos/ZO\u00cb.jpg',
        'static/Fotos/Zoe\u0308.JPG',
      ];
      const lines = paths.map((path, at) => `Zoë ${at},Seal,Zoo,2013,,1,2,${path}\n`);
      const { summaries } = await bring({
        animals: await write('animals.csv', animalsHeader + lines.join('')),
      });
      expect(summaries[0]).to.deep.include({ added: 3, remarks: [] });
      const outside = await write('outside.csv', `${animalsHeader}A,Seal,Zoo,2013,,1,2,..\\secret.jpg\n`);
      expect(await problemsOf({ animals: outside })).to.deep.equal([
        "outside.csv line 2: the picture ..\\secret.jpg is outside the file's folder; move it into that folder",
      ]);
      const folder = await write('folder.csv', `${animalsHeader}A,Seal,Zoo,2013,,1,2,static/Fotos\n`);
      expect(await problemsOf({ animals: folder })).to.deep.equal([
        'folder.csv line 2: the picture static/Fotos cannot be read: it is a folder',
      ]);
    });

    it('warns about a missing picture, and adds it once it exists', async () => {
      const animals = await write(
        'animals.csv',
        `${animalsHeader}Rosie,Seal,Zoo,2013,,1,2,static/rosie.jpg\n`,
      );
      const first = await bring({ animals });
      expect(first.summaries[0]).to.deep.include({ added: 1, remarks: ['1 picture missing'] });
      expect(first.warnings[0]?.text).to.equal(
        'the picture static/rosie.jpg does not exist; Rosie is imported without it',
      );

      await copyFile(examplePicture, join(importing.folder, 'static/rosie.jpg'));
      const second = await bring({ animals });
      expect(second.warnings).to.deep.equal([]);
      expect(second.summaries[0]).to.deep.include({
        added: 0,
        remarks: ['1 picture added to existing animals'],
      });
      const [stored] = await importing.database
        .db('animal')
        .join('picture', 'picture.id', 'picture_id')
        .select('name', 'media_type');
      expect(stored).to.deep.equal({ name: 'Rosie', media_type: 'image/jpeg' });
    });
  });

  describe('of the survey', () => {
    it('reports each invalid line', async () => {
      const questions = await write('questions.txt', `One?\n${'x'.repeat(161)}\nOne?\n`);
      const options = await write(
        'options.txt',
        `1,Yes\nNo\n4,Maybe\n0,Never\n1,\n1,${'y'.repeat(101)}\n1,Yes \n`,
      );
      expect(await problemsOf({ questions, options })).to.deep.equal([
        'questions.txt line 2: the question has 161 characters, the maximum is 160',
        'questions.txt line 3: duplicate of line 1',
        'options.txt line 2: the line must begin with the number of its question and a comma, as in 2,Other',
        'options.txt line 3: there is no question 4; the highest number is 3',
        'options.txt line 4: there is no question 0; the highest number is 3',
        'options.txt line 5: the option is empty',
        'options.txt line 6: the option has 101 characters, the maximum is 100',
        'options.txt line 7: duplicate of line 1',
      ]);
    });

    it('numbers the questions of the --questions file, or of the database', async () => {
      await bring({ questions: await write('old.txt', 'Old?\nShared?\n') });
      const questions = await write('new.txt', 'New?\nShared?\n');
      await bring({ questions, options: await write('options.txt', '1,to the new\n2,to the shared\n') });
      await bring({ options: await write('more.txt', '1,to the old\n') });
      const rows = await importing.database
        .db('option')
        .join('question', 'question.id', 'question_id')
        .orderBy('option.id')
        .select('question.text', 'option.text as option');
      expect(rows).to.deep.equal([
        { text: 'New?', option: 'to the new' },
        { text: 'Shared?', option: 'to the shared' },
        { text: 'Old?', option: 'to the old' },
      ]);
    });

    it('keeps a question inactive that staff deactivated', async () => {
      const questions = await write('questions.txt', 'Asked?\n');
      await bring({ questions });
      await importing.database.db('question').update({ active: false });
      expect(await addedOf({ questions })).to.equal(0);
      expect(await importing.database.db('question').pluck('active')).to.deep.equal([false]);
    });
  });

  describe('of pins', () => {
    it('reads a time without a zone as UTC, whatever the zone of the database', () => {
      expect(time('visit_date', '2020-02-29')).to.equal('2020-02-29T00:00Z');
      expect(time('visit_date', '2020-02-29 18:04')).to.equal('2020-02-29T18:04Z');
    });

    it('stores the values of the columns, times to the microsecond', async () => {
      const pins = await write(
        'pins.csv',
        'visit_date,lat,long,city,state,country\n' +
          '2019-11-23 18:04:11.123456,33.5,-117.7,Laguna Beach,California,United States of America\n' +
          '2019-11-23T10:04:11-08,48.8,2.3,,,France\n' +
          '2020-02-29,+1,-0.5,"Paris, again",,France\n',
      );
      await bring({ pins });
      const { rows } = await importing.database.db.raw(
        `select latitude, longitude, city, state, country,
          to_char(visited_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as visited from pin order by visited, id`,
      );
      expect(rows).to.deep.equal([
        {
          latitude: 48.8,
          longitude: 2.3,
          city: null,
          state: null,
          country: 'France',
          visited: '2019-11-23 18:04:11.000000',
        },
        {
          latitude: 33.5,
          longitude: -117.7,
          city: 'Laguna Beach',
          state: 'California',
          country: 'United States of America',
          visited: '2019-11-23 18:04:11.123456',
        },
        {
          latitude: 1,
          longitude: -0.5,
          city: 'Paris, again',
          state: null,
          country: 'France',
          visited: '2020-02-29 00:00:00.000000',
        },
      ]);
    });

    it('reports each invalid line, and rolls back the lines before it', async () => {
      const good = '1,2,,,France,2020-01-01\n';
      const pins = await write(
        'pins.csv',
        pinsHeader +
          good.repeat(6000) +
          '1,2,,,,2020-01-01\n' +
          '1,2,,,France,\n' +
          '1,2,,,France,yesterday\n' +
          '1,2,,,France,2019-02-29\n' +
          '1,2,,,France,2020-01-01T24:00\n' +
          '1e1,2,,,France,2020-01-01\n',
      );
      const questions = await write('questions.txt', 'Good?\n');
      const time = (value: string) =>
        `visit_date is "${value}", not a time like 2026-07-31 or 2026-07-31T16:05:00Z`;
      expect(await problemsOf({ questions, pins })).to.deep.equal([
        'pins.csv line 6002: country is empty',
        `pins.csv line 6003: ${time('')}`,
        `pins.csv line 6004: ${time('yesterday')}`,
        `pins.csv line 6005: ${time('2019-02-29')}`,
        `pins.csv line 6006: ${time('2020-01-01T24:00')}`,
        'pins.csv line 6007: lat is "1e1", not a number of degrees from -90 to 90',
      ]);
    });

    it('does not add stored pins again whose names have changed', async () => {
      const pins = await write(
        'pins.csv',
        `${pinsHeader}41.88,-87.63,Chicago Loop,Illinois,USA,2020-07-01T09:00:00Z\n41.88,-87.63,Chicago Loop,Illinois,USA,2020-07-01T09:00:01Z\n`,
      );
      expect(await addedOf({ pins })).to.equal(2);
      await importing.database.db('pin').update({ city: 'Chicago', country: 'USA' });
      expect(await addedOf({ pins })).to.equal(0);
    });

    it('counts equal pins separately', async () => {
      const pin = '1,2,Paris,,France,2020-01-01\n';
      const pins = await write('pins.csv', pinsHeader + pin.repeat(3));
      expect(await addedOf({ pins })).to.equal(3);
      expect(await addedOf({ pins })).to.equal(0);
      expect(await addedOf({ pins: await write('more.csv', pinsHeader + pin.repeat(5)) })).to.equal(2);
      expect(await addedOf({ pins: await write('fewer.csv', pinsHeader + pin) })).to.equal(0);
      expect(await counts()).to.include({ pins: 5, tallied: 5 });
    });

    it(`imports ${many} in reasonable time, and the tallies stay exact @slow`, async function () {
      this.timeout(60_000);
      const lines = Array.from(
        { length: many },
        (_, i) =>
          `${(i % 180) - 90},${(i % 360) - 180},City ${i % 997},${i % 3 ? `State ${i % 50}` : ''},Country ${i % 200},2020-01-01T00:00:00.${String(i).padStart(6, '0')}Z\n`,
      );
      const pins = await write('pins.csv', pinsHeader + lines.join(''));
      const start = performance.now();
      expect(await addedOf({ pins })).to.equal(many);
      console.log(`        ${((performance.now() - start) / 1000).toFixed(1)} s`);
      expect(await addedOf({ pins })).to.equal(0);
      expect(await counts()).to.include({ pins: many, tallied: many });
      const { rows } = await importing.database.db.raw(`
        select count(*)::int as wrong from (
          select country, state, city, total from pin_tally where total <> 0
          except
          (select country, null, null, count(*) from pin group by country
           union all select country, state, null, count(*) from pin where state is not null group by country, state
           union all select country, state, city, count(*) from pin where city is not null group by country, state, city)
        ) as difference`);
      expect(rows).to.deep.equal([{ wrong: 0 }]);
    });
  });

  it('waits for another import to finish', async () => {
    await Promise.all([bring(exampleFiles), bring(exampleFiles)]);
    expect(await counts()).to.include({ animals: 6, pins: 42, tallied: 42 });
  });

  it('adds no pin twice if several processes import the same file at once', async () => {
    // Unlike for animals and questions, no unique index makes one import wait for the other.
    const lines = Array.from(
      { length: 2_000 },
      (_, i) => `1,2,,,Country ${i % 7},2020-01-01T00:00:00.${1000 + i}Z\n`,
    );
    const pins = await write('pins.csv', pinsHeader + lines.join(''));
    const added = await Promise.all([addedOf({ pins }), addedOf({ pins }), addedOf({ pins })]);
    expect(added).to.have.members([0, 0, 2_000]);
    expect(await counts()).to.include({ pins: 2_000, tallied: 2_000 });
  }).timeout(20_000);

  it('rejects a file that does not exist', async () => {
    for (const files of [
      { animals: join(importing.folder, 'none.csv') },
      { questions: importing.folder },
      { pins: importing.folder },
    ]) {
      const error = await bring(files).catch((failure: unknown) => failure);
      expect(error).to.be.instanceOf(UnreadableFile);
    }
  });
});
