import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { run, type Ended } from '../run/command.ts';
import { baseName, machineName, sandboxes } from '../run/machines.ts';
import { explain, play, type Run, type RunOptions } from './playbook.ts';

/** The site's domain in the sandbox inventory. */
export const domain = 'map-app.test';

/** A throwaway machine of the sandbox. */
export type Machine = {
  suite: string;
  /** The value of SANDBOX. */
  name: string;
  address: string;
  /** Runs a shell command on it as root. */
  ssh: (command: string) => Promise<Ended>;
  /** Like `ssh`, but throws if the command fails. @returns its output, trimmed */
  must: (command: string) => Promise<string>;
  /** Runs site.yml against it. */
  play: (options?: Omit<RunOptions, 'sandbox'>) => Promise<Run>;
};

/** A response to `ask`. */
export type Answer = { status: number; headers: Record<string, unknown>; body: string };

/** Creates a machine that has only ssh. Replaces any machine of an earlier run. */
export async function freshMachine(suite: string, name = machineName(suite)): Promise<Machine> {
  await sandbox(name, suite, 'down');
  await sandbox(name, suite, 'create');
  return connect(suite, name);
}

let provisioned: Promise<Machine> | undefined;

/**
 * Returns this test file's provisioned machine, a copy of the one that `base.ts` provisions once in each test run. The file may change it as it
 * likes, because no other file uses it.
 */
export const provisionedMachine = (): Promise<Machine> => (provisioned ??= copyOfBase());

async function copyOfBase(): Promise<Machine> {
  const [suite, name] = ['trixie', machineName('trixie')];
  await sandbox(name, suite, 'down');
  await makeBase();
  await sandbox(name, suite, 'copy', baseName());
  const machine = connect(suite, name);
  // Waits for the end of the boot, even if a unit failed: that is for the tests to judge.
  await machine.must('systemctl is-system-running --wait || systemctl is-active map-app');
  await untilReady(machine, 120);
  // A copy has its own name and address in files that the last run of site.yml recorded.
  await machine.must('map-app drift --record');
  return machine;
}

/** Provisions the machine that `provisionedMachine` copies, unless another test file has done it. */
async function makeBase(): Promise<void> {
  const lock = `/run/lock/${baseName()}`;
  const { code, output } = await run(['flock', lock, 'node', 'tests/machine/base.ts'], { minutes: 20 });
  if (code !== 0) throw new Error(output);
}

/** Runs site.yml and throws if it fails. @returns the names of the tasks that changed something */
export async function converge(
  machine: Machine,
  options: Omit<RunOptions, 'sandbox'> = {},
): Promise<string[]> {
  const result = await machine.play(options);
  if (result.code !== 0) throw new Error(explain(result));
  return result.changed;
}

/** Runs a command of sandbox/sandbox and throws if it fails. */
export async function sandbox(name: string, suite: string, ...verb: string[]): Promise<string> {
  const { code, output } = await run(['sandbox/sandbox', ...verb], {
    environment: { SANDBOX: name, SUITE: suite },
    minutes: 15,
  });
  if (code !== 0) throw new Error(`sandbox/sandbox ${verb.join(' ')} failed:\n${output}`);
  return output;
}

/** Returns the machine of this name, which must be running. */
export function connect(suite: string, name: string): Machine {
  const folder = `${sandboxes}/${name}`;
  const address = readFileSync(`${folder}/address`, 'utf8').trim();
  const options = {
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
    LogLevel: 'ERROR',
    ConnectTimeout: '5',
    ControlMaster: 'auto',
    ControlPath: `${folder}/ssh`,
    ControlPersist: '60',
  };
  const arguments_ = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const ssh = (command: string) =>
    run(['ssh', '-i', `${folder}/key`, ...arguments_, `root@${address}`, command]);
  const must = async (command: string) => {
    const { code, output } = await ssh(command);
    if (code !== 0) throw new Error(`On ${name}, \`${command}\` ended with ${code}:\n${output}`);
    return output.trim();
  };
  return { suite, name, address, ssh, must, play: (run = {}) => play({ ...run, sandbox: name }) };
}

