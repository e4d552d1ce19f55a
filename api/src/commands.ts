import { BadConfiguration } from './config.ts';

/** What one command does with the arguments after its name; the promised number is the exit code: 0 good, 1 failed, 2 wrong use or configuration. */
export type Command = { summary: string; run(args: string[]): Promise<number> };

const commands: Record<string, Command> = {};

/** Runs the command that `args` names and answers the process's exit code. Sentences about what went wrong go to stderr. */
export async function run(args: string[]): Promise<number> {
  const [name = '--help', ...rest] = args;
  if (name === '--help') {
    process.stdout.write(help());
    return 0;
  }
  const command = commands[name];
  if (!command) {
    process.stderr.write(`There is no command "${name}".\n${help()}`);
    return 2;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (!(error instanceof BadConfiguration)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

function help(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`);
  return ['Usage: map-app <command>', '', ...lines, ''].join('\n');
}
