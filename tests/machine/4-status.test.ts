import { expect } from 'chai';
import { run } from '../run/command.ts';
import { provisionedMachine, type Machine } from './machine.ts';
import { runStatus } from './playbook.ts';

describe('playbooks/status.yml', () => {
  let machine: Machine;

  before('provision it', async () => {
    machine = await provisionedMachine();
    // Other tests leave changed files and failed units behind.
    await machine.must('systemctl reset-failed; systemctl restart map-app');
    await run(
      ['ansible', 'all', '-i', 'inventory/sandbox', '-b', '-m', 'machine_baseline', '-a', 'state=recorded'],
      {
        environment: { SANDBOX: machine.name },
      },
    );
  });

  const status = (...extra: string[]) => runStatus(machine.name, ...extra);

  it('says on one screen that all is well, and ends with 0', async () => {
    const { code, output } = await status();
    expect(code, output).to.equal(0);
    expect(output).to.match(/^map-app\.test \([\d.]+\): all is well$/m);
    for (const part of ['release', 'map-app@1', 'map-app@2', 'nginx', 'certificate', 'disk', 'drift']) {
      expect(output).to.match(new RegExp(`^  ${part} +\\S`, 'm'));
    }
    expect(output).not.to.match(/TASK|PLAY|PROBLEM/);
    expect(output.trimEnd().split('\n').length).to.be.below(25);
  });

  it('prints JSON and nothing else for scripts', async () => {
    const { code, output } = await status('-e', 'format=json');
    expect(code, output).to.equal(0);
    const { 'map-app.test': site } = JSON.parse(output);
    expect(site.problems).to.deep.equal([]);
    expect(site.status.release.commit).to.match(/^[0-9a-f]{40}/);
    expect(Object.keys(site.status.workers)).to.deep.equal(['map-app@1.service', 'map-app@2.service']);
    expect(site.status.drift.differs).to.deep.equal({});
  });

  it('names what is not well, and what was changed since the last run, and ends with 2', async () => {
    await machine.must('systemctl stop map-app@2 && cp -a /etc/nginx/nginx.conf /root && echo "#" >>/etc/nginx/nginx.conf && touch /etc/stray'); // prettier-ignore
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

  it('says so of a machine that cannot be reached', async () => {
    const { code, output } = await status('-e', 'ansible_host=127.0.0.1 ansible_port=9');
    expect(code, output).to.equal(2);
    expect(output).to.match(/^map-app\.test .*: 1 problem$/m);
    expect(output).to.match(/PROBLEM +It cannot be looked at: .*refused/);
  });

  it('refuses a format that it does not have', async () => {
    const { code, output } = await status('-e', 'format=xml');
    expect(code).to.equal(2);
    expect(output).to.match(/There is no format xml: say -e format=json, or nothing for text\./);
  });
});
