import { parseArgs } from 'node:util';
import { capture, print } from './output.ts';
import { failure, leftOut, sum, type Duration, type Stage, type Tally } from './stage.ts';
import { stages } from './stages.ts';

const usage = `Usage: scripts/test [quick | STAGE] [FILE...]

Runs all stages, or one of:
  quick       lint and unit tests that take less than 30 s and need no root
${stages.map((stage) => `  ${stage.name.padEnd(12)}${stage.title}`).join('\n')}
FILE...       run only these test files of the stage

  --keep      keep the machines after the machine tests, to examine them or to run a file again
  --help      print this help

Stages that cannot run on this host are skipped with a reason. With CI=true they count as failed.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { help: { type: 'boolean' }, keep: { type: 'boolean' } },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
if (values.keep) process.env['KEEP_MACHINES'] = 'yes';

const [name, ...files] = positionals;
const chosen = stages.filter(
  (stage) => name === undefined || (name === 'quick' ? stage.quick : stage.name === name),
);
if (chosen.length === 0) {
  process.stderr.write(`There is no stage "${name}". To list the stages: scripts/test --help\n`);
  process.exit(2);
}

const started = performance.now();
const tallies: Tally[] = [];
const queue = chosen.filter((stage) => !stage.alone);
const worker = async () => {
  for (let stage = queue.shift(); stage; stage = queue.shift()) {
    const next = stage;
    tallies.push(chosen.length > 1 ? await capture(() => runStage(next)) : await runStage(next));
  }
};
await Promise.all([worker(), worker()]);
for (const stage of chosen.filter(({ alone }) => alone)) tallies.push(await runStage(stage));
process.exitCode = close(sum(tallies));

async function runStage(stage: Stage): Promise<Tally> {
  const start = performance.now();
  print(`== ${stage.title}\n`);
  let tally: Tally;
  try {
    tally = await stage.run(files, name === 'quick');
  } catch (error) {
    print(`${(error as Error).stack}\n`);
    tally = failure((error as Error).message);
  }
  if (tally.passed + tally.failures.length + tally.leftOut.length === 0) {
    tally = leftOut(`${stage.title}: no test ran`);
  }
  print(`   ${tally.passed} passed, ${tally.failures.length} failed in ${elapsed(start)}\n\n`);
  return { ...tally, failures: tally.failures.map((what) => `${stage.name}: ${what}`) };
}

function close({ passed, failures, leftOut, durations = [] }: Tally): number {
  const strict = process.env['CI'] === 'true';
  for (const what of leftOut)
    process.stdout.write(`Skipped${strict ? ' (counts as failed)' : ''}: ${what}\n`);
  if (performance.now() - started > 60_000) process.stdout.write(slowest(durations));
  // Again, because a run prints thousands of lines.
  for (const what of failures) process.stdout.write(`Failed: ${what}\n`);
  process.stdout.write(`Took ${elapsed(started)}.\n`);
  const failed = failures.length + (strict ? leftOut.length : 0);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function elapsed(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(0)} s`;
}

/** Returns a table of the ten slowest tests and hooks. */
function slowest(durations: Duration[]): string {
  const lines = durations
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, 10)
    .map(({ title, seconds }) => `${seconds.toFixed(0).padStart(6)} s  ${title}\n`);
  return lines.length > 0 ? `The slowest tests and hooks:\n${lines.join('')}` : '';
}
