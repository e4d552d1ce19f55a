import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { expect } from 'chai';
import { run } from '../run/command.ts';
import { certificate, type Pair } from './certificate.ts';
import { expectNothingLost, steady, unlimited, whileLoaded } from './loaded.ts';
import {
  converge,
  domain,
  eventually,
  provisionedMachine,
  restarted,
  sandbox,
  unitStarts,
  type Machine,
} from './machine.ts';
import { explain, runStatus } from './playbook.ts';

const alias = 'www.map-app.test';
/** Nothing else of site.yml reads what these tests change. */
const tags = ['--tags', 'certificates,nginx'];

/** The certificate that the machine serves. With `ca` a browser's eye is cast on it: it throws where that root or the name does not fit. */
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

/** A certificate authority: where it is asked, where tests direct it, and its root. */
type Authority = { directory: string; management: string; root: string; ca: string };

const folder = (machine: Machine) => `/var/lib/map-app-sandbox/${machine.name}/pebble`;

/** Starts an authority whose certificates live for so many days, and which refuses so many percent of the nonces. */
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

/** An address at which no authority answers. */
const nowhere = 'https://127.0.0.1:1/dir';

/** What an inventory says to have certificates by an authority. */
const asking = (directory: string) => ({
  certificates_acme_enabled: true,
  certificates_acme_directory_url: directory,
  certificates_domains: [domain, alias],
  ...unlimited,
});

