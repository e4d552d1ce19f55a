import { expect } from 'chai';
import { ask, eventually, provisionedMachine, type Machine } from './machine.ts';

describe('A fault is named in the journal and in /readyz', () => {
  let machine: Machine;
  let since: string;

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  beforeEach('look at what is logged from now on', async () => {
    since = await machine.must("date '+%Y-%m-%d %H:%M:%S'");
  });

  const journal = () =>
    machine.must(`journalctl --no-pager --output=cat --since='${since}' --unit='map-app@*' --unit=map-app`);

  async function named(fault: RegExp) {
    await eventually(15, async () => {
      const ready = await ask(machine, '/readyz');
      expect(ready.status).to.equal(503);
      expect((JSON.parse(ready.body) as { message: string }).message).to.match(fault);
    });
    expect(await journal()).to.match(fault);
    expect((await ask(machine, '/healthz')).status, 'it is alive all the same').to.equal(200);
    expect((await ask(machine, '/api/locations/counts')).status).to.equal(503);
  }

  async function recovered() {
    await eventually(15, async () => {
      expect((await ask(machine, '/readyz')).status).to.equal(200);
      expect((await ask(machine, '/api/locations/counts')).status).to.equal(200);
    });
  }

  const psql = (sql: string) =>
    machine.must(`cd / && runuser -u postgres -- psql --quiet --command '${sql}'`);

  it('the database is down', async () => {
    await machine.must("systemctl stop 'postgresql@*.service'");
    try {
      await named(/database.*(down|unreachable|not (reachable|running)|cannot be reached)/i);
    } finally {
      await machine.must('systemctl restart postgresql');
    }
    await recovered();
  });

  it('the database refuses the role', async () => {
    await psql('alter role "map-app" nologin; select pg_terminate_backend(pid) from pg_stat_activity where usename = $$map-app$$'); // prettier-ignore
    try {
      await named(/role.*refuse|refuse.*role|not (allowed|permitted) to log in/i);
    } finally {
      await psql('alter role "map-app" login');
    }
    await recovered();
  });

  it('the configuration is broken: the start fails and names the variable', async () => {
    const file = '/etc/map-app/map-app.env';
    await machine.must(
      `cp --preserve ${file} /root/kept.env && echo 'CORS_ORIGINS=no-origin-at-all' >> ${file}`,
    );
    try {
      expect((await machine.ssh('systemctl restart map-app')).code).not.to.equal(0);
      const lines = await journal();
      expect(lines).to.match(/CORS_ORIGINS/);
      expect(lines, 'a value may be a secret').not.to.contain('no-origin-at-all');
    } finally {
      await machine.must(
        `cp --preserve /root/kept.env ${file} && rm /root/kept.env && systemctl restart map-app`,
      );
    }
    await recovered();
  });
});
