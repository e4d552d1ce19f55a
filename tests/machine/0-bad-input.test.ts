import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { root, run } from '../run/command.ts';
import { certificate, type Pair } from './certificate.ts';
import { domain, freshMachine, type Machine } from './machine.ts';
import { explain, type Run, type RunOptions } from './playbook.ts';

// On a fresh machine, where a run that went on would change the most.
describe('Bad input stops early, with one sentence, and leaves the machine as it was', () => {
  let machine: Machine;

  before('make a machine', async () => {
    machine = await freshMachine('trixie');
  });

  /** What a run may not change: packages, units, users, and files. Logs, temporary files and caches are not counted. */
  const state = () =>
    machine.must(
      "dpkg-query --show; systemctl list-units --plain --no-legend --state=running --type=service | cut -d' ' -f1 | grep -v -e user -e session; cat /etc/passwd; " +
        "find /etc /opt /usr /srv /home /var -xdev -not -path '/var/log/*' -not -path '/var/tmp/*' -not -path '/var/cache/*' -not -path '/var/lib/systemd/*' -printf '%p %y %m %U %G %T@\\n' | sort",
    );

  async function refused(sentence: RegExp, options: Omit<RunOptions, 'sandbox'> = {}) {
    const before = await state();
    const result = await machine.play(options);
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.failure?.message, explain(result)).to.match(sentence);
    expect(result.changed).to.deep.equal([]);
    expect(await state()).to.equal(before);
  }

  it('an unsupported system', async () => {
    await machine.must("cp /usr/lib/os-release /root/os-release && sed -i 's/trixie/buster/; s/13/10/' /usr/lib/os-release"); // prettier-ignore
    try {
      await refused(/runs Debian .* use one of .*Ubuntu 24\.04/);
    } finally {
      await machine.must('mv /root/os-release /usr/lib/os-release');
    }
  });

  it('a clock far off', async () => {
    // As date tells it: the clock is the host's, too.
    await machine.must(`printf '#!/bin/sh\nexec /usr/bin/date --date=-2hours "$@"\n' >/usr/local/bin/date && chmod +x /usr/local/bin/date`); // prettier-ignore
    try {
      await refused(/clock of map-app\.test is 1[12]\d minutes behind .*: correct .*timedatectl/);
    } finally {
      await machine.must('rm /usr/local/bin/date');
    }
  });

  it('a missing variable', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'map-app-inventory-'));
    try {
      cpSync(`${root}inventory/sandbox`, folder, { recursive: true });
      const file = join(folder, 'group_vars/sandbox/vars.yml');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^map_app_session_key:.*$/m, ''));
      await refused(/map_app_session_key/, { inventory: folder });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('a session key that is none, without showing it', async () => {
    const result = await machine.play({ vars: { map_app_session_key: 'too-short-a-key' } });
    expect(result.code).not.to.equal(0);
    expect(result.failure?.message).to.match(/map_app_session_key must be/);
    expect(result.output).not.to.contain('too-short-a-key');
  });

  it('a misspelt variable', () =>
    refused(
      /nginx_worker_conections is no variable of the role nginx: did you mean nginx_worker_connections\?/,
      {
        vars: { nginx_worker_conections: 100 },
      },
    ));

  it('a variable of a role that has none like it', () =>
    refused(/node_zzz is no variable of the role node: roles\/node\/README\.md lists those there are/, {
      vars: { node_zzz: 1 },
    }));

  it('a variable that has another name now', () =>
    refused(/nginx_names is now called nginx_domains: rename it/, {
      vars: { nginx_names: [], __preflight_renamed: { nginx_names: 'nginx_domains' } },
    }));

  it('a variable of another type than its role takes', () =>
    refused(/nginx_worker_connections.*int/, { vars: { nginx_worker_connections: 'many' } }));

  it('workers that would be none', () =>
    refused(/map_app_workers must be a whole number/, { vars: { map_app_workers: 0 } }));

  it('backups that would be lost with the machine, where nobody said that they may be', () =>
    refused(/backup_repository must be a place for backups off the machine/, {
      vars: { backup_local_only: false },
    }));

  it('a domain that does not point here, where a certificate is to be issued for it', () =>
    refused(/elsewhere\.example points to .*not to .*DNS/, {
      vars: {
        certificates_acme_enabled: true,
        certificates_acme_email: 'operator@map-app.test',
        map_app_domain: 'elsewhere.example',
      },
    }));

  describe('a certificate of the operator', () => {
    const folder = mkdtempSync(join(tmpdir(), 'map-app-certificate-'));
    let good: Pair;

    before('make one', async () => {
      good = await certificate(folder, { names: [domain] });
    });

    after(() => rmSync(folder, { recursive: true }));

    const refusedPair = ({ chain, key }: Pair, sentence: RegExp) =>
      refused(sentence, { vars: { certificates_own_chain: chain, certificates_own_key: key } });

    it('that has expired', async () =>
      refusedPair(
        await certificate(folder, { names: [domain], expired: true }),
        /certificates_own_chain .* cannot be served: the certificate expired on \d/,
      ));

    it('for other names', async () =>
      refusedPair(await certificate(folder, { names: ['elsewhere.example'] }), /lacks map-app\.test/));

    it('with the key of another', async () => {
      const { key } = await certificate(folder, { names: [domain] });
      await refusedPair({ ...good, key }, /the key is that of another certificate/);
    });

    it('with no key, of which nothing is shown', async () => {
      const result = await machine.play({
        vars: { certificates_own_chain: good.chain, certificates_own_key: 'not-a-key' },
      });
      expect(result.failure?.message).to.match(/the key is no private key in PEM/);
      expect(result.output).not.to.contain('not-a-key');
    });

    it('with its intermediates in the wrong order', () => {
      const [leaf, intermediate] = good.chain.split(/(?<=-----END CERTIFICATE-----\n)/);
      return refusedPair(
        { ...good, chain: leaf + good.root + intermediate },
        /CN=leaf is not signed by CN=root, which comes after it/,
      );
    });
  });

  it('a client that is an archive cut short', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'map-app-client-'));
    try {
      const archive = join(folder, 'kiosk.tar.gz');
      writeFileSync(archive, gzipSync(Buffer.alloc(100_000, 'index.html')).subarray(0, 100));
      await refused(/kiosk\.tar\.gz is neither a folder nor a whole \.zip or \.tar archive/, {
        vars: { nginx_clients: [{ domain, src: archive }] },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('a client without a name', () =>
    refused(/nginx_clients must be a list of clients, each with a domain of its own/, {
      vars: { nginx_clients: [{ domain: 'https://map-app.test', src: '/tmp' }] },
    }));

  it('a wrong checksum of Node', () =>
    refused(/sha256 did not match 0+; it was .*correct .*node_checksums/, {
      vars: { node_checksums: { x64: '0'.repeat(64), arm64: '0'.repeat(64) } },
    }));

  it('a port in use', async () => {
    await machine.must('systemd-run --quiet --unit=stranger python3 -m http.server 80');
    try {
      await refused(/ports 80 and 443, which are held by .*python3.*: stop/);
    } finally {
      await machine.must('systemctl stop stranger');
    }
  });

  it('a second run while one is under way', async () => {
    let first: Promise<Run>;
    // The first run is held up with the lock in its hands, and then killed.
    const resume = await new Promise<(name: NodeJS.Signals) => void>((held) => {
      first = machine.play({
        watch: (task, signal) => {
          if (task.name !== 'Take the run lock') return;
          signal('SIGSTOP');
          held(signal);
        },
      });
    });
    try {
      await refused(/ has been running site\.yml on .* since .*: wait for it to end/);
    } finally {
      resume('SIGKILL');
    }
    await first!;
  });

  it('but not the lock of a run that died', async () => {
    const run = await machine.play({ arguments: ['--check'] });
    expect(run.code, explain(run)).to.equal(0);
    expect(run.output).not.to.contain('has been running');
  });
});

describe('The sandbox says in one sentence what it lacks', () => {
  const create = (...before: string[]) =>
    run([...before, 'sandbox/sandbox', 'create'], { environment: { SANDBOX: 'test-refused' } });

  // Without the host's network, either: it sees none of the machines there are, and takes the bridge away from under them.
  it('space for the image', async () => {
    const full =
      'mount -t tmpfs -o size=20m none /var/cache/map-app-sandbox && mount -t tmpfs -o size=20m none /var/lib/map-app-sandbox && exec "$@"';
    const { code, output } = await create('unshare', '--mount', '--net', 'sh', '-c', full, 'sh');
    expect(code).not.to.equal(0);
    expect(output).to.match(/^sandbox: no room for .* MB/m);
  });

  it('the right to make namespaces', async () => {
    const { code, output } = await create('setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin');
    expect(code).not.to.equal(0);
    expect(output).to.match(/^sandbox: .*(inventory|Ubuntu or Debian)/m);
  });
});
