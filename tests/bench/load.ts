import { run } from '../run/command.ts';
import { domain, type Machine } from '../machine/machine.ts';

/** The result of a short run. `p99`: latency in milliseconds, null if unknown. */
export type Sample = { perSecond: number; p99: number | null; failed: number };

/** A short run of one measurement. */
export type Sampler = () => Promise<Sample>;

export const connections = 32;

/** The domain on which the machine's nginx serves the baselines. */
export const yardstick = `yardstick.${domain}`;

export type Load = {
  /** The domain of the site or of the baselines. */
  host: string;
  path: string;
  headers?: Record<string, string>;
  /** A file with the bodies to post, one per line. */
  bodies?: string;
  /** A file with the paths to request instead of `path`, one per line. */
  paths?: string;
  seconds: number;
};

/** Sends load with wrk over TLS, on persistent connections. */
export async function wrk(machine: Machine, load: Load): Promise<Sample> {
  const { host, path, headers = {}, bodies, paths, seconds } = load;
  const options = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const command = [
    'wrk',
    '--threads=1',
    `--connections=${connections}`,
    `--duration=${seconds}s`,
    '--timeout=10s',
    '--script=tests/bench/wrk.lua',
    ...options,
    `https://${host}${path}`,
    ...(bodies ? ['bodies', bodies] : []),
    ...(paths ? ['paths', paths] : []),
  ];
  const { code, output } = await run([...withHosts(machine), ...command]);
  const result = /^RESULT (.*)$/m.exec(output)?.[1];
  if (code !== 0 || !result) throw new Error(`wrk exited with ${code}:\n${output}`);
  const { requests, seconds: took, p99, failed } = JSON.parse(result);
  // No response at all is a failure too.
  return { perSecond: requests / took, p99, failed: requests === 0 ? connections : failed };
}

/** Returns a command prefix that makes the machine's domains resolve: a mount namespace with its own /etc/hosts. */
function withHosts({ address }: Machine): string[] {
  const hosts = `127.0.0.1 localhost\n${address} ${domain} ${yardstick}\n`;
  // The file system in memory ends with the namespace.
  const script = `mount -t tmpfs tmpfs /mnt && printf %s "$0" >/mnt/hosts && mount --bind /mnt/hosts /etc/hosts && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, hosts];
}

/** Runs SQL scripts with pgbench on the machine, as the workers' user, with as many clients as wrk has connections. */
export async function pgbench(machine: Machine, folder: string, seconds: number): Promise<Sample> {
  const output = await machine.must(
    `cd ${folder} && runuser -u map-app -- pgbench --no-vacuum --client=${connections} --time=${Math.ceil(seconds)} ` +
      `$(printf -- '--file=%s ' *.sql) --host=/run/postgresql map-app 2>&1`,
  );
  const [, perSecond] = /^tps = ([\d.]+)/m.exec(output) ?? [];
  if (!perSecond) throw new Error(`pgbench printed no result:\n${output}`);
  return { perSecond: Number(perSecond), p99: null, failed: 0 };
}

/** Runs the samplers in turn, in several rounds, so that other load on the host affects all of them equally. @returns the median of each */
export async function inTurn<Name extends string>(
  rounds: number,
  samplers: Record<Name, Sampler>,
): Promise<Record<Name, Sample>> {
  const names = Object.keys(samplers) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) samples[name].push(await samplers[name]());
  }
  return Object.fromEntries(names.map((name) => [name, middle(samples[name])])) as Record<Name, Sample>;
}

function middle(samples: Sample[]): Sample {
  const p99s = samples.map(({ p99 }) => p99).filter((p99) => p99 !== null);
  return {
    perSecond: median(samples.map(({ perSecond }) => perSecond)),
    p99: p99s.length > 0 ? median(p99s) : null,
    failed: samples.reduce((total, { failed }) => total + failed, 0),
  };
}

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
