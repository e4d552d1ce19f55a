import type { Command } from '../commands.ts';
import { readConfig } from '../config.ts';
import { openForCommand } from '../database/open.ts';
import { settingName } from '../setting-name.ts';
import { emailAddress } from './email.ts';
import { staffStore } from './store.ts';

const HELP = `Usage: map-app staff add EMAIL
       map-app staff remove EMAIL
       map-app staff list

Changes who may sign in as staff, in addition to the addresses in ${settingName('STAFF_EMAILS')}. A change takes effect immediately:
removing an address ends all its sessions. Capital letters make no difference.
An address outside gmail.com and Google Workspace has to be in ${settingName('STAFF_EMAILS')}: Google does not know who
owns it now.
Without DATABASE_URL it is about the embedded database that "npm start" uses.
`;

export const staffCommand: Command = {
  summary: 'say who may sign in as staff: add, remove, list',
  run,
};

type Order = { verb: 'add' | 'remove'; email: string } | { verb: 'list' };

async function run(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(HELP);
    return 0;
  }
  const order = orderIn(args);
  if (typeof order === 'string') {
    process.stderr.write(`${order}\n\n${HELP}`);
    return 2;
  }
  const { database: place, staffEmails } = readConfig(process.env);
  const database = await openForCommand(place);
  try {
    return await carryOut(order, staffStore(database.db, staffEmails), staffEmails);
  } finally {
    await database.close();
  }
}

/** What the arguments ask for, or what is wrong with them. */
function orderIn([verb = '', ...rest]: string[]): Order | string {
  if (verb === 'list') return rest.length === 0 ? { verb } : 'The command "list" takes no address.';
  if (verb !== 'add' && verb !== 'remove') return 'Say add, remove or list.';
  if (rest.length !== 1) return `The command "${verb}" takes one e-mail address.`;
  const email = emailAddress(rest[0]!);
  return email === null ? `"${rest[0]}" is not an e-mail address.` : { verb, email };
}

async function carryOut(
  order: Order,
  store: ReturnType<typeof staffStore>,
  fixed: ReadonlySet<string>,
): Promise<number> {
  if (order.verb === 'list') {
    const named = [...fixed].toSorted().map((email) => `${email} (by ${settingName('STAFF_EMAILS')})`);
    say([...(await store.list()), ...named]);
    return 0;
  }
  const { verb, email } = order;
  if (verb === 'add') {
    say([(await store.add(email)) ? `${email} is staff now.` : `${email} is staff already.`]);
    return 0;
  }
  const removed = await store.remove(email);
  if (fixed.has(email)) {
    process.stderr.write(
      `${email} is still staff, because ${settingName('STAFF_EMAILS')} contains it. Remove it there.\n`,
    );
    return 1;
  }
  say([removed ? `${email} is not staff any more.` : `${email} was not staff.`]);
  return 0;
}

function say(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
