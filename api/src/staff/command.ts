import type { Command } from '../command.ts';
import { readConfig } from '../config.ts';
import { openForCommand } from '../database/open.ts';
import { settingName } from '../setting-name.ts';
import { emailAddress } from '../email.ts';
import { staffStore } from './store.ts';

const help = `Usage: map-app staff add EMAIL
       map-app staff remove EMAIL
       map-app staff list

Changes who may sign in as staff, in addition to the addresses in ${settingName('STAFF_EMAILS')}. A change takes effect immediately:
removing an address ends all its sessions. Addresses are not case-sensitive.
An address outside gmail.com and Google Workspace must be listed in ${settingName('STAFF_EMAILS')}: Google cannot tell
who owns it now.
Without DATABASE_URL the command uses the embedded database of "npm start".
`;

export const staffCommand: Command = {
  summary: 'add, remove or list the addresses that may sign in as staff',
  run,
};

type Order = { verb: 'add' | 'remove'; email: string } | { verb: 'list' };

async function run(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(help);
    return 0;
  }
  const order = orderIn(args);
  if (typeof order === 'string') {
    process.stderr.write(`${order}\n\n${help}`);
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

/** Parses the arguments. Returns a message if they are wrong. */
function orderIn([verb = '', ...rest]: string[]): Order | string {
  if (verb === 'list') return rest.length === 0 ? { verb } : 'The command "list" takes no address.';
  if (verb !== 'add' && verb !== 'remove') return 'The subcommand must be add, remove or list.';
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
    say([(await store.add(email)) ? `${email} is staff now.` : `${email} is already staff.`]);
    return 0;
  }
  const removed = await store.remove(email);
  if (fixed.has(email)) {
    process.stderr.write(
      `${email} is still staff, because ${settingName('STAFF_EMAILS')} contains it. Remove it there.\n`,
    );
    return 1;
  }
  say([removed ? `${email} is no longer staff.` : `${email} was not staff.`]);
  return 0;
}

function say(lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
