import { request } from 'node:https';
import type { Machine } from '../machine/machine.ts';

/** A response. `bytes`: its size on the wire, without TLS overhead. */
export type Answer = { headers: Record<string, string>; body: Buffer; bytes: number };

export type Asked = {
  host: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  method?: string;
};

/** Sends one request to a site of the machine. Throws unless the status is 200. */
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
        if (response.statusCode !== 200) return reject(new Error(`${path} returned ${response.statusCode}.`));
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
