import { askOnce } from './ask.ts';
import { domain, type Machine } from '../machine/machine.ts';
import { inTurn, pgbench, wrk, yardstick, type Load, type Sample, type Sampler } from './load.ts';
import { fillPeer } from './features.ts';
import { fileOf, fill, folder, onHost, put, repeat, slowFsync, sql, type Recorded } from './setting.ts';
import { uncachedReads } from './uncached.ts';

/** The extent of a benchmark: numbers of pins, reads to measure, and duration and rounds of each measurement. */
export type Plan = { pins: number[]; reads: string[]; seconds: number; rounds: number };

export type Expectation = { text: string; isMet: boolean };

/** One line of the table. The fields from `ofFile` to `ofPeer` are ratios of requests per second; the peer is pg_featureserv. */
export type Figure = {
  what: string;
  pins: number;
  sample: Sample;
  ofFile?: number;
  ofBare?: number;
  ofPgbench?: number;
  ofPlain?: number;
  ofPeer?: number;
  expected?: Expectation | undefined;
};

/** The Accept-Encoding of a browser. */
const encodings = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
const somewhere = JSON.stringify({ lat: 34.0522, long: -118.2437 });
/** From this number of pins, the list is too long for the cache and is streamed for each request. */
const streamed = 50_000;
const cloudDisk = 1_500;
const mostMemory = 200;

const list = '/api/locations';
export const reads = [
  { what: 'counts', path: '/api/locations/counts', least: 0.45 },
  { what: 'list', path: list, least: 0.8 },
  { what: 'animals', path: '/api/animal_locations', least: 0.8 },
];
const leastUnchanged = 0.45;
const leastInserts = 0.5;

/** Measures everything, starting with this number of pins. Calls `report` for each line of the table. @returns a remark to print below the table */
export async function measure(
  machine: Machine,
  pins: number,
  plan: Plan,
  report: (figure: Figure) => void,
): Promise<string> {
  await fill(machine, pins);
  const remark = await (pins < streamed ? kioskStart(machine, pins) : streamList(machine, pins));
  await readFigures(machine, pins, plan, report);
  if (pins === plan.pins.at(-1)) await uncachedFigures(machine, pins, plan, report);
  await insertFigures(machine, pins, plan, '', report);
  await slowFsync(machine, cloudDisk);
  try {
    await insertFigures(machine, pins, plan, `, with ${cloudDisk / 1000} ms added to each fsync`, report);
  } finally {
    await slowFsync(machine, 0);
  }
  return remark;
}

type Trio = Record<'api' | 'file' | 'bare', Sampler>;

async function readFigures(machine: Machine, pins: number, plan: Plan, report: (figure: Figure) => void) {
  const chosen = reads.filter(({ what }) => plan.reads.includes(what));
  const held = chosen.filter(({ path }) => path !== list || pins < streamed);
  await repeat(machine, [
    ...(await Promise.all(held.map(({ path }) => record(machine, path)))),
    await record(machine, '/api/geocoder', somewhere),
  ]);
  const compare = async (what: string, trio: Trio, least?: number) => {
    const { api, file, bare } = await inTurn(plan.rounds, trio);
    const ofBare = api.perSecond / bare.perSecond;
    const expected =
      least === undefined ? undefined : { text: `${least} of bare Node`, isMet: ofBare >= least };
    report({ what, pins, sample: api, ofFile: api.perSecond / file.perSecond, ofBare, expected });
  };
  const load = (host: string, path: string, options: Partial<Load> = {}) =>
    wrk(machine, { host, path, seconds: plan.seconds, ...options });

  for (const { what, path, least } of held) {
    const trio = {
      api: () => load(domain, path, { headers: encodings }),
      file: () => load(yardstick, fileOf(path)),
      bare: () => load(yardstick, path),
    };
    await compare(`${what}, 200`, trio, least);
  }
  for (const { what, path } of chosen) {
    const alike = held.find((one) => one.path === path)?.path ?? held[0]!.path;
    const ask = async (host: string, of: string): Promise<Sample> => {
      const tag = await tagOf(machine, host, of);
      const sample = await load(host, of, { headers: { ...encodings, 'If-None-Match': tag } });
      // Autovacuum changes the snapshot like a write, and then not all responses were 304. Measures again.
      return tag === (await tagOf(machine, host, of)) ? sample : ask(host, of);
    };
    const trio = {
      api: () => ask(domain, path),
      file: () => ask(yardstick, fileOf(alike)),
      bare: () => ask(yardstick, alike),
    };
    await compare(`${what}, 304`, trio, leastUnchanged);
  }
  const bodies = onHost(machine, `${folder}/bodies`);
  await compare('geocoder', {
    api: () => load(domain, '/api/geocoder', { bodies }),
    file: () => load(yardstick, fileOf('/api/geocoder')),
    bare: () => load(yardstick, '/api/geocoder', { bodies }),
  });
}

