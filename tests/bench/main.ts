import { readFileSync } from 'node:fs';
import { connect, converge, sandbox } from '../machine/machine.ts';
import { root } from '../run/command.ts';
import { benchCommand } from './command.ts';
import { installPeer } from './features.ts';
import { connections } from './load.ts';
import { measure, reads, type Figure, type Plan } from './figures.ts';
import { clear, prepare } from './setting.ts';
import { slowdowns, tableOf } from './table.ts';

const help = `Usage: npm run bench [-- --quick]

Measures the API with 10,000 and then 1,000,000 pins on a throwaway machine, through nginx over TLS, with ${connections} connections. Provisions the
machine, or reuses the one of an earlier run. Prints a table that compares the API with
  - nginx serving the same bytes from a file
  - a minimal http.createServer that returns the same bytes: two workers on one socket behind the same nginx
  - for reads of collections that are not in the cache: pg_featureserv, if it can be built with Go
  - for inserts: the same statement in pgbench with the same durability and number of clients, and a plain insert without tallies
Each measurement alternates with its baselines, and the table shows medians. Ratios are stable on a busy host, requests per second are not.
Results below their target are marked MISSED. Takes 15 minutes on an otherwise idle host with two processors, and needs root.

  --quick   only 10,000 pins and short runs, to check that the benchmark works
  --help    print this help

Environment variable:
  SANDBOX=<name>   the machine's name (default: map-app-bench)

Exit status: 0 if no request failed, 1 if a request failed or no machine can run, 2 for invalid arguments.
`;

const all = reads.map(({ what }) => what);
const whole: Plan = { pins: [10_000, 1_000_000], reads: all, seconds: 3, rounds: 3 };
const quick: Plan = { pins: [10_000], reads: all, seconds: 1, rounds: 1 };

process.exitCode = await benchCommand(process.argv.slice(2), help, 'quick', (given) =>
  bench(given ? quick : whole),
);

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
    const hasPeer = await installPeer(machine);
    if (!hasPeer) say('Without pg_featureserv: it could not be built with Go and its module proxy.');
    for (const pins of plan.pins) {
      const report = (figure: Figure) => {
        figures.push(figure);
        say(`  ${figure.what}, ${figure.pins} pins: ${figure.sample.perSecond.toFixed(0)}/s`);
      };
      remarks.push(await measure(machine, pins, plan, report));
    }
  } finally {
    await clear(machine);
  }
  const failed = figures.reduce((total, { sample }) => total + sample.failed, 0);
  say(`\n${tableOf(figures)}\n`);
  for (const remark of [...remarks, ...slowdowns(figures)]) say(remark);
  say(
    `${failed} requests failed. The machine is kept for the next run. To remove it: SANDBOX=${name} sandbox/sandbox down`,
  );
  return failed > 0 ? 1 : 0;
}

/** Returns variables that disable the rate limits. */
function unlimited(): Record<string, number> {
  const defaults = readFileSync(`${root}roles/nginx/defaults/main.yml`, 'utf8');
  const names = defaults.match(/^nginx_\w+_per_minute(?=:)/gm) ?? [];
  return Object.fromEntries(names.map((name) => [name, 6_000_000]));
}
