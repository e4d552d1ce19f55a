import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { emailAddress } from '../email.ts';
import { type Outcome, runCli } from '../testing/command.ts';
import { freshDatabase, settingsFor, type TestDatabase } from '../testing/database.ts';

describe('map-app staff @slow', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'map-app-staff-'));
  let database: TestDatabase;
  let place: Record<string, string>;
  before(async () => {
    database = await freshDatabase();
    place = await settingsFor(database, folder);
  });
  after(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });

  const run = (...args: string[]): Promise<Outcome> =>
    runCli(['staff', ...args], { env: { STAFF_EMAILS: 'boss@example.org', ...place } });

  it('adds, lists and removes idempotently, and ignores case', async () => {
    const done = async (...args: string[]) => {
      const { code, out, errors } = await run(...args);
      expect(errors).to.equal('');
      expect(code).to.equal(0);
      return out;
    };
    expect(await done('add', ' Ann@Example.org ')).to.equal('ann@example.org is staff now.\n');
    expect(await done('add', 'ann@example.org')).to.equal('ann@example.org is already staff.\n');
    expect(await done('list')).to.equal('ann@example.org\nboss@example.org (by STAFF_EMAILS)\n');
    expect(await done('remove', 'ANN@example.org')).to.equal('ann@example.org is no longer staff.\n');
    expect(await done('remove', 'ann@example.org')).to.equal('ann@example.org was not staff.\n');
  });

  it('exits with 1 and a message when removing an address that STAFF_EMAILS contains', async () => {
    const { code, out, errors } = await run('remove', 'Boss@example.org');
    expect({ code, out }).to.deep.equal({ code: 1, out: '' });
    expect(errors).to.match(/^boss@example\.org is still staff, because STAFF_EMAILS contains it/);
  });

  it('removes such an address from the list in the database nevertheless', async () => {
    expect((await run('add', 'boss@example.org')).out).to.equal('boss@example.org is staff now.\n');
    expect(await run('remove', 'boss@example.org')).to.include({ code: 1, out: '' });
    expect((await run('list')).out).to.equal('boss@example.org (by STAFF_EMAILS)\n');
  });

  it('prints its usage', async () => {
    const { code, out } = await run('--help');
    expect(code).to.equal(0);
    expect(out).to.match(/^Usage: map-app staff add EMAIL\n/);
  });

  const wrong: [args: string[], sentence: RegExp][] = [
    [[], /^The subcommand must be add, remove or list\.\n\nUsage/],
    [['invite', 'ann@example.org'], /^The subcommand must be add, remove or list\./],
    [['add'], /^The command "add" takes one e-mail address\./],
    [['remove', 'a@example.org', 'b@example.org'], /^The command "remove" takes one e-mail address\./],
    [['list', 'ann@example.org'], /^The command "list" takes no address\./],
    [['add', 'ann'], /^"ann" is not an e-mail address\./],
  ];
  for (const [args, sentence] of wrong) {
    it(`exits with 2 and a message for "${args.join(' ')}"`, async () => {
      const { code, out, errors } = await run(...args);
      expect({ code, out }).to.deep.equal({ code: 2, out: '' });
      expect(errors).to.match(sentence);
    });
  }
});

describe('emailAddress', () => {
  for (const text of ['ann@example.org', ' ANN@Example.org\t', "o'neil+map@sub.example.org"]) {
    it(`accepts ${text}`, () => expect(emailAddress(text)).to.equal(text.trim().toLowerCase()));
  }

  for (const text of [
    '',
    'ann',
    'ann@',
    '@example.org',
    'ann@localhost',
    'ann@example.org.',
    'ann@b@example.org',
    'ann @example.org',
    'Ann <ann@example.org>',
    'ann@example.org,bob@example.org',
    'ann@example.org\0',
    `${'a'.repeat(250)}@example.org`,
  ]) {
    it(`refuses ${JSON.stringify(text).slice(0, 40)}`, () => expect(emailAddress(text)).to.equal(null));
  }
});