describe('Certificates by ACME, from Pebble', () => {
  let machine: Machine;
  /** Has the authority advise that what is served now be renewed at once, and has certbot hear it: it asks every six hours. */
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

  before('provision it, and let its second name lead to it', async () => {
    machine = await provisionedMachine();
    await machine.must(`echo 127.0.0.1 ${alias} >>/etc/hosts`);
  });

  after('serve the placeholder again', async () => {
    await machine.must(`sed -i '/ ${alias}$/d' /etc/hosts`);
    await converge(machine, { arguments: tags });
  });

  describe('while the authority is out of reach', () => {
    it('do not hold up the machine, which serves the placeholder and says so', async () => {
      await authority(machine, 90);
      const result = await machine.play({ vars: asking(nowhere), arguments: tags });
      expect(result.code, explain(result)).to.equal(0);
      expect(result.output).to.match(/has no valid certificate yet, and browsers warn of it.*refused/i);
      expect((await served(machine)).subject.CN).to.equal(domain);
      const { code, output } = await runStatus(machine.name);
      expect(code).not.to.equal(0);
      expect(output).to.match(
        /PROBLEM +The authority has not issued a certificate yet: 1 tries have failed, and the next one is at 20.*refused/,
      );
    });

    const state = '/var/lib/map-app-certificates/*.json';

    it('are asked for again by the timer, after 20 minutes, and less often the more often it fails', async () => {
      const failures = () => machine.must(`python3 -c 'import json, glob; print(json.load(open(glob.glob("${state}")[0]))["failures"])'`); // prettier-ignore
      expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
      // What the timer starts before that time ends at once.
      await machine.must(
        'systemd-run --quiet --wait --property=Environment=TRIGGER_UNIT=certificates-renew.timer -- sh -c "$(systemctl cat certificates-renew.service | sed -n s/^ExecStart=//p)"',
      );
      expect(await failures()).to.equal('1');
      expect((await machine.ssh('systemctl start certificates-renew.service')).code).not.to.equal(0);
      expect(await failures()).to.equal('2');
      const minutes = await machine.must(`python3 -c 'import json, glob; tried = json.load(open(glob.glob("${state}")[0])); print((tried["next"] - tried["at"]) / 60)'`); // prettier-ignore
      expect(Number(minutes)).to.be.closeTo(40, 0.1);
    });

    it('are not asked for by site.yml either while the authority has paused their names, and the status says where to lift it', async () => {
      const said =
        'rateLimited :: Your account is temporarily prevented from requesting certificates. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc';
      await machine.must(`file=$(echo ${state}); /usr/local/lib/map-app/renew-certificate $file sh -c 'echo "${said}"; exit 1' || true`); // prettier-ignore
      const result = await machine.play({ vars: asking(nowhere), arguments: tags });
      expect(result.code, explain(result)).to.equal(0);
      expect(result.changed).not.to.include('Issue the certificate');
      expect(result.output).to.match(
        /does not request one now.*lift the pause at https:\/\/portal\.letsencrypt/,
      );
      expect((await runStatus(machine.name)).output).to.match(
        /PROBLEM +The authority has not issued a certificate yet: it has paused these names.*unpause\?jwt=abc, then sudo systemctl start certificates-renew/,
      );
    });

    it('come as soon as it answers', async () => {
      const { directory, ca } = await authority(machine, 90);
      // The unit of the run before, with the address that the run would write: what its next try does.
      await machine.must(
        `sed -i 's|${nowhere}|${directory}|' /etc/systemd/system/certificates-renew.service && systemctl daemon-reload`,
      );
      await renew();
      await eventually(5, () => served(machine, ca));
    });
  });

  for (const [days, refused] of [
    [90, 0],
    [45, 0],
    [6, 15],
  ] as const) {
    describe(`of ${days} days${refused ? `, with ${refused} % of the nonces refused` : ''}`, () => {
      let of: Authority;

      before('start their authority', async () => {
        of = await authority(machine, days, refused);
      });

      it('are issued in one run, because their authority is another one, for all names', async () => {
        const changed = await converge(machine, { vars: asking(of.directory), arguments: tags });
        expect(changed).to.include('Issue the certificate');
        for (const name of [domain, alias]) {
          const { valid_from: from, valid_to: to } = await served(machine, of.ca, name);
          expect((Date.parse(to) - Date.parse(from)) / 86_400_000).to.be.closeTo(days, 0.1);
        }
      });

      it('are left alone by a second run, and by the timer before their time', async () => {
        const { serialNumber } = await served(machine, of.ca);
        expect(await converge(machine, { vars: asking(of.directory), arguments: tags })).to.deep.equal([]);
        await renew();
        expect((await served(machine, of.ca)).serialNumber).to.equal(serialNumber);
      });

      it('are renewed when the authority advises it, by a reload of nginx and nothing else', async () => {
        const before = { serial: (await served(machine)).serialNumber, starts: await unitStarts(machine) };
        await advise(of);
        // Where nonces are refused, certbot may give up, and is asked again.
        await eventually(60, renew);
        await eventually(5, async () =>
          expect((await served(machine, of.ca)).serialNumber).not.to.equal(before.serial),
        );
        expect(restarted(before.starts, await unitStarts(machine))).to.deep.equal(['nginx.service']);
      });
    });
  }

  describe('once they are issued', () => {
    it('lose no request when they are renewed', async () => {
      const of = await authority(machine, 6);
      const { serialNumber } = await served(machine);
      await advise(of);
      const seen = await whileLoaded(machine, steady, async () => {
        await eventually(60, renew);
        // nginx's former processes may still take a connection for a moment.
        await eventually(5, async () =>
          expect((await served(machine)).serialNumber).not.to.equal(serialNumber),
        );
      });
      expectNothingLost(seen);
    });

    it('are renewed by a timer', async () => {
      expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
    });

    it('are issued anew by a run that finds them expired', async () => {
      const of = await authority(machine, 90);
      await converge(machine, { vars: asking(of.directory), arguments: tags });
      const live = '/etc/ssl/map-app/live';
      await machine.must(
        `cd ${live} && openssl req -x509 -key privkey.pem -subj /CN=${domain} -not_before 20200101000000Z -not_after 20200201000000Z -addext subjectAltName=DNS:${domain},DNS:${alias} -out /root/expired.pem && ` +
          'for file in cert fullchain; do cat /root/expired.pem >"$file.pem"; done && rm /root/expired.pem',
      );
      expect((await runStatus(machine.name)).output).to.match(/PROBLEM +nginx does not serve the newest/);
      await machine.must('systemctl reload nginx');
      await eventually(5, async () =>
        expect(Date.parse((await served(machine)).valid_to)).to.be.below(Date.now()),
      );
      expect((await runStatus(machine.name)).output).to.match(/PROBLEM +The certificate has expired/);
      expect(await converge(machine, { vars: asking(of.directory), arguments: tags })).to.include(
        'Issue the certificate',
      );
      await eventually(5, () => served(machine, of.ca));
    });

    it("fit Mozilla's intermediate profile, seen by sslyze", async () => {
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

    it('stay when no more are to be asked for', async () => {
      const of = await authority(machine, 90);
      await converge(machine, {
        vars: { ...asking(of.directory), certificates_acme_enabled: false },
        arguments: tags,
      });
      await eventually(5, () => served(machine, of.ca));
      expect(await machine.must('systemctl is-active certificates-renew.timer')).to.equal('active');
    });

    it('are asked for no more where the placeholder is served in their place', async () => {
      await converge(machine, { arguments: tags });
      expect((await machine.ssh('systemctl is-active certificates-renew.timer')).code).not.to.equal(0);
      expect((await runStatus(machine.name)).output).not.to.contain('has not issued a certificate');
    });
  });
});

describe('A certificate that the operator brings', () => {
  let machine: Machine;
  let first: Pair;
  let second: Pair;
  const folder = mkdtempSync(join(tmpdir(), 'map-app-certificate-'));
  const vars = ({ chain, key }: Pair) => ({ certificates_own_chain: chain, certificates_own_key: key });

  before('provision it', async () => {
    machine = await provisionedMachine();
    first = await certificate(folder, { names: [domain] });
    second = await certificate(folder, { names: [alias, domain] });
  });

  after('serve the placeholder again', async () => {
    rmSync(folder, { recursive: true });
    await converge(machine, { arguments: tags });
    expect(await machine.must('ls -d /etc/ssl/map-app/own-* 2>/dev/null || echo none')).to.equal('none');
  });

  it('is served with its intermediate, and nobody is asked for another', async () => {
    const result = await machine.play({ vars: vars(first), arguments: [...tags, '-vvv', '--diff'] });
    expect(result.code, explain(result)).to.equal(0);
    expect(result.output).not.to.contain(first.key.split('\n')[1]);
    await eventually(5, () => served(machine, first.root));
    expect((await machine.ssh('systemctl is-active certificates-renew.timer')).code).not.to.equal(0);
  });

  it('is left alone by a second run', async () => {
    expect(await converge(machine, { vars: vars(first), arguments: tags })).to.deep.equal([]);
  });

  it('gives way to an authority as soon as that has issued one, and not before', async () => {
    await machine.must(`echo 127.0.0.1 ${alias} >>/etc/hosts`);
    try {
      await converge(machine, { vars: asking('https://127.0.0.1:2/dir'), arguments: tags });
      await machine.must('nginx -t');
      await eventually(5, () => served(machine, first.root));
      const { directory, ca } = await authority(machine, 90);
      await converge(machine, { vars: asking(directory), arguments: tags });
      await eventually(5, () => served(machine, ca));
      expect(await machine.must('ls -d /etc/ssl/map-app/own-* 2>/dev/null || echo none')).to.equal('none');
      expect(await converge(machine, { vars: asking(directory), arguments: tags })).to.deep.equal([]);
    } finally {
      await machine.must(`sed -i '/ ${alias}$/d' /etc/hosts`);
      await converge(machine, { vars: vars(first), arguments: tags });
    }
    expect((await machine.ssh('systemctl is-active certificates-renew.timer')).code).not.to.equal(0);
  });

  it('is replaced by another one, by a reload of nginx and nothing else, and leaves no key behind', async () => {
    const starts = await unitStarts(machine);
    await converge(machine, { vars: vars(second), arguments: tags });
    await eventually(5, () => served(machine, second.root));
    expect(restarted(starts, await unitStarts(machine))).to.deep.equal(['nginx.service']);
    expect((await machine.must('ls -d /etc/ssl/map-app/own-*')).split('\n')).to.have.length(1);
  });
});
