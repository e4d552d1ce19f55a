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

  /** Expects a run to stop at its checks, with this sentence. */
  async function stopped(sentence: RegExp, options: Omit<RunOptions, 'sandbox'> = {}) {
    const result = await machine.play(options);
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.failure?.message, explain(result)).to.match(sentence);
    expect(result.changed).to.deep.equal([]);
  }

  /** The same, and that nothing is changed: on a machine on which nothing runs that writes by itself. */
  async function refused(sentence: RegExp, options: Omit<RunOptions, 'sandbox'> = {}) {
    const before = await state();
    await stopped(sentence, options);
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

  it('the domain of the example, and more workers than the machine can use', () =>
    refused(
      /map_app_domain must be the name of your own site[^]*map_app_workers must be a whole number from 1 to \d+, as/,
      { vars: { map_app_domain: 'map.example.org', map_app_workers: 40 } },
    ));

  it('a domain that leads elsewhere, also without a certificate', async () => {
    await machine.must("echo '192.0.2.1 elsewhere.test' >>/etc/hosts");
    await refused(
      /elsewhere\.test points to 192\.0\.2\.1, not to map-app\.test .*preflight_public_addresses/,
      {
        vars: { map_app_domain: 'elsewhere.test' },
      },
    );
  });

  it('a single role on a machine that has not been set up', () =>
    refused(/site\.yml has not completed on map-app\.test yet.*without --tags/, {
      arguments: ['--tags', 'nginx'],
    }));

  it('a mirror of Node whose name cannot be resolved', () =>
    refused(/the name mirror\.invalid cannot be resolved there/, {
      vars: { node_mirror: 'http://mirror.invalid' },
    }));

  it('a Python that is too old', async () => {
    await machine.must("printf '#!/bin/sh\necho python 3.9\n' >/usr/local/bin/python3 && chmod +x /usr/local/bin/python3"); // prettier-ignore
    try {
      await refused(/map-app\.test has Python 3\.9, but 3\.11 or later is needed/);
    } finally {
      await machine.must('rm /usr/local/bin/python3');
    }
  });

  it('a host key that the controller does not know yet', async () => {
    const result = await machine.play({
      strategy: 'linear',
      vars: { ansible_host_key_checking: true, ansible_ssh_common_args: '-o UserKnownHostsFile=/nowhere' },
    });
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.output).to.match(/has not recorded a host key for map-app\.test yet\. Run 'ssh /);
  });

  describe('sudo-rs, which asks for a password', () => {
    const volunteer: Omit<RunOptions, 'sandbox'> = {
      strategy: 'linear',
      vars: { ansible_user: 'volunteer', ansible_become_password: 'password' },
      // Refused once sudo works.
      arguments: ['--tags', 'nginx'],
    };

    before('install it in place of the classic sudo, as Ubuntu 26.04 does', async () => {
      await machine.must(
        'apt-get install --yes --quiet --no-install-recommends sudo-rs && mv /usr/bin/sudo /usr/bin/sudo.ws && ln -s sudo-rs /usr/bin/sudo; ' +
          'useradd --create-home --shell /bin/bash volunteer && echo volunteer:password | chpasswd && cp -r /root/.ssh /home/volunteer && ' +
          "chown -R volunteer: /home/volunteer && echo 'volunteer ALL=(ALL:ALL) ALL' >/etc/sudoers.d/volunteer",
      );
    });

    after('put the classic one back', () => machine.must('mv /usr/bin/sudo.ws /usr/bin/sudo'));

    it('is passed over where the classic one is installed', () =>
      stopped(/site\.yml has not completed on map-app\.test/, volunteer));

    it('is named where it is alone', async () => {
      await machine.must('mv /usr/bin/sudo.ws /root/sudo.ws');
      try {
        await stopped(/sudo-rs, to which Ansible cannot pass a password: .*apt-get install sudo/, volunteer);
      } finally {
        await machine.must('mv /root/sudo.ws /usr/bin/sudo.ws');
      }
    });
  });

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

  // Last, because its package stays. The tests after it provision the machine, as the message says that one can then.
  it('a PostgreSQL that is there already', async () => {
    await machine.must('apt-get install --yes --quiet --no-install-recommends postgresql && pg_createcluster 17 other'); // prettier-ignore
    const configuration = () => machine.must('cat /etc/postgresql/17/*/*.conf');
    const before = await configuration();
    await stopped(
      /already has PostgreSQL: cluster 17\/main on port 5432 \(online\); cluster 17\/other on port 5433 .*another machine.*pg_dropcluster/,
    );
    expect(await configuration()).to.equal(before);
    expect(await machine.must('runuser -u postgres -- psql --list --tuples-only')).not.to.contain('map-app');
    await machine.must('pg_dropcluster --stop 17 other && pg_dropcluster --stop 17 main');
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

  it('the machine, with the command for the sandbox that was named', async () => {
    const { code, output } = await run(['sandbox/sandbox', 'ssh'], {
      environment: { SANDBOX: 'test-refused' },
    });
    expect(code).not.to.equal(0);
    expect(output).to.contain(
      'there is no machine test-refused: SANDBOX=test-refused npm run sandbox creates it',
    );
  });

  it('the right to make namespaces', async () => {
    const { code, output } = await create('setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin');
    expect(code).not.to.equal(0);
    expect(output).to.match(/^sandbox: .*(inventory|Ubuntu or Debian)/m);
  });
});
