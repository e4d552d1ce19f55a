import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { expect } from 'chai';
import { run } from '../../run/command.ts';
import { sandboxes } from '../../run/machines.ts';
import { certificate, type Pair } from '../certificate.ts';
import { expectNothingLost, steady, unlimited, whileLoaded } from '../loaded.ts';
import {
  converge,
  domain,
  eventually,
  provisionedMachine,
  restarted,
  sandbox,
  unitStarts,
  type Machine,
} from '../machine.ts';
import { explain, runStatus } from '../playbook.ts';
import { taskName } from '../task-name.ts';

const alias = 'www.map-app.test';
/** The only roles that use the variables of these tests. */
const tags = ['--tags', 'certificates,nginx'];

/** Returns the certificate that the machine serves. With `ca`, throws if it does not chain to that root or does not match the name. */
function served(machine: Machine, ca?: string, servername = domain): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
    const socket = connect({ host: machine.address, port: 443, servername, ...trust }, () => {
      resolve(socket.getPeerCertificate());
      socket.end();
    });
    socket.on('error', reject);
  });
}

/** A certificate authority: its ACME directory, its management URL for tests, and its root certificate as a file and in PEM. */
type Authority = { directory: string; management: string; root: string; ca: string };

const folder = (machine: Machine) => `${sandboxes}/${machine.name}/pebble`;

/** Starts an authority. `days`: lifetime of its certificates; `refused`: percentage of nonces that it rejects. */
async function authority(machine: Machine, days: number, refused = 0): Promise<Authority> {
  await sandbox(machine.name, machine.suite, 'pebble', String(days), String(refused));
  const read = (file: string) => readFileSync(`${folder(machine)}/${days}/${file}`, 'utf8');
  const [directory, management] = read('urls').trim().split('\n');
  return {
    directory: directory!,
    management: management!,
    root: `${folder(machine)}/${days}/root.pem`,
    ca: read('root.pem'),
  };
}

/** The URL of an authority that is unreachable. */
const nowhere = 'https://127.0.0.1:1/dir';

/** The variables that enable ACME with an authority. */
const acme = (directory: string) => ({
  certificates_acme_enabled: true,
  certificates_acme_directory_url: directory,
  certificates_domains: [domain, alias],
  ...unlimited,
});

