import { readFileSync } from 'node:fs';
import type { Machine } from '../machine/machine.ts';
import { root, run } from '../run/command.ts';
import { folder, put, sql } from './setting.ts';

/** The path of the collection of pg_featureserv on the domain of the baselines. */
export const peerCollection = '/features/collections/bench.feature';

const service = 'map-app-bench-features.service';

// pg_featureserv has no other option for its socket. The rest is its default, except for the largest page.
const settings = `
[Server]
HttpHost = "127.0.0.1"
HttpPort = 9000
[Paging]
LimitMax = 10000
`;

const unit = `
[Service]
Environment=DATABASE_URL=postgresql:///map-app?host=/run/postgresql&search_path=bench
ExecStart=${folder}/pg_featureserv --config ${folder}/pg_featureserv.toml
User=map-app
StandardOutput=null
StandardError=null`;

/**
 * Installs pg_featureserv with PostGIS on the machine. It reads the same pins from a table of its own, because it needs
 * a column of PostGIS. Its go.mod replaces its driver, pgx 4.1.2, with which it hangs under load.
 * @returns whether it could be built: not without Go and its modules
 */
export async function installPeer(machine: Machine): Promise<boolean> {
  const environment = { CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly' };
  const cwd = `${root}tests/bench/pg_featureserv`;
  const { code } = await run(['go', 'build', '-o', 'bin/', 'tool'], { cwd, environment });
  if (code !== 0) return false;
  await machine.must(
    `apt-get install --yes --quiet --no-install-recommends "postgresql-$(ls /etc/postgresql)-postgis-3"`,
  );
  await sql(machine, 'create extension postgis schema bench');
  put(machine, `${folder}/pg_featureserv.toml`, settings);
  put(machine, `/etc/systemd/system/${service}`, unit);
  put(machine, `${folder}/pg_featureserv`, readFileSync(`${cwd}/bin/pg_featureserv`));
  await machine.must(`chmod +x ${folder}/pg_featureserv`);
  return true;
}

/** Whether pg_featureserv is installed. */
const isInstalled = async (machine: Machine): Promise<boolean> =>
  (await machine.ssh(`test -e /etc/systemd/system/${service}`)).code === 0;

/** Copies the pins to the table of pg_featureserv and starts it, if it is installed. @returns whether it is */
export async function fillPeer(machine: Machine): Promise<boolean> {
  if (!(await isInstalled(machine))) return false;
  await sql(
    machine,
    `set search_path to bench;
     drop table if exists feature;
     create table feature as select id, city, state, country, visited_at as visit_date,
       st_setsrid(st_makepoint(longitude, latitude), 4326)::geometry(point, 4326) as geometry from public.pin;
     alter table feature add primary key (id);
     create index on feature using gist (geometry);
     grant select on feature to "map-app";
     vacuum (analyze) feature;`,
  );
  await machine.must(`systemctl daemon-reload && systemctl restart ${service} && sleep 1`);
  return true;
}
