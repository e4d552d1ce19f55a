// The baseline of the benchmark: a minimal Node server that repeats recorded responses. Runs on the machine, on an inherited socket.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Recorded } from './setting.ts';

const recorded: Recorded[] = JSON.parse(readFileSync(new URL('recorded.json', import.meta.url), 'utf8'));
const answers = new Map(
  recorded.map(({ path, headers, body }) => [path, { headers, body: Buffer.from(body, 'base64') }]),
);

createServer((request, response) => {
  const { headers, body } = answers.get(request.url ?? '')!;
  const { 'content-type': _, ...kept } = headers;
  if (kept['etag'] !== undefined && request.headers['if-none-match'] === kept['etag']) {
    response.writeHead(304, kept).end();
    return;
  }
  const end = () => response.writeHead(200, { ...headers, 'content-length': body.length }).end(body);
  if (request.method === 'GET') end();
  else request.resume().on('end', end);
}).listen({ fd: 3 }, 4096);
