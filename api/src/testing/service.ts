import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A stand-in for a remote service. A test sets its responses and reads the requests it received. */
export type Service = {
  url: string;
  asked: string[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
};

/** Runs the service for the tests of a `describe`. It is reset before every test. */
export function useService(): Service {
  const service: Service = { url: '', asked: [], answer: (_request, response) => response.end() };
  const server = createServer((request, response) => {
    service.asked.push(request.url ?? '');
    service.answer(request, response);
  });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    service.asked.length = 0;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return service;
}
