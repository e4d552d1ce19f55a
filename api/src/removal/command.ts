import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import type Joi from 'joi';
import type { Knex } from 'knex';
import type { Command } from '../command.ts';
import { readConfig } from '../config.ts';
import { demandRoom } from '../database/disk.ts';
import { openForCommand } from '../database/open.ts';
import type { Pin } from '../pins/schema.ts';
import { answerFilter, pinFilter, type AnswerSample, type Filter } from './schema.ts';
import { answerRemoval, Changed, counted, pinRemoval, type Removal } from './store.ts';

const timesHelp = `  --from TIME     at or after this date or time: 2026-07-01, or 2026-07-01T10:00:00Z
  --to TIME       at or before this date or time; a date includes its whole day, in UTC
  --id ID         the row with this id
  --dry-run       prints what matches and removes nothing
  --yes           removes without confirmation
`;

const endHelp = `Prints how many match and the newest of them, asks for confirmation, and removes them in one transaction.
Rows that visitors add meanwhile are kept. If the matching rows change before the removal, nothing is removed.
`;

const pinsHelp = `Usage: map-app pins remove [--from TIME] [--to TIME] [--box WEST,SOUTH,EAST,NORTH] [--country NAME]
                           [--id ID] [--dry-run] [--yes]

Removes the pins that meet every condition, and updates all counts. At least one condition is needed.

  --box W,S,E,N   within these degrees: --box=-118,33,-117,34 (with "=", because of the minus sign)
  --country NAME  of this country, spelled as in the pins: "United States of America"
${timesHelp}
${endHelp}`;

const answersHelp = `Usage: map-app answers remove [--from TIME] [--to TIME] [--id ID] [--dry-run] [--yes]

Removes the visitors' answers that meet every condition. At least one condition is needed. Answers have no coordinates.

${timesHelp}
${endHelp}`;

export const removePins = removeCommand({
  what: 'pins',
  conditions: 'time, place or id',
  help: pinsHelp,
  filter: pinFilter,
  removal: pinRemoval,
  line: ({ id, visit_date, city, state, country, coordinates }: Pin) =>
    `${id}  ${visit_date}  ${[city, state, country].filter((part) => part !== null).join(', ')} (${coordinates.latitude}, ${coordinates.longitude})`,
});

export const removeAnswers = removeCommand({
  what: 'answers',
  conditions: 'time or id',
  help: answersHelp,
  filter: answerFilter,
  removal: answerRemoval,
  line: ({ id, vr_timestamp, question, option_selected }: AnswerSample) =>
    `${id}  ${vr_timestamp}  ${question} ${option_selected}`,
});

type Rows<Sample> = {
  what: 'pins' | 'answers';
  /** The conditions, for the summary of the command. */
  conditions: string;
  help: string;
  filter: Joi.ObjectSchema<Filter>;
  removal: (db: Knex) => Removal<Sample>;
  /** Formats a row of the sample as one line of text. */
  line: (row: Sample) => string;
};

type Order = { filter: Filter; dryRun: boolean; yes: boolean };

function removeCommand<Sample>(rows: Rows<Sample>): Command {
  return {
    summary: `remove ${rows.what} by ${rows.conditions}, after showing them`,
    async run(args) {
      if (args.includes('--help')) {
        process.stdout.write(rows.help);
        return 0;
      }
      const order = orderIn(args, rows.filter);
      if (typeof order === 'string') {
        process.stderr.write(`${order}\n\n${rows.help}`);
        return 2;
      }
      const { database: place, disk } = readConfig(process.env);
      if (!order.dryRun) await demandRoom(disk);
      const database = await openForCommand(place);
      try {
        return await carryOut(order, rows, rows.removal(database.db));
      } finally {
        await database.close();
      }
    },
  };
}

/** Parses the arguments. Returns a message if they are wrong. */
function orderIn(args: string[], schema: Joi.ObjectSchema<Filter>): Order | string {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      args,
      options: { from: text, to: text, box: text, country: text, id: text, 'dry-run': flag, yes: flag },
    });
    const { from, to, box: bbox, country, id, 'dry-run': dryRun, yes } = values;
    const datetime = from === undefined && to === undefined ? undefined : `${from ?? '..'}/${to ?? '..'}`;
    const given = Object.entries({ id, datetime, bbox, country }).filter(([, value]) => value !== undefined);
    const { value, error } = schema.validate(Object.fromEntries(given), {
      errors: { wrap: { label: false } },
    });
    return error ? sentenceOf(error) : { filter: value, dryRun, yes };
  } catch (error) {
    return (error as Error).message;
  }
}

/** Returns Joi's message, with the name of the option instead of the field. */
function sentenceOf({ details: [detail] }: Joi.ValidationError): string {
  const field = String(detail?.path[0] ?? '');
  if (detail?.type === 'object.missing')
    return 'Specify at least one condition: without one, every row would match.';
  if (detail?.type === 'object.unknown')
    return `There is no --${field === 'bbox' ? 'box' : field} here: answers have no coordinates.`;
  if (field === 'datetime' && detail?.type === 'datetime.order') return '--from must be before --to.';
  if (field === 'datetime')
    return '--from and --to must be dates or times such as 2026-07-01 or 2026-07-01T10:00:00Z.';
  return `--${detail?.message.replace(/^bbox/, 'box')}.`;
}

async function carryOut<Sample>(
  { filter, dryRun, yes }: Order,
  { what, line }: Rows<Sample>,
  removal: Removal<Sample>,
): Promise<number> {
  const { sample, ...expected } = await removal.preview(filter);
  if (expected.count === 0) {
    say(`No ${what} match. Nothing was removed.`);
    return 0;
  }
  say(`${counted(expected.count, what)} matched. The newest of them:`);
  for (const row of sample) say(`  ${printable(line(row))}`);
  if (dryRun) {
    say('Nothing was removed (--dry-run).');
    return 0;
  }
  if (!yes && !process.stdin.isTTY) {
    process.stderr.write('Nothing was removed: run this in a terminal and confirm, or add --yes.\n');
    return 2;
  }
  if (!yes && !(await confirm(`Remove ${counted(expected.count, what)} for good? Type yes: `))) {
    say('Nothing was removed.');
    return 1;
  }
  try {
    say(`Removed ${counted(await removal.remove(filter, expected), what)}.`);
    return 0;
  } catch (error) {
    if (!(error instanceof Changed)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question(question)).trim() === 'yes';
  } finally {
    terminal.close();
  }
}

/** Replaces control characters: text from visitors or staff could contain terminal escape sequences. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