/** Sends a request over https, without checking the certificate. */
export function ask(
  machine: Machine,
  path: string,
  options: {
    method?: string;
    headers?: Record<string, string>;
    body?: unknown;
    host?: string;
    timeout?: number;
  } = {},
): Promise<Answer> {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        path,
        agent: false,
        host: machine.address,
        servername: options.host ?? domain,
        rejectUnauthorized: false,
        method: options.method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          Host: options.host ?? domain,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...options.headers,
        },
        timeout: options.timeout ?? 20_000,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
        response.on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no response to ${path}`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Returns the shell command that runs SQL in the database as superuser. It prints a line per row, with `|` between the columns. */
export const psqlCommand = (sql: string): string =>
  `cd / && runuser -u postgres -- psql --quiet --no-align --tuples-only --dbname=map-app --command='${sql.replaceAll("'", "'\\''")}'`;

/** Runs SQL in the machine's database as superuser. @returns the output of psqlCommand */
export const psql = (machine: Machine, sql: string): Promise<string> => machine.must(psqlCommand(sql));

/** Retries `check` until it no longer throws, for at most `seconds`. Then throws its last error. */
export async function eventually<T>(seconds: number, check: () => Promise<T>): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Waits until /readyz returns 200 over https, for at most `seconds`. */
export const untilReady = (machine: Machine, seconds: number): Promise<void> =>
  eventually(seconds, async () => {
    const { status, body } = await ask(machine, '/readyz');
    if (status !== 200) throw new Error(`${machine.name} is not ready: /readyz returns ${status}: ${body}`);
  });

/** The shell command that stops workers with SIGSTOP, without the watchdog, which would restart them on a slow host. */
export const suspend = (...units: string[]): string =>
  `systemctl service-watchdogs no && systemctl kill --signal=STOP ${units.join(' ')}`;

/** The shell command that ends `suspend`. It restarts the workers, because the watchdog could expire before they notify it again. */
export const resume = (...units: string[]): string =>
  `systemctl kill --signal=CONT ${units.join(' ')} && systemctl restart ${units.join(' ')} && systemctl service-watchdogs yes`;

/** A string for each unit that changes when the unit starts or reloads. */
export type UnitStarts = Record<string, string>;

/** Units that start and stop independently of site.yml. */
const passing =
  /^(session-|user|systemd-|run-|init\.scope|apt-|dpkg-|logrotate|man-db|fstrim|e2scrub|certbot|map-app-metrics\.service)/;

/** Returns the starts of all running services and sockets, and the time when PostgreSQL last loaded its settings. */
export async function unitStarts(machine: Machine): Promise<UnitStarts> {
  const text = await machine.must(
    "systemctl show --property=Id,ActiveState,MainPID,InvocationID,StateChangeTimestampMonotonic '*.service' '*.socket'",
  );
  const starts: UnitStarts = {};
  for (const block of text.split('\n\n')) {
    const { Id, ActiveState, ...start } = Object.fromEntries(
      block.split('\n').map((line) => line.split('=', 2) as [string, string]),
    );
    if (!Id || ActiveState !== 'active' || passing.test(Id)) continue;
    // The state of a socket also changes when it starts a service.
    starts[Id] = Id.endsWith('.socket') ? String(start['InvocationID']) : Object.values(start).join(' ');
  }
  // systemd does not record a reload of PostgreSQL.
  starts['settings of PostgreSQL'] = await psql(machine, 'select pg_conf_load_time()');
  return starts;
}

/** @returns the names of the units whose start differs, sorted */
export const restarted = (before: UnitStarts, after: UnitStarts): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((unit) => before[unit] !== after[unit])
    .sort();
