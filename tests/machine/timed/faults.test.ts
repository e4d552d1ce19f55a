import { expect } from 'chai';
import { runLoad } from '../../load.ts';
import { admitLoad } from '../loaded.ts';
import { ask, domain, eventually, provisionedMachine, psql, type Machine } from '../machine.ts';

/** Main process and number of restarts of each unit. They change when a unit restarts. */
const processes = (machine: Machine, ...units: string[]) =>
  machine.must(`systemctl show --property=Id,MainPID,NRestarts ${units.join(' ')}`);

const workers = ['map-app@1', 'map-app@2'];

describe('The journal and /readyz report', () => {
  let machine: Machine;
  let since: string;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  beforeEach('save the time', async () => {
    since = await machine.must("date '+%Y-%m-%d %H:%M:%S'");
  });

  const journal = () =>
    machine.must(`journalctl --no-pager --output=cat --since='${since}' --unit='map-app@*' --unit=map-app`);

  /** Waits until the journal, which is written asynchronously, matches. */
  const logged = (fault: RegExp) => eventually(15, async () => expect(await journal()).to.match(fault));

  async function named(fault: RegExp) {
    await eventually(60, async () => {
      const ready = await ask(machine, '/readyz');
      expect(ready.status).to.equal(503);
      expect((JSON.parse(ready.body) as { message: string }).message).to.match(fault);
    });
    await logged(fault);
    expect((await ask(machine, '/healthz')).status, '/healthz').to.equal(200);
    expect((await ask(machine, '/api/locations/counts')).status).to.equal(503);
  }

  async function recovered() {
    await eventually(60, async () => {
      expect((await ask(machine, '/readyz')).status).to.equal(200);
      expect((await ask(machine, '/api/locations/counts')).status).to.equal(200);
    });
  }

  it('a stopped database: requests fail with 503 immediately, timers fail, and the site recovers within 1.5 s', async () => {
    const before = await processes(machine, ...workers);
    await machine.must("systemctl stop 'postgresql@*.service'");
    try {
      await named(/database.*(down|unreachable|not (reachable|running)|cannot be reached)/i);
      const begin = performance.now();
      for (let turn = 0; turn < 10; turn += 1) {
        const pin = await ask(machine, '/api/locations', { body: { lat: 39.74, long: -104.99 } });
        expect(pin.status).to.equal(503);
      }
      expect((performance.now() - begin) / 10, 'milliseconds per response').to.be.below(500);
      await machine.must("sed -i '$ a RETENTION_DAYS=99999' /etc/map-app/map-app.env");
      expect((await machine.ssh('systemctl start map-app-retention.service')).code).not.to.equal(0);
      expect(await machine.must('systemctl --failed --plain --no-legend')).to.match(/^map-app-retention/);
    } finally {
      // The time of PostgreSQL's own start does not count.
      await machine.must('systemctl restart postgresql && until pg_isready --quiet; do sleep 0.1; done');
    }
    await eventually(1.5, async () => {
      for (let turn = 0; turn < 4; turn += 1) expect((await ask(machine, '/readyz')).status).to.equal(200);
    });
    await recovered();
    await machine.must(
      "systemctl start map-app-retention.service && sed -i '/^RETENTION_DAYS=99999$/d' /etc/map-app/map-app.env",
    );
    expect(await processes(machine, ...workers), 'no worker has restarted').to.equal(before);
  });

  it('a database that rejects the role', async () => {
    await psql(
      machine,
      'alter role "map-app" nologin; select pg_terminate_backend(pid) from pg_stat_activity where usename = \'map-app\'',
    );
    try {
      await named(/rejects the role of this service/);
    } finally {
      await psql(machine, 'alter role "map-app" login');
    }
    await recovered();
  });

  it('an invalid configuration: the start fails, and the error names the variable', async () => {
    const file = '/etc/map-app/map-app.env';
    await machine.must(
      `cp --preserve ${file} /root/kept.env && echo 'CORS_ORIGINS=no-origin-at-all' >> ${file}`,
    );
    try {
      expect((await machine.ssh('systemctl restart map-app')).code).not.to.equal(0);
      await logged(/map_app_cors_origins must be/);
      expect(await journal(), 'the value, which may be a secret').not.to.contain('no-origin-at-all');
    } finally {
      await machine.must(
        `cp --preserve /root/kept.env ${file} && rm /root/kept.env && systemctl restart map-app`,
      );
    }
    await recovered();
  });
});

