import { request } from 'node:http';
import { basename, dirname } from 'node:path';
import { text } from 'node:stream/consumers';

const patience = 2_000;

/**
 * Fetches the metrics of all workers from their own sockets, and merges them into one text in the format of Prometheus.
 * The label `worker` is the name of the socket's folder. A worker that does not respond within 2 s is down.
 */
export async function gather(sockets: readonly string[]): Promise<string> {
  const answers = await Promise.all(
    sockets.map(async (path) => [basename(dirname(path)), await ask(path).catch(() => null)] as const),
  );
  return merge(new Map(answers));
}

function ask(socketPath: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request(
    { socketPath, path: '/metrics', agent: false, signal: AbortSignal.timeout(patience) },
    (response) => {
      if (response.statusCode === 200) text(response).then(resolve, reject);
      else reject(new Error(`status ${response.statusCode}`));
    },
  )
    .on('error', reject)
    .end();
  return promise;
}

type Family = { head: string; samples: string[] };

/**
 * Merges the families of metrics, as the format requires each of them only once. Null stands for a worker that is down.
 */
export function merge(answers: ReadonlyMap<string, string | null>): string {
  const up = [...answers].map(
    ([worker, text]) => `map_app_worker_up{worker="${worker}"} ${text === null ? 0 : 1}`,
  );
  const head = '# HELP map_app_worker_up Whether a worker responds.\n# TYPE map_app_worker_up gauge';
  const families = new Map<string, Family>([['map_app_worker_up', { head, samples: up }]]);
  for (const [worker, text] of answers) {
    for (const block of text?.trim().split('\n\n') ?? []) {
      const [help = '', type = '', ...samples] = block.split('\n');
      const name = type.split(' ')[2] ?? '';
      const family = families.get(name) ?? { head: `${help}\n${type}`, samples: [] };
      families.set(name, family);
      family.samples.push(...samples.map((sample) => labelled(sample, worker)));
    }
  }
  return [...families.values()].map(({ head, samples }) => `${[head, ...samples].join('\n')}\n`).join('\n');
}

/** Adds a label to a sample, `name{label="…"} value` or `name value`. */
function labelled(sample: string, worker: string): string {
  return sample.replace(/^(\w+)(?:\{| )/, (start, name: string) =>
    start.endsWith('{') ? `${name}{worker="${worker}",` : `${name}{worker="${worker}"} `,
  );
}