describe('ACME certificates', () => {
  let machine: Machine;
  /** Makes the authority recommend immediate renewal (ARI), and certbot check it at the next run instead of in six hours. */
  async function advise(of: Authority): Promise<void> {
    const pem = await machine.must('cat /etc/ssl/map-app/live/cert.pem');
    const body = JSON.stringify({
      Certificate: `${pem}\n`,
      ARIResponse: JSON.stringify({
        suggestedWindow: { start: '2020-01-01T00:00:00Z', end: '2020-01-02T00:00:00Z' },
      }),
    });
    const status = await new Promise((resolve, reject) => {
      const ca = readFileSync(`${folder(machine)}/ca.pem`, 'utf8');
      const options = { method: 'POST', ca, headers: { 'User-Agent': 'tests' } };
      const sent = request(`${of.management}/set-renewal-info/`, options, (answer) =>
        resolve(answer.resume().statusCode),
      );
      sent.on('error', reject);
      sent.end(body);
    });
    expect(status).to.equal(200);
    await machine.must("sed -i '/ari_retry_after/d' /etc/letsencrypt/renewal/*.conf");
  }

  const renew = () => machine.must('systemctl start certificates-renew.service');

  before('provision the machine, and point its second domain to it', async () => {
    machine = await provisionedMachine();
    await machine.must(`echo 127.0.0.1 ${alias} >>/etc/hosts`);
  });

  after('remove the second domain', () => machine.must(`sed -i '/ ${alias}$/d' /etc/hosts`));

  describe('from an unreachable authority', () => {
    it('do not make site.yml fail: the machine serves the placeholder and reports it', async () => {
      await authority(machine, 90);
      const result = await machine.play({ vars: acme(nowhere), arguments: tags });
      expect(result.code, explain(result)).to.equal(0);
      expect(result.output).to.match(
        /has no valid certificate, and browsers warn about the one that it shows.*refused/i,
      );
      expect((await served(machine)).subject.CN).to.equal(domain);
      const { code, output } = await runStatus(machine.name);
      expect(code).not.to.equal(0);
      expect(output).to.match(
        /PROBLEM +The authority has not issued a certificate yet: 1 attempt has failed\. The next one is at 20.*refused/,
      );
    });

    const state = '/var/lib/map-app-certificates/*.json';

    it('are requested again by the timer, after 20 minutes and then with exponential backoff', async () => {
      const failures = () =>
        machine.must(
          `python3 -c 'import json, glob; print(json.load(open(glob.glob("${state}")[0]))["failures"])'`,
        );
      expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
      // Before that time, a run by the timer exits immediately.
      await machine.must(
        'systemd-run --quiet --wait --property=Environment=TRIGGER_UNIT=certificates-renew.timer -- sh -c "$(systemctl cat certificates-renew.service | sed -n s/^ExecStart=//p)"',
      );
      expect(await failures()).to.equal('1');
      expect((await machine.ssh('systemctl start certificates-renew.service')).code).not.to.equal(0);
      expect(await failures()).to.equal('2');
      const minutes = await machine.must(
        `python3 -c 'import json, glob; tried = json.load(open(glob.glob("${state}")[0])); print((tried["next"] - tried["at"]) / 60)'`,
      );
      expect(Number(minutes)).to.be.closeTo(40, 0.1);
    });

    it('are not requested while the authority has paused the names, and the status shows the URL to lift the pause', async () => {
      const said =
        'rateLimited :: Your account is temporarily prevented from requesting certificates. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc';
      await machine.must(
        `file=$(echo ${state}); map-app certificate renew $file sh -c 'echo "${said}"; exit 1' || true`,
      );
      const result = await machine.play({ vars: acme(nowhere), arguments: tags });
      expect(result.code, explain(result)).to.equal(0);
      expect(result.changed).not.to.include(taskName('Issue the certificate'));
      expect(result.output).to.match(
        /forbids a request now.*lift the pause at https:\/\/portal\.letsencrypt/,
      );
      expect((await runStatus(machine.name)).output).to.match(
        /PROBLEM +The authority has not issued a certificate yet: it has paused these names.*unpause\?jwt=abc, then sudo systemctl start certificates-renew/,
      );
    });

    it('are issued when it is reachable again', async () => {
      const { directory, ca } = await authority(machine, 90);
      // The unit of the previous run, with the URL of the reachable authority.
      await machine.must(
        `sed -i 's|${nowhere}|${directory}|' /etc/systemd/system/certificates-renew.service && systemctl daemon-reload`,
      );
      await renew();
      await eventually(30, () => served(machine, ca));
    });
  });

  for (const [days, refused] of [
    [90, 0],
    [45, 0],
    [6, 15],
  ] as const) {
    describe(`with a lifetime of ${days} days${refused ? `, from an authority that rejects ${refused} % of the nonces` : ''}`, () => {
      let of: Authority;

      before('start the authority', async () => {
        of = await authority(machine, days, refused);
      });

      it('replace those of another authority in one run, for all domains', async () => {
        const changed = await converge(machine, { vars: acme(of.directory), arguments: tags });
        expect(changed).to.include(taskName('Issue the certificate'));
        for (const name of [domain, alias]) {
          const { valid_from: from, valid_to: to } = await served(machine, of.ca, name);
          expect((Date.parse(to) - Date.parse(from)) / 86_400_000).to.be.closeTo(days, 0.1);
        }
      });

      it('are not renewed by a second run, or by the timer before they are due', async () => {
        const { serialNumber } = await served(machine, of.ca);
        expect(await converge(machine, { vars: acme(of.directory), arguments: tags })).to.deep.equal([]);
        await renew();
        expect((await served(machine, of.ca)).serialNumber).to.equal(serialNumber);
      });

      it('are renewed when the authority recommends it, which only reloads nginx', async () => {
        const before = { serial: (await served(machine)).serialNumber, starts: await unitStarts(machine) };
        await advise(of);
        // If too many nonces are rejected, certbot gives up, so the test retries.
        await eventually(60, renew);
        await eventually(30, async () =>
          expect((await served(machine, of.ca)).serialNumber).not.to.equal(before.serial),
        );
        expect(restarted(before.starts, await unitStarts(machine))).to.deep.equal(['nginx.service']);
      });
    });
  }

  describe('once issued', () => {
    it('are renewed without losing a request', async () => {
      const of = await authority(machine, 6);
      const { serialNumber } = await served(machine);
      await advise(of);
      const seen = await whileLoaded(machine, steady, async () => {
        await eventually(60, renew);
        // nginx's old workers may still accept connections for a moment.
        await eventually(30, async () =>
          expect((await served(machine)).serialNumber).not.to.equal(serialNumber),
        );
      });
      expectNothingLost(seen);
    });

    it('are installed by a hook that passes shellcheck', async () => {
      const root = `${sandboxes}/${machine.name}/root`;
      const { code, output } = await run(['shellcheck', `${root}/usr/local/lib/map-app/certificate-issued`]);
      expect(code, output).to.equal(0);
    });

    it('are renewed by a timer', async () => {
      expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
    });

    it('are requested at times that a reload of systemd does not change', async () => {
      const next = 'systemctl show --property=NextElapseUSecRealtime --value certificates-renew.timer';
      const times = await machine.must(`for turn in 1 2 3; do ${next}; systemctl daemon-reload; done`);
      expect(new Set(times.split('\n')).size, times).to.equal(1);
    });

    it('are replaced by a run of site.yml when they have expired', async () => {
      const of = await authority(machine, 90);
      await converge(machine, { vars: acme(of.directory), arguments: tags });
      const live = '/etc/ssl/map-app/live';
      await machine.must(
        `cd ${live} && openssl req -x509 -key privkey.pem -subj /CN=${domain} -not_before 20200101000000Z -not_after 20200201000000Z -addext subjectAltName=DNS:${domain},DNS:${alias} -out /root/expired.pem && ` +
          'for file in cert fullchain; do cat /root/expired.pem >"$file.pem"; done && rm /root/expired.pem',
      );
      expect((await runStatus(machine.name)).output).to.match(/PROBLEM +nginx does not serve the newest/);
      await machine.must('systemctl reload nginx');
      await eventually(30, async () =>
        expect(Date.parse((await served(machine)).valid_to)).to.be.below(Date.now()),
      );
      expect((await runStatus(machine.name)).output).to.match(/PROBLEM +The certificate has expired/);
      expect(await converge(machine, { vars: acme(of.directory), arguments: tags })).to.include(
        taskName('Issue the certificate'),
      );
      await eventually(30, () => served(machine, of.ca));
    });

    it("comply with Mozilla's intermediate profile according to sslyze", async () => {
      const of = await authority(machine, 90);
      const setup = await run(['scripts/setup', 'sslyze']);
      expect(setup.code, setup.output).to.equal(0);
      const { code, output } = await run([
        'tests/tls/.venv/bin/sslyze',
        '--custom_tls_config=tests/tls/intermediate.json',
        `--certinfo_ca_file=${of.root}`,
        `--sni=${domain}`,
        `${machine.address}:443`,
      ]);
      expect(output).to.contain('OK - Compliant');
      expect(code, output).to.equal(0);
    });

    it('are kept when ACME is disabled', async () => {
      const of = await authority(machine, 90);
      await converge(machine, {
        vars: { ...acme(of.directory), certificates_acme_enabled: false },
        arguments: tags,
      });
      await eventually(30, () => served(machine, of.ca));
      expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
    });

    it('are no longer renewed when the placeholder replaces them', async () => {
      await converge(machine, { arguments: tags });
      expect((await machine.ssh('systemctl is-active certificates-renew.timer')).code).not.to.equal(0);
      expect((await runStatus(machine.name)).output).not.to.contain('has not issued a certificate');
    });
  });
});

