import { expect } from 'chai';
import { ask, eventually, provisionedMachine, type Machine } from '../machine.ts';

const socket = '/run/map-app/map-app.sock';

describe('map-app.service', () => {
  let machine: Machine;
  const status = async () => (await ask(machine, '/api/locations/counts')).status;
  const pids = () => machine.must("systemctl show --property=MainPID --value 'map-app@*.service'");
  const inode = () => machine.must(`stat --format=%i ${socket}`);

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  after('start the service', async () => {
    await machine.must('systemctl restart map-app');
  });

  it('stays stopped after systemctl stop, even if requests arrive', async () => {
    await machine.must('systemctl stop map-app');
    for (let turn = 0; turn < 10; turn += 1) expect(await status()).to.equal(502);
    // Excludes map-app-metrics.socket and the timers, which are separate units.
    expect(
      await machine.must("systemctl list-units --plain --no-legend --state=active 'map-app.*' 'map-app@*'"),
    ).to.equal('');
    expect((await machine.ssh(`test -e ${socket}`)).code).not.to.equal(0);
  });

  it('starts every worker', async () => {
    await machine.must('systemctl start map-app');
    expect(await status()).to.equal(200);
    expect(await machine.must('systemctl is-active map-app.socket map-app@1 map-app@2')).to.equal(
      'active\nactive\nactive',
    );
  });

  it('keeps the socket and replaces every worker on restart', async () => {
    const before = { inode: await inode(), pids: await pids() };
    await machine.must('systemctl restart map-app');
    expect(await inode()).to.equal(before.inode);
    expect((await pids()).split(/\s+/)).not.to.include.members(before.pids.split(/\s+/));
    expect(await status()).to.equal(200);
  });

  it('keeps the socket and replaces every worker on reload', async () => {
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

    it('fails to reload, with the error in the journal, while the other worker keeps serving', async () => {
      const reload = await machine.ssh('systemctl reload map-app');
      expect(reload.code).not.to.equal(0);
      expect(
        await machine.must('journalctl --no-pager --lines=50 --unit=map-app --unit=map-app@1'),
      ).to.contain('broken on purpose');
      expect(await machine.must('systemctl is-active map-app@2')).to.equal('active');
      for (let turn = 0; turn < 20; turn += 1) expect(await status()).to.equal(200);
    });

    it('fails to start', async () => {
      await machine.must('systemctl stop map-app');
      const start = await machine.ssh('systemctl start map-app');
      expect(start.code).not.to.equal(0);
      expect((await machine.ssh('systemctl is-active map-app')).output.trim()).not.to.equal('active');
    });

    it('fails to restart', async () => {
      expect((await machine.ssh('systemctl restart map-app')).code).not.to.equal(0);
    });
  });

  it('restarts a killed worker automatically', async () => {
    const pid = () => machine.must('systemctl show --property=MainPID --value map-app@1');
    const before = await pid();
    await machine.must('systemctl kill --signal=KILL map-app@1');
    await eventually(60, async () => {
      expect(await machine.must('systemctl is-active map-app@1')).to.equal('active');
      // systemd may not have noticed yet that it was killed.
      expect(await pid()).not.to.equal(before);
    });
  });
});
