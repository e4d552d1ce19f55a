import type { Command } from './command.ts';
import { BadConfiguration, describeVariables, readConfig } from './config.ts';
import { demandRoom, DiskFull } from './database/disk.ts';
import { FailedStep, migrate, requiredSchema } from './database/migrate.ts';
import { openDatabase, openForCommand } from './database/open.ts';
import { trouble } from './database/trouble.ts';
import { importCommand } from './import/command.ts';
import { metricsCommand } from './serve/metrics-command.ts';
import { BrokenDecoder, pictureOf } from './pictures/isolated.ts';
import { shippedPicture } from './pictures/shipped.ts';
import { renameCommand } from './pins/command.ts';
import { removeAnswers, removePins } from './removal/command.ts';
import { deleteOlderThan } from './retention/retention.ts';
import { serve } from './serve/serve.ts';
import { settingName } from './setting-name.ts';
import { staffCommand } from './staff/command.ts';
import { version } from './version.ts';

const commands: Record<string, Command> = {
  serve: {
    summary: 'serve requests until stopped by a signal',
    run: plain(() => serve(process.env)),
  },
  migrate: {
    summary: 'migrate the database to the schema of this release',
    run: plain(migrateDatabase),
  },
  import: importCommand,
  staff: staffCommand,
  pins: group('pins', { remove: removePins, rename: renameCommand }),
  answers: group('answers', { remove: removeAnswers }),
  retention: {
    summary: `delete pins and answers older than ${settingName('RETENTION_DAYS')}`,
    run: plain(deleteOld),
  },
  metrics: metricsCommand,
  check: {
    summary: 'check the configuration and that pictures can be decoded, without using the database',
    run: checkInstallation,
  },
};

const checkHelp = `Usage: map-app check

Checks the configuration, and that pictures can be decoded, without using the database. Exit status: 0 if both are good, 1 if
pictures cannot be decoded, 2 if the configuration is wrong.

Variables of the environment, or files of these names in the folder CREDENTIALS_DIRECTORY:

${describeVariables()}`;

/** Runs the command that `args` names and returns the exit status. Error messages go to stderr. */
export async function run(args: string[]): Promise<number> {
  const [name = '--help', ...rest] = args;
  if (name === '--help' || name === '--version') {
    process.stdout.write(name === '--help' ? help() : `${version}\n`);
    return 0;
  }
  const command = commands[name];
  if (!command) return wrongUse(`There is no command "${name}".`);
  try {
    return await command.run(rest);
  } catch (error) {
    if (error instanceof BadConfiguration) return complain(error.message, 2);
    const sentence =
      error instanceof DiskFull || error instanceof FailedStep || error instanceof BrokenDecoder
        ? error.message
        : trouble(error);
    if (sentence) return complain(sentence, 1);
    throw error;
  }
}

/** Creates a command whose first argument names a subcommand. */
function group(name: string, subcommands: Record<string, Command>): Command {
  const entries = Object.entries(subcommands);
  const lines = entries.map(([verb, { summary }]) => `  ${verb.padEnd(10)}${summary}`);
  const usage = [`Usage: map-app ${name} <command> [--help]`, '', ...lines, ''].join('\n');
  return {
    summary: entries.map(([, { summary }]) => summary).join('; '),
    async run([verb = '--help', ...rest]) {
      if (verb === '--help') {
        process.stdout.write(usage);
        return 0;
      }
      const subcommand = subcommands[verb];
      return subcommand
        ? subcommand.run(rest)
        : complain(`There is no command "${name} ${verb}".\n${usage}`, 2);
    },
  };
}

/** Creates a command that takes no arguments. */
function plain(work: () => Promise<void>): Command['run'] {
  return async (args) => {
    if (args.length > 0)
      return wrongUse(`This command takes no arguments, but was given "${args.join(' ')}".`);
    await work();
    return 0;
  };
}

async function checkInstallation(args: string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(checkHelp);
    return 0;
  }
  return plain(async () => {
    readConfig(process.env);
    await pictureOf(shippedPicture('sea-lion.png'));
    process.stdout.write('The configuration is valid.\n');
  })(args);
}

async function migrateDatabase(): Promise<void> {
  const { database: place, disk } = readConfig(process.env);
  await demandRoom(disk);
  const database = await openDatabase(place);
  try {
    const taken = await migrate(database.db);
    const done =
      taken.length > 0
        ? `Migrated: ${taken.join(', ')}.`
        : `Nothing to migrate: ${requiredSchema} is already applied.`;
    process.stdout.write(`${done}\n`);
  } finally {
    await database.close();
  }
}

async function deleteOld(): Promise<void> {
  const { database: place, disk, retentionDays } = readConfig(process.env);
  if (retentionDays === null) {
    process.stdout.write(`${settingName('RETENTION_DAYS')} is not set: nothing is deleted.\n`);
    return;
  }
  await demandRoom(disk);
  const database = await openForCommand(place);
  try {
    const { pins, answers } = await deleteOlderThan(database.db, retentionDays);
    process.stdout.write(
      `Deleted ${pins} pins and ${answers} answers (${settingName('RETENTION_DAYS')} is ${retentionDays}).\n`,
    );
  } finally {
    await database.close();
  }
}

function wrongUse(sentence: string): number {
  return complain(`${sentence}\n${help()}`, 2);
}

function complain(text: string, exitCode: number): number {
  process.stderr.write(`${text.trimEnd()}\n`);
  return exitCode;
}

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return ['Usage: map-app <command>', '', ...lines, ''].join('\n');
}
