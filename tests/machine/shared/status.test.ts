import { expect } from 'chai';
import { provisionedMachine, resume, suspend, untilReady, type Machine } from '../machine.ts';
import { runStatus } from '../playbook.ts';

describe('playbooks/status.yml', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  const status = (...extra: string[]) => runStatus(machine.name, ...extra);

  it('prints one screen without problems, and exits with 0', async () => {
    const { code, output } = await status();
    expect(code, output).to.equal(0);
    expect(output).to.match(/^map-app\.test \([\d.]+\): all is well$/m);
    for (const part of [
      'release',
      'map-app@1',
      'map-app@2',
      'nginx',
      'certificate',
      'visitor',
      'disk',
      'drift',
    ]) {
      expect(output).to.match(new RegExp(`^  ${part} +\\S`, 'm'));
    }
    expect(output).not.to.match(/TASK|PLAY|PROBLEM/);
    expect(output.trimEnd().split('\n').length).to.be.below(25);
  });

  it('prints only JSON with format=json', async () => {
    const { code, output } = await status('-e', 'format=json');
    expect(code, output).to.equal(0);
    const { 'map-app.test': site } = JSON.parse(output);
    expect(site.problems).to.deep.equal([]);
    expect(site.status.release.commit).to.match(/^[0-9a-f]{40}/);
    expect(Object.keys(site.status.workers)).to.deep.equal(['map-app@1.service', 'map-app@2.service']);
    expect(site.status.drift.differs).to.deep.equal({});
  });

  it('reports a problem and the files that changed since the last run, and exits with 2', async () => {
    await machine.must(
      'systemctl stop map-app@2 && cp -a /etc/nginx/nginx.conf /root && echo "#" >>/etc/nginx/nginx.conf && touch /etc/stray',
    );
    try {
      const { code, output } = await status();
      expect(code, output).to.equal(2);
      expect(output).to.match(/^map-app\.test .*: 1 problem$/m);
      expect(output).to.match(
        /PROBLEM +map-app@2\.service is inactive: see journalctl --unit=map-app@2\.service\./,
      );
      expect(output).to.match(/drift .*\/etc\/nginx\/nginx\.conf \(changed\), \/etc\/stray \(new\)/);
    } finally {
      await machine.must(
        'mv /root/nginx.conf /etc/nginx/nginx.conf; rm /etc/stray; systemctl start map-app@2',
      );
    }
  });

  /** Faults that take the site down, now or at the next start: the command that causes each, the one that undoes it, and the expected problem. */
  const faults: { fault: string; make: string; undo: string; named: RegExp; outage?: false }[] = [
    {
      fault: 'a socket folder that nginx cannot enter',
      make: 'chmod 700 /run/map-app',
      undo: 'chmod 755 /run/map-app',
      named: /\/run\/map-app has mode 0700 and owner root:root instead of 0755/,
    },
    {
      fault: 'a deleted socket file',
      make: 'mv /run/map-app/map-app.sock /run/map-app.sock.kept',
      undo: 'mv /run/map-app.sock.kept /run/map-app/map-app.sock',
      named: /map-app\.sock is missing, so nginx reaches no worker: /,
    },
    {
      fault: 'an unmanaged nftables table that drops port 443',
      make: "nft 'add table inet stranger; add chain inet stranger in { type filter hook input priority -5; }; add rule inet stranger in iifname != lo tcp dport 443 drop'",
      undo: 'nft delete table inet stranger',
      named:
        /The nftables table inet stranger drops packets to port 443[^]*cannot be reached from this computer/,
    },
    {
      fault: 'a stopped nginx',
      make: 'systemctl stop nginx',
      undo: 'systemctl start nginx',
      named: /nginx\.service is inactive[^]*cannot be reached on the machine itself: Connection refused/,
    },
    {
      fault: 'a database that cannot start',
      make: 'systemctl stop postgresql@17-main && chmod 755 /var/lib/postgresql/17/main && systemctl start --no-block postgresql@17-main && sleep 1',
      undo: 'chmod 700 /var/lib/postgresql/17/main && systemctl start postgresql@17-main',
      named: /postgresql@17-main\.service is activating \(.*data directory .* has invalid permissions/,
    },
    {
      fault: 'a disk with less free space than its reserve',
      make: "sed -i.kept 's/^DISK_RESERVE=.*/DISK_RESERVE=9000000/' /etc/map-app/map-app.env && systemctl restart map-app",
      undo: 'mv /etc/map-app/map-app.env.kept /etc/map-app/map-app.env && systemctl restart map-app',
      named: /map-app@1 and map-app@2: The disk of \/var\/lib\/postgresql has \d+ MB left/,
      outage: false,
    },
    {
      fault: 'unmanaged files that override managed ones',
      make: 'touch /etc/sysctl.d/zzz.conf /etc/postgresql/17/main/conf.d/zz.conf /etc/nginx/sites-enabled/stray',
      undo: 'rm /etc/sysctl.d/zzz.conf /etc/postgresql/17/main/conf.d/zz.conf /etc/nginx/sites-enabled/stray',
      named:
        /not managed by site\.yml: \/etc\/nginx\/sites-enabled\/stray\n[^]*conf\.d\/zz\.conf is read by PostgreSQL and overrides[^]*zzz\.conf is read by the kernel and overrides/,
      outage: false,
    },
    {
      fault: 'hanging workers',
      make: suspend('map-app@1', 'map-app@2'),
      undo: resume('map-app@1', 'map-app@2'),
      named: /map-app@1 and map-app@2: \/readyz returns no complete response/,
    },
  ];

  for (const { fault, make, undo, named, outage } of faults) {
    it(`reports ${fault}`, async () => {
      await machine.must(make);
      try {
        const { code, output } = await status();
        expect(output).to.match(named);
        expect(code, output).to.equal(2);
        if (outage === false) expect(output).to.match(/visitor +served in \d+ ms/);
        else expect(output).to.match(/visitor +not served correctly/);
      } finally {
        await machine.must(undo);
      }
      await untilReady(machine, 60);
    });
  }

  it('reports no problem once the faults are fixed', async () => {
    const { code, output } = await status();
    expect(code, output).to.equal(0);
  });

  it('reports a machine that cannot be reached', async () => {
    const { code, output } = await status('-e', 'ansible_host=127.0.0.1 ansible_port=9');
    expect(code, output).to.equal(2);
    expect(output).to.match(/^map-app\.test .*: 2 problems$/m);
    expect(output).to.match(/PROBLEM +Its state cannot be read: .*refused/);
    expect(output, 'the result of the visit').to.match(
      /PROBLEM +https:\/\/map-app\.test\/readyz cannot be reached/,
    );
  });

  it('rejects an unsupported format', async () => {
    const { code, output } = await status('-e', 'format=xml');
    expect(code).to.equal(2);
    expect(output).to.match(
      /format is xml, which is not supported\. Add -e format=json, or omit format for text\./,
    );
  });
});