describe('An operator-supplied certificate', () => {
  let machine: Machine;
  let first: Pair;
  let second: Pair;
  const folder = mkdtempSync(join(tmpdir(), 'map-app-certificate-'));
  const vars = ({ chain, key }: Pair) => ({ certificates_own_chain: chain, certificates_own_key: key });

  before('provision the machine', async () => {
    machine = await provisionedMachine();
    first = await certificate(folder, { names: [domain] });
    second = await certificate(folder, { names: [alias, domain] });
  });

  after('restore the placeholder', async () => {
    rmSync(folder, { recursive: true });
    await converge(machine, { arguments: tags });
    expect(await machine.must('ls -d /etc/ssl/map-app/own-* 2>/dev/null || echo none')).to.equal('none');
  });

  it('is served with its intermediate, and the ACME timer is off', async () => {
    const result = await machine.play({ vars: vars(first), arguments: [...tags, '-vvv', '--diff'] });
    expect(result.code, explain(result)).to.equal(0);
    expect(result.output).not.to.contain(first.key.split('\n')[1]);
    await eventually(30, () => served(machine, first.root));
    expect((await machine.ssh('systemctl is-active certificates-renew.timer')).code).not.to.equal(0);
  });

  it('is not changed by a second run', async () => {
    expect(await converge(machine, { vars: vars(first), arguments: tags })).to.deep.equal([]);
  });

  it('is replaced by an ACME certificate only once that is issued', async () => {
    await machine.must(`echo 127.0.0.1 ${alias} >>/etc/hosts`);
    try {
      await converge(machine, { vars: acme('https://127.0.0.1:2/dir'), arguments: tags });
      await machine.must('nginx -t');
      await eventually(30, () => served(machine, first.root));
      const { directory, ca } = await authority(machine, 90);
      await converge(machine, { vars: acme(directory), arguments: tags });
      await eventually(30, () => served(machine, ca));
      expect(await machine.must('ls -d /etc/ssl/map-app/own-* 2>/dev/null || echo none')).to.equal('none');
      expect(await converge(machine, { vars: acme(directory), arguments: tags })).to.deep.equal([]);
    } finally {
      await machine.must(`sed -i '/ ${alias}$/d' /etc/hosts`);
      await converge(machine, { vars: vars(first), arguments: tags });
    }
    expect((await machine.ssh('systemctl is-active certificates-renew.timer')).code).not.to.equal(0);
  });

  it('is replaced by another one with a reload of nginx, and its key is removed', async () => {
    const starts = await unitStarts(machine);
    await converge(machine, { vars: vars(second), arguments: tags });
    await eventually(30, () => served(machine, second.root));
    expect(restarted(starts, await unitStarts(machine))).to.deep.equal(['nginx.service']);
    expect((await machine.must('ls -d /etc/ssl/map-app/own-*')).split('\n')).to.have.length(1);
  });
});
