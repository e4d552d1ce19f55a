import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { run, type Ended } from '../run/command.ts';
import { machineName } from '../run/machines.ts';
import { explain, play, type Run, type RunOptions } from './playbook.ts';

/** The site's name in the sandbox's inventory. */
export const domain = 'map-app.test';

/** A throwaway machine that the sandbox made. */
export type Machine = {
  suite: string;
  /** Its name as a sandbox. */
  name: string;
  address: string;
  /** Runs a shell command on it as root. */
  ssh: (command: string) => Promise<Ended>;
  /** The same, and throws if it fails. @returns its output, trimmed */
  must: (command: string) => Promise<string>;
  /** Runs site.yml against it. */
  play: (options?: Omit<RunOptions, 'sandbox'>) => Promise<Run>;
};

/** An answer to `get` or `post`. */
export type Answer = { status: number; headers: Record<string, unknown>; body: string };

/** Makes a machine of its own with nothing on it but ssh, in place of any that is left from an earlier run. */
export async function freshMachine(suite: string, name = machineName(suite)): Promise<Machine> {
  await sandbox(name, suite, 'down');
  await sandbox(name, suite, 'create');
  return connect(suite, name);
}

/** The machine of a suite with the site on it: the one that is there, or else a new one, provisioned. */
export async function provisionedMachine(suite = 'trixie'): Promise<Machine> {
  const name = machineName(suite);
  await sandbox(name, suite, 'create');
  const machine = connect(suite, name);
  const { code } = await machine.ssh('systemctl is-active map-app');
  if (code !== 0) await converge(machine);
  return machine;
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

/** Runs a verb of sandbox/sandbox and throws if it fails. */
export async function sandbox(name: string, suite: string, ...verb: string[]): Promise<string> {
  const { code, output } = await run(['sandbox/sandbox', ...verb], {
    environment: { SANDBOX: name, SUITE: suite },
    minutes: 15,
  });
  if (code !== 0) throw new Error(`sandbox/sandbox ${verb.join(' ')} failed:\n${output}`);
  return output;
}

/** The machine of this name, which is there and runs. */
export function connect(suite: string, name: string): Machine {
  const folder = `/var/lib/map-app-sandbox/${name}`;
  const address = readFileSync(`${folder}/address`, 'utf8').trim();
  const options = {
    StrictHostKeyChecking: 'no', UserKnownHostsFile: '/dev/null', LogLevel: 'ERROR', ConnectTimeout: '5',
    ControlMaster: 'auto', ControlPath: `${folder}/%C`, ControlPersist: '60',
  }; // prettier-ignore
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

/** Asks the machine over https. Its certificate is not checked: a placeholder is as good here. */
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
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${path}`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The shell command that runs SQL in the map's database as its superuser. It prints the rows, a line each, with `|` between the columns. */
export const psqlCommand = (sql: string): string =>
  `cd / && runuser -u postgres -- psql --quiet --no-align --tuples-only --dbname=map-app --command='${sql.replaceAll("'", "'\\''")}'`;

/** Runs SQL there. @returns what it prints */
export const psql = (machine: Machine, sql: string): Promise<string> => machine.must(psqlCommand(sql));

/** Tries until `check` no longer throws, for at most `seconds`; then throws what it threw last. */
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

/** What tells one start or reload of each unit from the next. */
export type UnitStarts = Record<string, string>;

/** Units that come and go by themselves. */
const passing =
  /^(session-|user|systemd-|run-|init\.scope|apt-|dpkg-|logrotate|man-db|fstrim|e2scrub|certbot|map-app-metrics\.service)/;

/** The starts of all services and sockets that run on the machine, and when PostgreSQL last read its settings. */
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
    // A socket's state also changes with the services it wakes.
    starts[Id] = Id.endsWith('.socket') ? String(start['InvocationID']) : Object.values(start).join(' ');
  }
  // A reload leaves no trace in its unit.
  starts['settings of PostgreSQL'] = await psql(machine, 'select pg_conf_load_time()');
  return starts;
}

/** @returns the names of the units whose start differs, each once, sorted */
export const restarted = (before: UnitStarts, after: UnitStarts): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((unit) => before[unit] !== after[unit])
    .sort();
