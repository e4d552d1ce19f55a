import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** A proxy between the API and a PostgreSQL server that tests can cut and restore. */
export type Proxy = { url: string; cut(): void; mend(): Promise<void>; close(): void };

/** Starts a proxy in `folder` for the server on the unix socket in `url`. */
export async function proxyTo(url: string, folder: string): Promise<Proxy> {
  const target = new URL(url.replace('@/', '@localhost/')).searchParams.get('host');
  const path = `${folder}/.s.PGSQL.5432`;
  const pairs = new Set<Socket>();
  let server: Server;
  const mend = async () => {
    server = createServer((near) => {
      const far = connect(`${target}/.s.PGSQL.5432`);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        pairs.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => pairs.delete(one));
      }
    }).listen(path);
    await once(server, 'listening');
  };
  const cut = () => {
    server.close();
    rmSync(path, { force: true });
    for (const socket of pairs) socket.destroy();
  };
  await mend();
  return { url: url.replace(/host=[^&]+/, `host=${folder}`), cut, mend, close: cut };
}
