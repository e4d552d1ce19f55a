import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { root, run } from '../../run/command.ts';
import { certificate, type Pair } from '../certificate.ts';
import { domain, freshMachine, type Machine } from '../machine.ts';
import { explain, type Run, type RunOptions } from '../playbook.ts';
import { taskName } from '../task-name.ts';

// On a fresh machine, where a run that does not stop would change the most. Each title names the input.
describe('site.yml fails with one sentence and changes nothing, given', () => {
  let machine: Machine;

  before('create a machine', async () => {
    machine = await freshMachine('trixie');
    // Waits for the end of the boot, even if a unit failed. Neither the boot nor a timer may change the state during a test.
    await machine.must("systemctl is-system-running --wait; systemctl stop '*.timer'");
  });

  /** The state that a failed run must not change: packages, running services, users and files, without logs, temporary files and caches. */
  const state = () =>
    machine.must(
      "dpkg-query --show; systemctl list-units --plain --no-legend --state=running --type=service | cut -d' ' -f1 | grep -v -e user -e session; cat /etc/passwd; " +
        "find /etc /opt /usr /srv /home /var -xdev -not -path '/var/log/*' -not -path '/var/tmp/*' -not -path '/var/cache/*' -not -path '/var/lib/systemd/*' -printf '%p %y %m %U %G %T@\\n' | sort",
    );

  /** Expects a run to fail with all these sentences in one message, and without a change. */
  async function stopped(sentences: RegExp | RegExp[], options: Omit<RunOptions, 'sandbox'> = {}) {
    const result = await machine.play(options);
    expect(result.code, explain(result)).not.to.equal(0);
    for (const sentence of [sentences].flat())
      expect(result.failure?.message, explain(result)).to.match(sentence);
    expect(result.changed).to.deep.equal([]);
    return result;
  }

  /** Like `stopped`, and compares the machine's state before and after. Use it only while no service on the machine writes files. */
  async function refused(sentences: RegExp | RegExp[], options: Omit<RunOptions, 'sandbox'> = {}) {
    const before = await state();
    const result = await stopped(sentences, options);
    expect(await state()).to.equal(before);
    return result;
  }

  it('an unsupported operating system', async () => {
    await machine.must(
      "cp /usr/lib/os-release /root/os-release && sed -i 's/trixie/buster/; s/13/10/' /usr/lib/os-release",
    );
    try {
      await refused(/runs Debian .* use one of .*Ubuntu 24\.04/);
    } finally {
      await machine.must('mv /root/os-release /usr/lib/os-release');
    }
  });

  it('a wrong clock', async () => {
    // Replaces `date`, because the machine shares the host's clock.
    await machine.must(
      `printf '#!/bin/sh\nexec /usr/bin/date --date=-2hours "$@"\n' >/usr/local/bin/date && chmod +x /usr/local/bin/date`,
    );
    try {
      await refused(/clock of map-app\.test is 1[12]\d minutes behind .*\. Correct .*timedatectl/);
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

  it('a misspelt, an unknown, a renamed and a mistyped variable', () =>
    refused(
      [
        /The role nginx has no variable nginx_worker_conections: did you mean nginx_worker_connections\?/,
        /The role node has no variable node_zzz: roles\/node\/README\.md lists its variables/,
        /nginx_names is now called nginx_domains: rename it/,
        /nginx_writes_per_minute.*int/,
      ],
      {
        vars: {
          nginx_worker_conections: 100,
          node_zzz: 1,
          nginx_names: [],
          __preflight_renamed: { nginx_names: 'nginx_domains' },
          nginx_writes_per_minute: 'many',
        },
      },
    ));

  it("the example's domain, too many workers, and an invalid session key, without printing it", async () => {
    const { output } = await refused(
      [
        /map_app_domain must be the name of your own site/,
        /map_app_workers must be a whole number from 1 to \d+, because/,
        /map_app_session_key must be/,
      ],
      {
        vars: {
          map_app_domain: 'map.example.org',
          map_app_workers: 40,
          map_app_session_key: 'too-short-a-key',
        },
      },
    );
    expect(output).not.to.contain('too-short-a-key');
  });

  it('zero workers, a client with an invalid domain, and no backup repository, without backup_local_only', () =>
    refused(
      [
        /map_app_workers must be a whole number/,
        /nginx_clients must be a list of clients\. Each needs its own domain/,
        /backup_repository must be a backup repository off the machine/,
      ],
      {
        vars: {
          map_app_workers: 0,
          nginx_clients: [{ domain: 'https://map-app.test', src: '/tmp' }],
          backup_local_only: false,
        },
      },
    ));

  it('a domain that points to another machine, even without ACME', async () => {
    await machine.must("echo '192.0.2.1 elsewhere.test' >>/etc/hosts");
    await refused(
      /elsewhere\.test points to 192\.0\.2\.1, not to map-app\.test .*preflight_public_addresses/,
      {
        vars: { map_app_domain: 'elsewhere.test' },
      },
    );
  });

  it('--tags on a machine that is not provisioned', () =>
    refused(/site\.yml has not completed on map-app\.test yet.*without --tags/, {
      arguments: ['--tags', 'nginx'],
    }));

  it('a Node mirror whose name cannot be resolved', () =>
    refused(/the name mirror\.invalid cannot be resolved there/, {
      vars: { node_mirror: 'http://mirror.invalid' },
    }));

  it('a Python that is too old', async () => {
    await machine.must(
      "printf '#!/bin/sh\necho python 3.9\n' >/usr/local/bin/python3 && chmod +x /usr/local/bin/python3",
    );
    try {
      await refused(/map-app\.test has Python 3\.9, but 3\.11 or later is needed/);
    } finally {
      await machine.must('rm /usr/local/bin/python3');
    }
  });

  it('an unknown host key', async () => {
    const result = await machine.play({
      strategy: 'linear',
      vars: { ansible_host_key_checking: true, ansible_ssh_common_args: '-o UserKnownHostsFile=/nowhere' },
    });
    expect(result.code, explain(result)).not.to.equal(0);
    expect(result.output).to.match(/has not recorded a host key for map-app\.test yet\. Run 'ssh /);
  });

  describe('sudo-rs with a password', () => {
    const volunteer: Omit<RunOptions, 'sandbox'> = {
      strategy: 'linear',
      vars: { ansible_user: 'volunteer', ansible_become_password: 'password' },
      // This check comes after the check of sudo.
      arguments: ['--tags', 'nginx'],
    };

    before('make sudo-rs the default, as on Ubuntu 26.04', async () => {
      await machine.must(
        'apt-get install --yes --quiet --no-install-recommends sudo-rs && mv /usr/bin/sudo /usr/bin/sudo.ws && ln -s sudo-rs /usr/bin/sudo; ' +
          'useradd --create-home --shell /bin/bash volunteer && echo volunteer:password | chpasswd && cp -r /root/.ssh /home/volunteer && ' +
          "chown -R volunteer: /home/volunteer && echo 'volunteer ALL=(ALL:ALL) ALL' >/etc/sudoers.d/volunteer",
      );
    });

    after('restore the classic sudo', () => machine.must('mv /usr/bin/sudo.ws /usr/bin/sudo'));

    it('but not if the classic sudo is installed too', () =>
      stopped(/site\.yml has not completed on map-app\.test/, volunteer));

    it('and no classic sudo', async () => {
      await machine.must('mv /usr/bin/sudo.ws /root/sudo.ws');
      try {
        await stopped(/sudo-rs, to which Ansible cannot pass a password: .*apt-get install sudo/, volunteer);
      } finally {
        await machine.must('mv /root/sudo.ws /usr/bin/sudo.ws');
      }
    });
  });

  it('a domain that does not point to the machine, with ACME', () =>
    refused(/elsewhere\.example points to .*not to .*DNS/, {
      vars: {
        certificates_acme_enabled: true,
        certificates_acme_email: 'operator@map-app.test',
        map_app_domain: 'elsewhere.example',
      },
    }));

  describe('an operator-supplied certificate', () => {
    const folder = mkdtempSync(join(tmpdir(), 'map-app-certificate-'));
    let good: Pair;

    before('create a valid certificate', async () => {
      good = await certificate(folder, { names: [domain] });
    });

    after(() => rmSync(folder, { recursive: true }));

    const refusedPair = ({ chain, key }: Omit<Pair, 'root'>, ...faults: RegExp[]) =>
      refused([/certificates_own_chain .* cannot be used: /, ...faults], {
        vars: { certificates_own_chain: chain, certificates_own_key: key },
      });

    it('that has expired, is for other domains, and comes with the key of another certificate', async () => {
      const { chain } = await certificate(folder, { names: ['elsewhere.example'], expired: true });
      await refusedPair(
        { chain, key: good.key },
        /the certificate expired on \d/,
        /lacks map-app\.test/,
        /the key is that of another certificate/,
      );
    });

    it('with its intermediates in the wrong order, and an invalid key, without printing it', async () => {
      const [leaf, intermediate] = good.chain.split(/(?<=-----END CERTIFICATE-----\n)/);
      const { output } = await refusedPair(
        { chain: leaf + good.root + intermediate, key: 'not-a-key' },
        /CN=leaf is not signed by CN=root, which comes after it/,
        /the key is not a private key in PEM/,
      );
      expect(output).not.to.contain('not-a-key');
    });
  });

  it('a truncated archive of a client', async () => {
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

  it('a wrong checksum for Node', () =>
    refused(/sha256 did not match 0+; it was .*correct .*node_checksums/, {
      vars: { node_checksums: { x64: '0'.repeat(64), arm64: '0'.repeat(64) } },
    }));

  it('a port in use', async () => {
    await machine.must('systemd-run --quiet --unit=stranger python3 -m http.server 80');
    try {
      await refused(/ports 80 and 443 on .* in use by .*python3.*\. Stop/);
    } finally {
      await machine.must('systemctl stop stranger');
    }
  });

  // The package stays installed.
  it('existing PostgreSQL clusters', async () => {
    await machine.must(
      'apt-get install --yes --quiet --no-install-recommends postgresql && pg_createcluster 17 other',
    );
    const configuration = () => machine.must('cat /etc/postgresql/17/*/*.conf');
    const before = await configuration();
    await stopped(
      /already has PostgreSQL: cluster 17\/main on port 5432 \(online\); cluster 17\/other on port 5433 .*another machine.*pg_dropcluster/,
    );
    expect(await configuration()).to.equal(before);
    expect(await machine.must('runuser -u postgres -- psql --list --tuples-only')).not.to.contain('map-app');
    await machine.must('pg_dropcluster --stop 17 other && pg_dropcluster --stop 17 main');
  });

  // The last block, because it provisions the machine. Mocha runs the tests of a block before the blocks inside it.
  describe('run locks', () => {
    it('that another run holds', async () => {
      let first: Promise<Run>;
      // Suspends the first run while it holds the lock, and kills it at the end.
      const resume = await new Promise<(name: NodeJS.Signals) => void>((held) => {
        first = machine.play({
          watch: (task, signal) => {
            if (task.name !== taskName('Take the run lock')) return;
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

    it('but not of a killed run; nor the clusters above, which were removed as recommended', async () => {
      const run = await machine.play();
      expect(run.code, explain(run)).to.equal(0);
      expect(run.output).not.to.contain('has been running');
    });
  });
});

describe('sandbox/sandbox fails with one sentence if it lacks', () => {
  const create = (...before: string[]) =>
    run([...before, 'sandbox/sandbox', 'create'], { environment: { SANDBOX: 'test-refused' } });

  // In a separate network namespace too: with an empty state folder it would find no machines and remove the bridge of the running ones.
  it('disk space for the image', async () => {
    const full =
      'mount -t tmpfs -o size=20m none /var/cache/map-app-sandbox && mount -t tmpfs -o size=20m none /var/lib/map-app-sandbox && exec "$@"';
    const { code, output } = await create('unshare', '--mount', '--net', 'sh', '-c', full, 'sh');
    expect(code).not.to.equal(0);
    expect(output).to.match(/^sandbox: not enough disk space for .* MB/m);
  });

  it('the machine, and prints the command that creates it', async () => {
    const { code, output } = await run(['sandbox/sandbox', 'ssh'], {
      environment: { SANDBOX: 'test-refused' },
    });
    expect(code).not.to.equal(0);
    expect(output).to.contain(
      'there is no machine test-refused: SANDBOX=test-refused npm run sandbox creates it',
    );
  });

  it('permission to create namespaces', async () => {
    const { code, output } = await create('setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin');
    expect(code).not.to.equal(0);
    expect(output).to.match(/^sandbox: .*(inventory|Ubuntu or Debian)/m);
  });
});
