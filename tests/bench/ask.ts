import { request } from 'node:https';
import type { Machine } from '../machine/machine.ts';

/** An answer as it came: `bytes` is its size on the wire, without that of TLS. */
export type Answer = { headers: Record<string, string>; body: Buffer; bytes: number };

export type Asked = {
  host: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  method?: string;
};

/** Asks one of the machine's sites once. Throws unless the answer is a 200. */
export function askOnce(
  machine: Machine,
  { host, path, headers = {}, body, method }: Asked,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  request(
    {
      host: machine.address,
      servername: host,
      path,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { Host: host, ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      rejectUnauthorized: false,
      agent: false,
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode !== 200)
          return reject(new Error(`${path} was answered ${response.statusCode}.`));
        const received = Buffer.concat(chunks);
        const head = `HTTP/1.1 200 OK\r\n${response.rawHeaders.join('12')}\r\n\r\n`;
        return resolve({
          headers: response.headers as Record<string, string>,
          body: received,
          bytes: head.length + received.length,
        });
      });
    },
  )
    .on('error', reject)
    .end(body);
  return promise;
}