describe('A full disk', () => {
  let machine: Machine;
  const units = [...workers, 'postgresql@17-main'];
  const pin = () => ask(machine, '/api/locations', { body: { lat: 39.74, long: -104.99 } });
  const megabytesLeft = async () =>
    Number(await machine.must('df --block-size=1M --output=avail /var/lib/postgresql | tail -n 1'));

  /** Expects this status of all workers. Each worker checks the disk itself, so this sends several requests. */
  const allAnswer = async (status: number) => {
    for (let turn = 0; turn < 10; turn += 1) expect((await pin()).status).to.equal(status);
  };

  before('move the database to a file system with 200 MB of free space', async () => {
    machine = await provisionedMachine();
    await admitLoad(machine);
    await machine.must(`set -e
      systemctl stop postgresql@17-main
      mkdir /root/small
      mount -t tmpfs -o size=$(($(du --summarize --block-size=1M /var/lib/postgresql | cut -f 1) + 200))m none /root/small
      cp --archive /var/lib/postgresql/. /root/small
      chown postgres: /root/small && chmod 755 /root/small
      mount --bind /root/small /var/lib/postgresql
      systemctl start postgresql@17-main
      cp --preserve /etc/map-app/map-app.env /root/kept.env
      sed -i s/^DISK_RESERVE=.*/DISK_RESERVE=100/ /etc/map-app/map-app.env
      systemctl reload map-app`);
    expect(await megabytesLeft()).to.be.within(150, 205);
  });

  after('move it back', async () => {
    await machine.must(`set -e
      systemctl stop postgresql@17-main
      umount /var/lib/postgresql
      umount /root/small
      rmdir /root/small
      cp --preserve /root/kept.env /etc/map-app/map-app.env && rm /root/kept.env
      systemctl start postgresql@17-main
      systemctl reload map-app`);
  });

  it('stops writes before PostgreSQL runs out of space, while reads continue, and allows writes again when there is space', async () => {
    const before = await processes(machine, ...units);
    const since = await machine.must("date '+%Y-%m-%d %H:%M:%S'");
    const rows = Number(await psql(machine, 'select count(*) from pin'));
    const end = new AbortController();
    const load = runLoad({
      address: machine.address,
      domain,
      readers: 4,
      writers: 2,
      seconds: 600,
      until: end.signal,
    });
    try {
      await eventually(30, async () => expect((await pin()).status).to.equal(200));
      // In small steps, while visitors write.
      for (let part = 0; (await megabytesLeft()) > 85; part += 1)
        await machine.must(`fallocate --length 8M /var/lib/postgresql/filler.${part}`);
      await eventually(30, () => allAnswer(503));
      for (let turn = 0; turn < 10; turn += 1) {
        const refused = await pin();
        expect(refused.status).to.equal(503);
        expect(refused.headers).to.include.keys('retry-after');
        expect(refused.body).to.match(/Nothing can be stored/);
        for (const path of ['/api/locations/counts', '/api/locations', '/api/animal_locations', '/readyz'])
          expect((await ask(machine, path)).status, path).to.equal(200);
      }
      expect((await ask(machine, '/readyz')).body)
        .to.match(/Nothing can be stored/)
        .and.not.match(/\/var|MB/);
      const own = await machine.must(`python3 -c '${askWorker}'`);
      expect(own).to.match(/map_app_disk_reserve/);
      const migrated = await machine.ssh('map-app migrate');
      expect(migrated.output).to.match(/^The disk of .* Nothing was changed\.$/m);
      expect(migrated.code).to.equal(1);
      // PostgreSQL's own maintenance still works. It may also free space, by removing archived WAL.
      for (const own of ['vacuum pin', 'checkpoint']) await psql(machine, own);
      await machine.must('rm /var/lib/postgresql/filler.*');
      await eventually(30, () => allAnswer(200));
    } finally {
      end.abort();
    }
    const report = await load;
    expect(Object.keys(report.failures)).to.deep.equal(['POST /api/locations: status 503']);
    expect(report.failedReads).to.equal(0);
    expect(await processes(machine, ...units), 'no unit has restarted').to.equal(before);
    expect(
      await machine.must('journalctl --no-pager --unit=postgresql@17-main | grep -c PANIC || true'),
    ).to.equal('0');
    const logged = await machine.must(
      `journalctl --no-pager --output=cat --since='${since}' --unit='map-app@*' | grep --count -e 'nothing is stored any more' -e 'storing again'`,
    );
    expect(Number(logged), 'one line per change and worker').to.equal(4);
    const added = Number(await psql(machine, 'select count(*) from pin')) - rows;
    expect(added)
      .to.be.at.least(report.acknowledgedWrites)
      .and.at.most(report.acknowledgedWrites + 100);
  });
});

// No single quotes, because the shell command quotes it with them.
const askWorker = `
import http.client, socket
connection = http.client.HTTPConnection("localhost")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect("/run/map-app-1/worker.sock")
connection.request("GET", "/readyz")
print(connection.getresponse().read().decode())
`;
