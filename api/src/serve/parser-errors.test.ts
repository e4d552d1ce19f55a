import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { listen } from './listen.ts';

describe('requests that Node cannot parse', () => {
  let server: Server;
  let answered: ServerResponse[];
  beforeEach(async () => {
    answered = [];
    server = await listen(
      (request, response) => {
        answered.push(response);
        request.resume();
        if (request.url === '/slow') response.write('the first half');
        else response.end('fine');
      },
      { host: '127.0.0.1', port: 0 },
    );
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  const send = async (request: string): Promise<string> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(request);
    return text(socket).catch((error: NodeJS.ErrnoException) => String(error.code));
  };

  for (const [what, request, status, message] of [
    ['a line that is not a request', 'nonsense\r\n\r\n', '400 Bad Request', 'The request is malformed.'],
    [
      'two Content-Length headers',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      '400 Bad Request',
      'The request is malformed.',
    ],
    [
      'headers of 20 KB',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
      'The headers are too large.',
    ],
  ] as const) {
    it(`get a JSON response: ${what}`, async () => {
      const [head = '', body = ''] = (await send(request)).split('\r\n\r\n');
      expect(head.split('\r\n')[0]).to.equal(`HTTP/1.1 ${status}`);
      expect(head).to.include('Content-Type: application/json; charset=utf-8');
      expect(JSON.parse(body)).to.deep.equal({ success: false, message });
      expect(answered).to.deep.equal([]);
    });
  }

  it('add nothing to a response that has begun', async () => {
    const answer = await send(
      'POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n',
    );
    expect(answer).not.to.include('success');
  });

  it('do not affect the next connection', async () => {
    await send('nonsense\r\n\r\n');
    expect(await send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).to.match(/fine/);
  });
});
