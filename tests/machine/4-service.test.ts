import { expect } from 'chai';
import { ask, eventually, provisionedMachine, type Machine } from './machine.ts';

const socket = '/run/map-app/map-app.sock';

describe('systemctl start, stop, restart, reload map-app', () => {
  let machine: Machine;
  const status = async () => (await ask(machine, '/api/locations/counts')).status;
  const pids = () => machine.must("systemctl show --property=MainPID --value 'map-app@*.service'");
  const inode = () => machine.must(`stat --format=%i ${socket}`);

  before('provision it', async () => {
    machine = await provisionedMachine();
  });

  after('leave it running', async () => {
    await machine.must('systemctl restart map-app');
  });

  it('stop stops, and stays stopped under requests', async () => {
    await machine.must('systemctl stop map-app');
    for (let turn = 0; turn < 10; turn += 1) expect(await status()).to.equal(502);
    // The socket of the metrics and the timers of the night are units of their own.
    expect(
      await machine.must("systemctl list-units --plain --no-legend --state=active 'map-app.*' 'map-app@*'"),
    ).to.equal('');
    expect((await machine.ssh(`test -e ${socket}`)).code).not.to.equal(0);
  });

  it('start starts every worker', async () => {
    await machine.must('systemctl start map-app');
    expect(await status()).to.equal(200);
    expect(await machine.must('systemctl is-active map-app.socket map-app@1 map-app@2')).to.equal(
      'active\nactive\nactive',
    );
  });

  it('restart keeps the socket and replaces every worker', async () => {
    const before = { inode: await inode(), pids: await pids() };
    await machine.must('systemctl restart map-app');
    expect(await inode()).to.equal(before.inode);
    expect((await pids()).split(/\s+/)).not.to.include.members(before.pids.split(/\s+/));
    expect(await status()).to.equal(200);
  });

  it('reload keeps the socket and replaces every worker', async () => {
    const before = { inode: await inode(), pids: await pids() };
    await machine.must('systemctl reload map-app');
    expect(await inode()).to.equal(before.inode);
    expect((await pids()).split(/\s+/)).not.to.include.members(before.pids.split(/\s+/));
    expect(await status()).to.equal(200);
  });

  describe('with a broken release', () => {
    let current: string;

    before('point current to it', async () => {
      current = await machine.must('readlink /opt/map-app/current');
      await machine.must(
        'mkdir /opt/map-app/releases/broken && echo \'throw new Error("broken on purpose");\' > /opt/map-app/releases/broken/map-app.mjs && ln -sfn releases/broken /opt/map-app/current',
      );
    });

    after('point current back', async () => {
      await machine.must(
        `ln -sfn ${current} /opt/map-app/current && rm -r /opt/map-app/releases/broken && systemctl restart map-app`,
      );
    });

    it('reload fails visibly while the other worker goes on serving', async () => {
      const reload = await machine.ssh('systemctl reload map-app');
      expect(reload.code).not.to.equal(0);
      expect(
        await machine.must('journalctl --no-pager --lines=50 --unit=map-app --unit=map-app@1'),
      ).to.contain('broken on purpose');
      expect(await machine.must('systemctl is-active map-app@2')).to.equal('active');
      for (let turn = 0; turn < 20; turn += 1) expect(await status()).to.equal(200);
    });

    it('start fails visibly', async () => {
      await machine.must('systemctl stop map-app');
      const start = await machine.ssh('systemctl start map-app');
      expect(start.code).not.to.equal(0);
      expect((await machine.ssh('systemctl is-active map-app')).output.trim()).not.to.equal('active');
    });

    it('restart fails visibly', async () => {
      expect((await machine.ssh('systemctl restart map-app')).code).not.to.equal(0);
    });
  });

  it('comes back by itself after a worker was killed', async () => {
    await machine.must('systemctl kill --signal=KILL map-app@1');
    await eventually(10, async () => {
      expect(await machine.must('systemctl is-active map-app@1')).to.equal('active');
    });
  });
});
