import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { admitLoad, expectNothingLost, light, steady, whileLoaded } from '../loaded.ts';
import { eventually, provisionedMachine, psql, type Machine } from '../machine.ts';
import { explain, type Run } from '../playbook.ts';
import { makeVariant, type Kind, type Variant } from '../variant.ts';
import { taskName } from '../task-name.ts';

// Each round interrupts service five times. For benchmarks, set more rounds: DEPLOY_ROUNDS=20.
const rounds = Number(process.env['DEPLOY_ROUNDS'] ?? 3);

describe('A deploy', () => {
  let machine: Machine;

  before('provision the machine, without rate limits', async () => {
    machine = await provisionedMachine();
    await admitLoad(machine);
  });

  const deploy = (variant: Variant, vars: Record<string, unknown> = {}) =>
    machine.play({ playbook: 'playbooks/deploy.yml', vars: { map_app_dist: variant.dist, ...vars } });

  const rollback = (vars: Record<string, unknown> = {}, ...more: string[]) =>
    machine.play({ playbook: 'playbooks/rollback.yml', vars, arguments: more });

  function succeeded(run: Run): Run {
    expect(run.code, explain(run)).to.equal(0);
    return run;
  }

  /** Deploys a release without faults. */
  async function deploySound(): Promise<Variant> {
    const variant = await makeVariant();
    succeeded(await deploy(variant));
    return variant;
  }

  const current = async () => (await machine.must('readlink /opt/map-app/current')).replace('releases/', '');

  /** The releases of the two workers, from their unit status. */
  const serving = async () =>
    (await machine.must("systemctl show --property=StatusText --value 'map-app@*.service'"))
      .split(/\n+/)
      .map((status) => status.replace('Serving, release ', ''));

  async function serves(version: string) {
    expect(await current()).to.equal(version);
    await eventually(60, async () => expect(await serving()).to.deep.equal([version, version]));
  }

  /** The last lines of the audit log. */
  const audited = async (lines: number) =>
    (await machine.must(`tail --lines=${lines} /var/log/map-app-audit.jsonl`))
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  describe(`under load, ${rounds} times, with a rollback, a reload, a restart and a reload of nginx`, () => {
    it('loses no request', async () => {
      const times: string[] = [];
      expectNothingLost(
        await whileLoaded(machine, steady, async () => {
          for (let round = 0; round < rounds; round += 1) {
            const before = await current();
            const variant = await makeVariant();
            const deployed = succeeded(await deploy(variant));
            await serves(variant.version);
            for (const command of ['reload map-app', 'restart map-app', 'reload nginx'])
              await machine.must(`systemctl ${command}`);
            const back = succeeded(await rollback());
            await serves(before);
            times.push(`deploy ${deployed.seconds.toFixed(1)} s, rollback ${back.seconds.toFixed(1)} s`);
          }
        }),
      );
      process.stdout.write(times.map((line) => `     ${line}\n`).join(''));
    });

    it('and the rollback are in the audit log, with the operator and the previous release', async () => {
      const [deployed, back] = await audited(2);
      expect(deployed).to.include({ action: 'deploy', outcome: 'good', before: await current() });
      expect(deployed?.['who']).to.match(/^\w+@\S+$/);
      expect(back).to.include({
        action: 'rollback',
        outcome: 'good',
        release: await current(),
        before: deployed?.['release'],
      });
      expect(
        await machine.must(
          `journalctl --output=cat --output-fields=MESSAGE MAP_APP_OUTCOME=good MAP_APP_RELEASE=${String(deployed?.['release'])}`,
        ),
      ).to.match(/^deploy by /m);
    });
  });

  // For each fault: the step that detects it, and the reason in the error message.
  const broken: { kind: Kind; step: RegExp; reason: RegExp; loses?: RegExp }[] = [
    { kind: 'refuses its configuration', step: /check that it starts/, reason: /WANTED is required/ },
    {
      kind: 'has a migration that fails',
      step: /migrate/,
      reason: /has-a-migration-that-fails failed .*division by zero/,
    },
    { kind: 'has a migration that waits for a lock', step: /migrate/, reason: /locked its tables/ },
    { kind: 'does not start', step: /start a trial worker/, reason: /broken on purpose/ },
    {
      kind: 'is never ready',
      step: /start a trial worker/,
      reason: /does not become ready.*broken on purpose/,
    },
    { kind: 'is ready and fails', step: /start a trial worker/, reason: /\/api\/questions returns 500/ },
    {
      kind: 'fails late',
      step: /restart map-app@1/,
      reason: /returns 500|visitor requests failed/,
      loses: /status 500$/,
    },
    { kind: 'hangs', step: /restart map-app@1/, reason: /returns no complete response|visitor requests/ },
    { kind: 'crashes', step: /restart map-app@1/, reason: /exited|returns no complete response|does not/ },
    { kind: 'leaks', step: /restart map-app@/, reason: /takes \d+ MB of memory/ },
  ];

  describe('under load is rolled back if the release', () => {
    let good: Variant;

    before('deploy a release without faults', async () => {
      good = await deploySound();
    });

    for (const { kind, step, reason, loses } of broken) {
      it(kind, async () => {
        const variant = await makeVariant(kind);
        if (kind.includes('lock')) await holdLock();
        let run: Run | undefined;
        const seen = await whileLoaded(machine, light, async () => (run = await deploy(variant)));
        await machine.ssh('systemctl stop lock-holder');
        expect(run?.code).not.to.equal(0);
        expect(run?.failure?.message, explain(run!)).to.match(reason);
        expect(run?.failure?.message).to.match(new RegExp(`failed to ".*${step.source}`));
        expect(run?.failure?.message).to.match(new RegExp(`${good.version} serves`));
        process.stdout.write(`     rolled back in ${run?.seconds.toFixed(1)} s\n`);
        await serves(good.version);
        if (loses) for (const failure of Object.keys(seen.failures)) expect(failure).to.match(loses);
        else expect(seen.failures).to.deep.equal({});
        expect(seen.rows).to.equal(seen.acknowledgedWrites);
        expect((await audited(1))[0]).to.include({
          action: 'deploy',
          outcome: 'failed',
          release: variant.version,
        });
        const bad = await machine.must(`cat /opt/map-app/releases/${variant.version}/bad`);
        expect(JSON.parse(bad)).to.have.property('step').that.matches(step);
      });
    }

    /** Holds a lock like a long report: it only reads, but blocks `alter table`. PostgreSQL frees it when psql ends. */
    const holdLock = () =>
      machine.must(
        "systemd-run --quiet --unit=lock-holder --uid=postgres --setenv=PGOPTIONS='-c client_connection_check_interval=100' -- psql --dbname=map-app --command='begin; lock table pin in access share mode; select pg_sleep(1200)'; sleep 1",
      );

    it('is bad; a later rollback chooses only good releases', async () => {
      const before = await current();
      const listed = succeeded(await rollback({}, '--check'));
      for (const state of ['good', 'left', 'bad']) expect(listed.output).to.contain(`  ${state} `);
      const bad = (await machine.must('cd /opt/map-app/releases && ls -d */bad')).split('/')[0];
      const refused = await rollback({ release: bad });
      expect(refused.failure?.message).to.match(/is marked bad, so it cannot be the target of a rollback/);
      succeeded(await rollback());
      expect(await current()).not.to.equal(before);
      expect(await machine.must(`ls /opt/map-app/releases/${await current()}`)).to.contain('good');
    });
  });

  it('that fails while the previous release is down too reports both', async () => {
    const before = await current();
    await machine.must("systemctl stop 'postgresql@*.service'");
    try {
      const { failure, output } = await deploy(await makeVariant());
      expect(failure?.message).to.match(
        new RegExp(`${before} is the current release, but visitors are not served: .*database`, 'i'),
      );
      expect(output).to.match(/does not serve visitors \(/);
    } finally {
      await machine.must("systemctl start 'postgresql@17-main.service'");
    }
    await serves(before);
  });

  it('of a bad release by site.yml stops at the first machine', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'map-app-inventory-'));
    const second = join(folder, 'second.yml');
    // A second name for the same machine, whose audit log would show a second attempt.
    writeFileSync(
      second,
      ['web', 'app', 'db'].map((group) => `${group}: { hosts: { second.test: } }\n`).join(''),
    );
    try {
      const bad = await makeVariant('refuses its configuration');
      const run = await machine.play({
        arguments: ['-i', second, '--tags', 'map_app'],
        vars: { map_app_dist: bad.dist },
      });
      expect(run.code, explain(run)).not.to.equal(0);
      const attempts = await machine.must(`grep --count '${bad.version}' /var/log/map-app-audit.jsonl`);
      expect(attempts, explain(run)).to.equal('1');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('restarts the metrics service', async () => {
    const asked = () =>
      machine.must(
        'python3 -c "import urllib.request as u; u.urlopen(\'http://127.0.0.1:9464/metrics\')" && systemctl show --property=InvocationID map-app-metrics',
      );
    const before = await asked();
    await deploySound();
    expect(await asked()).not.to.equal(before);
  });

  it('changes nothing if the release is already running', async () => {
    const variant = await deploySound();
    const unchanged = succeeded(await deploy(variant));
    expect(unchanged.changed).to.deep.equal([]);
    expect(unchanged.output).to.contain(`serves release ${variant.version} as before`);
    process.stdout.write(`     nothing to deploy: ${unchanged.seconds.toFixed(1)} s\n`);
  });

  it('brings the map-app command and its settings up to date, only if they differ', async () => {
    const variant = await deploySound();
    await machine.must('echo >> /usr/local/bin/map-app');
    const vars = { map_app_watch_seconds: 1 };
    expect(succeeded(await deploy(variant, vars)).changed).to.deep.equal([
      taskName('Install the map-app command'),
      taskName('Write the settings of the map-app command'),
    ]);
    expect(succeeded(await deploy(variant, vars)).changed).to.deep.equal([]);
  });

  it('waits for another run with run_lock_wait', async () => {
    const [first, second] = [await makeVariant(), await makeVariant()];
    let started: Promise<Run> | undefined;
    const under = await machine.play({
      playbook: 'playbooks/deploy.yml',
      vars: { map_app_dist: first.dist },
      watch: ({ name }) => {
        if (name === taskName('Take the run lock')) started = deploy(second, { run_lock_wait: 300 });
      },
    });
    succeeded(under);
    expect(succeeded(await started!).output).to.match(/waiting: .* has been running deploy\.yml on/);
    await serves(second.version);
  });

  describe('followed by a rollback', () => {
    let expanding: Variant;

    it('leaves the earlier release running on the later schema, without a migration', async () => {
      const before = await current();
      expanding = await makeVariant('expands the schema');
      succeeded(await deploy(expanding));
      succeeded(await rollback());
      await serves(before);
    });

    it('is not repeated by later runs until there is a newer release', async () => {
      const before = await current();
      const again = succeeded(await deploy(expanding));
      expect(again.changed).to.deep.equal([]);
      expect(again.output).to.contain(`kept because a rollback replaced ${expanding.version}`);
      await serves(before);
    });

    it('cannot be repeated by a rollback if the release does not support the schema', async () => {
      const before = await current();
      await psql(machine, "delete from schema_migration where name like '9%expands%'");
      const refused = await rollback({ release: expanding.version });
      expect(refused.failure?.message).to.match(/schema is not the one this release needs/);
      expect(refused.failure?.message).to.match(/9\w+-expands-the-schema/);
      await serves(before);
    });

    it('lists the releases if the requested one does not exist', async () => {
      const refused = await rollback({ release: '0.0.0-none' });
      expect(refused.failure?.message).to.match(/There is no release 0\.0\.0-none[^]*<- current/);
    });
  });

  // All steps except the last, which is too short to be interrupted.
  const steps = [
    'unpack it',
    'check that it starts',
    'migrate the database',
    'start a trial worker',
    'point current',
    'restart map-app@1',
    'restart map-app@2',
  ];

  describe('killed under load', () => {
    const variants: Variant[] = [];

    // One release per step, so that each deploy executes all steps.
    before('build releases', async () => {
      for (const _ of steps) variants.push(await makeVariant());
    });

    /** Runs Python as soon as the journal reports that the deploy has reached the step. */
    const at = (step: string, python: string) =>
      machine.must(`journalctl --follow --lines=0 --identifier=map-app-audit --output=json | timeout 900 python3 -c '
import json, os, sys
for line in sys.stdin:
    entry = json.loads(line)
    if entry.get("MAP_APP_PHASE", "").startswith("${step}"):
        ${python}
        break'`);

    const killAt = (step: string) => at(step, 'os.kill(int(entry["_PID"]), 9)');

    it('at any step leaves the site running, and the next deploy succeeds', async () => {
      expectNothingLost(
        await whileLoaded(machine, light, async () => {
          for (const [index, step] of steps.entries()) {
            const [killed] = await Promise.all([
              deploy(variants[index]!, { map_app_watch_seconds: 1 }),
              killAt(step),
            ]);
            expect(killed.code, step).not.to.equal(0);
          }
          succeeded(await deploy(variants.at(-1)!, { map_app_watch_seconds: 1 }));
        }),
      );
      await serves(variants.at(-1)!.version);
    });

    it('leaves the site running also at any step of a rollback, and the same rollback then succeeds', async () => {
      const releases = [await deploySound(), await deploySound()];
      const back = (release: string) => rollback({ release, map_app_watch_seconds: 1 });
      expectNothingLost(
        await whileLoaded(machine, light, async () => {
          for (const [index, step] of steps.filter((step) => !/unpack|migrate/.test(step)).entries()) {
            const { version } = releases[index % 2]!;
            const [killed] = await Promise.all([back(version), killAt(step)]);
            expect(killed.code, step).not.to.equal(0);
            succeeded(await back(version));
            await serves(version);
          }
        }),
      );
    });

    it('and followed by a failing deploy is rolled back to the last good release', async () => {
      const before = await current();
      const [killed] = await Promise.all([deploy(await makeVariant()), killAt('restart map-app@2')]);
      expect(killed.code).not.to.equal(0);
      expect(await current()).not.to.equal(before);
      const failed = await deploy(await makeVariant('is ready and fails'));
      expect(failed.failure?.message).to.contain(`${before} serves again`);
      await serves(before);
    });

    it('only on the controller completes on the machine, and the next deploy waits for it', async () => {
      const abandoned = await makeVariant();
      const killed = await machine.play({
        playbook: 'playbooks/deploy.yml',
        vars: { map_app_dist: abandoned.dist },
        watch: ({ name }, signal) => {
          if (name === taskName('Take the run lock'))
            void at('start a trial worker', 'pass').then(() => signal('SIGKILL'));
        },
      });
      expect(killed.code).not.to.equal(0);
      const next = await deploySound();
      await serves(next.version);
    });
  });
});