/** Without compression, which pg_featureserv does not have. */
async function uncachedFigures(
  machine: Machine,
  pins: number,
  { seconds, rounds }: Plan,
  report: (figure: Figure) => void,
) {
  const hasPeer = await fillPeer(machine);
  const rows = uncachedReads(Number(await sql(machine, 'select min(id) from pin')), pins);
  await repeat(
    machine,
    await Promise.all(rows.map(({ paths: [path] }) => record(machine, path!, undefined, {}))),
  );
  for (const { what, paths, peer, least } of rows) {
    const [path] = paths as [string];
    const several = (name: string, paths: string[]) => put(machine, `${folder}/${name}`, paths.join('\n'));
    const files = { own: several('paths', paths), peer: several('peer-paths', peer ?? []) };
    const samples = await inTurn<string>(rounds, {
      api: () => wrk(machine, { host: domain, path, paths: files.own, seconds }),
      bare: () => wrk(machine, { host: yardstick, path, seconds }),
      ...(hasPeer &&
        peer && { peer: () => wrk(machine, { host: yardstick, path, paths: files.peer, seconds }) }),
    });
    const perSecond = samples['api']!.perSecond;
    const ofPeer = samples['peer'] && perSecond / samples['peer'].perSecond;
    report({
      what: `${what}, not cached`,
      pins,
      sample: samples['api']!,
      ofBare: perSecond / samples['bare']!.perSecond,
      ...(ofPeer !== undefined && {
        ofPeer,
        expected: { text: `${least} of pg_featureserv`, isMet: ofPeer >= least! },
      }),
    });
  }
}

async function insertFigures(
  machine: Machine,
  pins: number,
  { seconds, rounds }: Plan,
  condition: string,
  report: (figure: Figure) => void,
) {
  const bodies = onHost(machine, `${folder}/bodies`);
  await repeat(machine, [await record(machine, list, somewhere)]);
  const { api, file, bare, once, plain } = await inTurn(rounds, {
    api: () => wrk(machine, { host: domain, path: list, bodies, seconds }),
    file: () => wrk(machine, { host: yardstick, path: fileOf(list), seconds }),
    bare: () => wrk(machine, { host: yardstick, path: list, bodies, seconds }),
    once: () => pgbench(machine, `${folder}/once`, seconds),
    plain: () => pgbench(machine, `${folder}/plain`, seconds),
  });
  const ofPgbench = api.perSecond / once.perSecond;
  report({
    what: `insert${condition}`,
    pins,
    sample: api,
    ofFile: api.perSecond / file.perSecond,
    ofBare: api.perSecond / bare.perSecond,
    ofPgbench,
    ofPlain: api.perSecond / plain.perSecond,
    expected: { text: `${leastInserts} of pgbench`, isMet: ofPgbench >= leastInserts },
  });
  report({ what: `  its statement by pgbench${condition}`, pins, sample: once });
  report({ what: `  a plain insert by pgbench${condition}`, pins, sample: plain });
}

/** Measures the bytes, including headers, that a kiosk loads at its start. */
async function kioskStart(machine: Machine, pins: number): Promise<string> {
  const sizes = async (headers: Record<string, string>) => {
    const each = await Promise.all(
      reads.map(({ path }) => askOnce(machine, { host: domain, path, headers })),
    );
    return each.map(({ bytes }) => bytes);
  };
  const [small, large] = [await sizes(encodings), await sizes({})];
  const each = reads.map(({ what }, index) => `${what} ${kilobytes(small[index]!)}`).join(', ');
  const total = (all: number[]) => kilobytes(all.reduce((sum, one) => sum + one, 0));
  return `A kiosk's start with ${grouped(pins)} pins: ${total(small)} on the wire (${each}); ${total(large)} uncompressed.`;
}

/** Loads the streamed list, and measures the peak memory of the workers. */
async function streamList(machine: Machine, pins: number): Promise<string> {
  const workers = "$(systemctl show --property=MainPID --value 'map-app@*')";
  await machine.must(`for process in ${workers}; do echo 5 >/proc/$process/clear_refs; done`);
  const begin = performance.now();
  const { bytes } = await askOnce(machine, { host: domain, path: list, headers: encodings });
  const seconds = (performance.now() - begin) / 1000;
  const peaks = await machine.must(
    `for process in ${workers}; do awk '/^VmHWM:/ { print $2 }' /proc/$process/status; done`,
  );
  const megabytes = Math.max(...peaks.split('\n').map(Number)) / 1024;
  if (!(megabytes > 0)) throw new Error(`The memory of the workers could not be read: ${peaks}`);
  return (
    `The list of ${grouped(pins)} pins: ${kilobytes(bytes)} on the wire in ${seconds.toFixed(0)} s, peak memory of a worker ` +
    `${megabytes.toFixed(0)} MB (expected: under ${mostMemory} MB)${megabytes < mostMemory ? '' : ' MISSED'}.`
  );
}

/** Headers that nginx and Node set themselves. */
const written = new Set([
  'connection',
  'content-length',
  'date',
  'server',
  'transfer-encoding',
  'x-request-id',
]);

async function record(
  machine: Machine,
  path: string,
  body?: string,
  accepted: Record<string, string> = encodings,
): Promise<Recorded> {
  const answer = await askOnce(machine, { host: domain, path, headers: accepted, ...(body && { body }) });
  const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !written.has(name)));
  return { path, headers, body: answer.body.toString('base64') };
}

/** Returns the ETag of a path, for If-None-Match. */
const tagOf = async (machine: Machine, host: string, path: string): Promise<string> =>
  (await askOnce(machine, { host, path, method: 'HEAD', headers: encodings })).headers['etag'] ?? '';

const kilobytes = (bytes: number): string => `${grouped(Math.round(bytes / 1000))} KB`;

export const grouped = (number: number): string => number.toLocaleString('en-US');
