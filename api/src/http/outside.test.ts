import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { useService } from '../testing/service.ts';
import { fetchOutside, OutsideTrouble } from './outside.ts';

describe('fetchOutside', () => {
  const service = useService();
  const elsewhere = useService();
  const gone = { url: '' };
  before(async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    gone.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.close();
    await once(server, 'close');
  });
  const get = (path = '/?key=secret', seconds = 5) =>
    fetchOutside(new URL(path, service.url), { seconds, bytes: 1_000 });
  const trouble = async (path?: string, seconds?: number): Promise<string> => {
    const error: unknown = await get(path, seconds).then(
      () => null,
      (failure: unknown) => failure,
    );
    expect(error).to.be.instanceOf(OutsideTrouble);
    expect(String(error)).not.to.include('secret').and.not.to.include('127.0.0.1');
    return (error as Error).message;
  };
  const redirect = (location: string) => {
    service.answer = (request, response) => {
      response.writeHead(request.url === '/there' ? 200 : 302, { location }).end('found');
    };
  };

  it('returns the bytes, or null for a 404', async () => {
    service.answer = (_request, response) => response.end('found');
    expect(String(await get())).to.equal('found');
    service.answer = (_request, response) => response.writeHead(404).end('not found');
    expect(await get()).to.equal(null);
  });

  it('follows a redirect to the same host, and to no other', async () => {
    redirect('/there');
    expect(String(await get())).to.equal('found');
    redirect(`${elsewhere.url}/there`);
    expect(await trouble()).to.equal('it redirects to another host');
    expect(elsewhere.asked).to.deep.equal([]);
    redirect('/here');
    expect(await trouble()).to.equal('it redirects too often');
    redirect('http://[');
    expect(await trouble()).to.match(/^it cannot be reached/);
  });

  it('aborts if the body is too large, with or without a Content-Length', async () => {
    service.answer = (_request, response) => response.end(Buffer.alloc(1_001));
    expect(await trouble()).to.equal('the response has more than 1000 bytes');
    service.answer = (_request, response) => {
      const more = setInterval(() => response.write(Buffer.alloc(400)), 10);
      response.on('close', () => clearInterval(more));
    };
    expect(await trouble()).to.equal('the response has more than 1000 bytes');
  });

  it('aborts if the headers or the body take too long', async () => {
    service.answer = () => undefined;
    expect(await trouble('/?key=secret', 0.5)).to.equal('it cannot be reached (no response within 0.5 s)');
    service.answer = (_request, response) => response.write('fou');
    expect(await trouble('/?key=secret', 0.5)).to.match(/^it cannot be reached/);
  });

  it('describes the failure', async () => {
    service.answer = (_request, response) => response.writeHead(401).end('secret');
    expect(await trouble()).to.equal('it returned 401');
    expect(await trouble(`${gone.url}/?key=secret`)).to.equal('it cannot be reached (ECONNREFUSED)');
  });
});
