import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { connect, converge, sandbox } from '../machine/machine.ts';
import { root } from '../run/command.ts';
import { machinesCannotRun } from '../run/machines.ts';
import { connections } from './load.ts';
import { measure, reads, type Figure, type Plan } from './figures.ts';
import { clear, prepare } from './setting.ts';
import { slowdowns, tableOf } from './table.ts';

const help = `Usage: npm run bench [-- --quick]

Provisions a throwaway machine (or the one of the last time, anew), fills it with 10,000 and then 1,000,000 pins, and prints one table: what the API
answers through nginx over TLS to ${connections} connections, as a share of
  - nginx serving the same bytes from a file,
  - a bare http.createServer that answers the same bytes: two workers on one socket behind the same nginx,
  - for inserts: pgbench, which runs the same statement durably with as many clients, and a plain insert without tallies.
Each is measured several times in turn with what it is compared with, and the medians count: shares hold on a busy host, requests a second don't.
A figure below what is expected of it is marked MISSED. Takes 12 minutes, all of a host of two processors, and root.

  --quick   10,000 pins alone, and short runs: does it work at all?
  SANDBOX=<name>   another machine than map-app-bench

The exit code is 1 if a request failed, else 0, and 2 for wrong use.
`;

const all = reads.map(({ what }) => what);
const whole: Plan = { pins: [10_000, 1_000_000], reads: all, seconds: 3, rounds: 3 };
const quick: Plan = { pins: [10_000], reads: all, seconds: 1, rounds: 1 };

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let options;
  try {
    options = parseArgs({ args, options: { help: { type: 'boolean' }, quick: { type: 'boolean' } } }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const reason = await machinesCannotRun();
  if (reason) {
    process.stderr.write(`The benchmark needs a throwaway machine, and none can run here: ${reason}.\n`);
    return 1;
  }
  return bench(options.quick ? quick : whole);
}

async function bench(plan: Plan): Promise<number> {
  const name = process.env['SANDBOX'] ?? 'map-app-bench';
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(`Provision the machine ${name} ...`);
  await sandbox(name, 'trixie', 'create');
  const machine = connect('trixie', name);
  await converge(machine, { vars: unlimited() });

  const figures: Figure[] = [];
  const remarks: string[] = [];
  try {
    await prepare(machine);
    for (const pins of plan.pins) {
      const told = (figure: Figure) => {
        figures.push(figure);
        say(`  ${figure.what}, ${figure.pins} pins: ${figure.sample.perSecond.toFixed(0)}/s`);
      };
      remarks.push(await measure(machine, pins, plan, told));
    }
  } finally {
    await clear(machine);
  }
  const failed = figures.reduce((total, { sample }) => total + sample.failed, 0);
  say(`\n${tableOf(figures)}\n`);
  for (const remark of [...remarks, ...slowdowns(figures)]) say(remark);
  say(
    `${failed} requests failed. The machine stays for the next time: SANDBOX=${name} sandbox/sandbox down removes it.`,
  );
  return failed > 0 ? 1 : 0;
}

/** Variables that let one address send as much as it can. */
function unlimited(): Record<string, number> {
  const defaults = readFileSync(`${root}roles/nginx/defaults/main.yml`, 'utf8');
  const names = defaults.match(/^nginx_\w+_per_minute(?=:)/gm) ?? [];
  return Object.fromEntries(names.map((name) => [name, 6_000_000]));
}
