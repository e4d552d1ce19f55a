import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { installPackages, root, run } from '../run/command.ts';
import { sandboxes } from '../run/machines.ts';
import { untilReady, type Machine } from '../machine/machine.ts';
import { yardstick } from './load.ts';
import { addOnce, addPlainly } from './scripts.ts';
import { placesToCopy, skew, someSpots } from './places.ts';

/** The benchmark's folder on the machine. */
export const folder = '/opt/map-app-bench';

/** A recorded response of the API, which the baselines repeat. `body` is base64. */
export type Recorded = { path: string; headers: Record<string, string>; body: string };

export const sql = (machine: Machine, statement: string): Promise<string> =>
  machine.must(
    `cd / && runuser -u postgres -- psql --no-align --tuples-only --quiet --set=ON_ERROR_STOP=1 map-app <<'END'\n${statement}\nEND`,
  );

/** Returns the path on this host of a file on the machine. */
export const onHost = ({ name }: Machine, path: string): string => `${sandboxes}/${name}/root${path}`;

/** Writes a file to the machine, whose root is a folder on this host. @returns its path on this host */
export function put(machine: Machine, path: string, content: string | Uint8Array): string {
  const file = onHost(machine, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

const units = {
  'map-app-bench.socket': `
[Socket]
ListenStream=/run/map-app-bench.sock
SocketGroup=www-data
SocketMode=0660
Backlog=4096
Service=map-app-bench@1.service
RemoveOnStop=yes`,
  'map-app-bench@.service': `
[Service]
ExecStart=/opt/node/current/bin/node ${folder}/bare.ts
Sockets=map-app-bench.socket
User=map-app`,
};

// The same TLS settings, log and headers as the site.
const site = `
upstream map-app-bench {
    server unix:/run/map-app-bench.sock max_fails=0;
    server unix:/run/map-app-bench.sock max_fails=0;
}
server {
    listen 443 ssl;
    server_name ${yardstick};
    ssl_certificate /etc/ssl/map-app/live/fullchain.pem;
    ssl_certificate_key /etc/ssl/map-app/live/privkey.pem;
    access_log /var/log/nginx/access.log map-app;
    add_header X-Request-Id $request_id always;
    location /file/ {
        alias ${folder}/file/;
        default_type application/json;
    }
    location /features/ {
        proxy_pass http://127.0.0.1:9000/;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
    location / {
        proxy_pass http://map-app-bench;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-Id $request_id;
        proxy_set_header Idempotency-Key $request_id;
    }
}
`;

/** Installs the baselines on the machine. */
export async function prepare(machine: Machine): Promise<void> {
  if (!(await installPackages(['wrk', 'gcc', 'libc6-dev']))) {
    throw new Error('wrk and gcc are missing, and only root can install them.');
  }
  for (const [name, text] of Object.entries(units)) put(machine, `/etc/systemd/system/${name}`, text);
  put(machine, `${folder}/bare.ts`, readFileSync(`${root}tests/bench/bare.ts`));
  put(machine, '/etc/nginx/sites-enabled/map-app-bench', site);
  put(machine, `${folder}/places.tsv`, await placesToCopy());
  await sql(machine, tables);

  const spots = await someSpots(100);
  for (const [number, spot] of spots.entries()) {
    put(machine, `${folder}/once/${number}.sql`, addOnce(spot));
    put(machine, `${folder}/plain/${number}.sql`, addPlainly(spot));
  }
  const bodies = spots.map(({ latitude, longitude }) => JSON.stringify({ lat: latitude, long: longitude }));
  put(machine, `${folder}/bodies`, bodies.join('\n'));
}

const tables = `
  drop schema if exists bench cascade;
  create schema bench;
  create table bench.place (number integer primary key, latitude float8, longitude float8, country text, state text, city text);
  copy bench.place from '${folder}/places.tsv';
  create table bench.pin (like public.pin including all);
  grant usage on schema bench to "map-app";
  grant all on bench.pin to "map-app";
  insert into picture (sha256, media_type, bytes)
    select 'bench ' || n, 'image/jpeg', (select string_agg(sha256(int8send(n * 1000 + part)), '') from generate_series(1, 470) as part)
    from generate_series(1, 60) as n on conflict do nothing;
  insert into animal (latitude, longitude, name, location_name, placement_year, type, picture_id)
    select 33 + n / 100.0, -118, 'Animal ' || n, 'Beach ' || n, 2000 + n % 20, 'California sea lion', id
    from generate_series(1, 60) as n join picture on sha256 = 'bench ' || n on conflict do nothing;`;

/** Replaces all pins with this number of pins from places of the gazetteer. */
export async function fill(machine: Machine, pins: number): Promise<void> {
  await sql(
    machine,
    `truncate public.pin, idempotency, bench.pin cascade;
     select setseed(0.5) \\g /dev/null
     insert into public.pin (latitude, longitude, country, state, city, visited_at)
       select latitude + (random() - 0.5) / 50, longitude + (random() - 0.5) / 50, country, state, city, now() - n * interval '30 seconds'
       from (select n, floor((select count(*) from bench.place) * random() ^ ${skew})::integer as number from generate_series(1, ${pins}) as n) as visit
       join bench.place using (number);
     vacuum (analyze) public.pin;
     vacuum (analyze) pin_tally;
     checkpoint;`,
  );
}

/**
 * Makes the bare server and nginx's files repeat the recorded responses. Waits until nginx's old workers have exited, because they would close
 * connections of the next measurement. The brackets in the pattern prevent pgrep from matching its own shell.
 */
export async function repeat(machine: Machine, recorded: Recorded[]): Promise<void> {
  put(machine, `${folder}/recorded.json`, JSON.stringify(recorded));
  for (const { path, body } of recorded) put(machine, folder + fileOf(path), Buffer.from(body, 'base64'));
  await machine.must(
    `systemctl daemon-reload && systemctl stop 'map-app-bench@*' map-app-bench.socket && systemctl restart map-app-bench.socket &&
     systemctl restart map-app-bench@1 map-app-bench@2 && systemctl reload nginx && sleep 0.5 &&
     timeout 20 sh -c 'while pgrep --full "[n]ginx: worker process is shutting down" >/dev/null; do sleep 0.1; done'`,
  );
}

/** Returns the path at which nginx serves a recorded response from a file. */
export const fileOf = (path: string): string => `/file/${path.split('/').at(-1)}`;

/** Restarts PostgreSQL with this delay in microseconds added to each fsync; 0 removes the delay. */
export async function slowFsync(machine: Machine, microseconds: number): Promise<void> {
  const unit = (await machine.must("systemctl list-units --plain --no-legend 'postgresql@*'")).split(' ')[0]!;
  const settings = `/etc/systemd/system/${unit}.d/map-app-bench.conf`;
  if (microseconds > 0) {
    const library = put(machine, `${folder}/slow-fsync.so`, '');
    const { code, output } = await run([
      'gcc',
      '-shared',
      '-fPIC',
      '-O2',
      '-o',
      library,
      'tests/bench/slow-fsync.c',
      '-ldl',
    ]);
    if (code !== 0) throw new Error(output);
    put(
      machine,
      settings,
      `[Service]\nEnvironment=LD_PRELOAD=${folder}/slow-fsync.so FSYNC_MORE_US=${microseconds}\n`,
    );
  }
  await machine.must(
    `${microseconds > 0 ? '' : `rm -f ${settings} && `}systemctl daemon-reload && systemctl restart ${unit}`,
  );
  await untilReady(machine, 20);
}

/** Removes the baselines and all pins. */
export async function clear(machine: Machine): Promise<void> {
  await machine.must(
    `systemctl stop map-app-bench.socket 'map-app-bench@*' 'map-app-bench-features*'
     rm -rf ${folder} /etc/nginx/sites-enabled/map-app-bench /etc/systemd/system/map-app-bench* && systemctl daemon-reload && systemctl reload nginx`,
  );
  await sql(
    machine,
    `drop schema bench cascade; truncate public.pin, idempotency cascade;
     delete from animal where picture_id in (select id from picture where sha256 like 'bench %'); delete from picture where sha256 like 'bench %'`,
  );
}
