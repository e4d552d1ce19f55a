import { join } from 'node:path';
import { expect } from 'chai';
import { type Outcome, runCli } from '../testing/command.ts';
import { settingsFor } from '../testing/database.ts';
import { animalsHeader, pinsHeader, useImport } from '../testing/import.ts';

describe('the import command @slow', function () {
  this.timeout(60_000);
  const importing = useImport();
  const { write, counts } = importing;

  let place: Record<string, string>;
  beforeEach(async () => {
    place = await settingsFor(importing.database, join(importing.folder, 'database'));
  });
  const runWith = (
    { input = '', env = {} }: { input?: string; env?: Record<string, string> },
    ...args: string[]
  ): Promise<Outcome> => runCli(['import', ...args], { env: { ...place, ...env }, input });
  const run = (...args: string[]) => runWith({}, ...args);

  it('prints a summary of each file and exits with 0, or prints the problems and exits with 1', async () => {
    const animals = await write('animals.csv', `${animalsHeader}Rosie,Seal,Zoo,2013,,1,2,static/rosie.jpg\n`);
    const questions = await write('questions.txt', 'One?\nTwo?\n');
    expect(await run('--animals', animals, '--questions', questions)).to.deep.equal({
      code: 0,
      out: 'animals: 1 in file, 1 added, 0 already there, 1 picture missing\nquestions: 2 in file, 2 added, 0 already there\n',
      errors:
        'Warning: animals.csv line 2: the picture static/rosie.jpg does not exist; Rosie is imported without it.\n',
    });
    const pins = await write('pins.csv', `${pinsHeader}1,2,,,,2020-01-01\n`);
    expect(await run('--pins', pins)).to.deep.equal({
      code: 1,
      out: '',
      errors: 'pins.csv line 2: country is empty\nNothing was changed.\n',
    });
    const missing = await run('--pins', join(importing.folder, 'none.csv'));
    expect(missing.code).to.equal(2);
    expect(missing.errors).to.match(/none\.csv: there is no such file/);
  });

  it('reads standard input', async () => {
    const pin = `${pinsHeader}1,2,,,France,2020-01-01\n`;
    expect(await runWith({ input: pin }, '--pins', '-')).to.deep.equal({
      code: 0,
      out: 'pins: 1 in file, 1 added, 0 already there\n',
      errors: '',
    });
    const bad = await runWith({ input: `${pinsHeader}1,2,,,,2020-01-01\n` }, '--pins', '-');
    expect(bad).to.include({
      code: 1,
      errors: 'standard input line 2: country is empty\nNothing was changed.\n',
    });
  });

  it('exits with 2 on incorrect usage', async () => {
    for (const [args, sentence] of [
      [[], /^Name at least one file/],
      [['--animlas', 'x'], /^Unknown option '--animlas'/],
      [['--pins', ''], /^--pins needs a file name/],
      [['--pins', 'a', '--pins', 'b'], /^Name one file for --pins/],
      [['--pins', '-', '--animals', '-'], /^Only one file can be standard input/],
    ] as const) {
      const { code, errors } = await run(...args);
      expect(errors).to.match(sentence);
      expect(code).to.equal(2);
    }
  });

  it('imports nothing on a disk that is almost full', async () => {
    const questions = await write('questions.txt', 'One?\n');
    const env = { DATABASE_FOLDER: importing.folder, DISK_RESERVE: '9999999' };
    const { code, out, errors } = await runWith({ env }, '--questions', questions);
    expect(errors).to.match(/^The disk of .* MB left\. .*DISK_RESERVE.* Nothing was changed\.\n$/);
    expect([code, out]).to.deep.equal([1, '']);
    expect(await counts()).to.include({ questions: 0 });
  });
});
