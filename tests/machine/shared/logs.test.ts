import { expect } from 'chai';
import { ask, eventually, provisionedMachine, type Machine } from '../machine.ts';

describe('The size of the logs is limited', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  it('for nginx: logrotate rotates a large log immediately, and nginx writes to a new file', async () => {
    await machine.must('truncate --size=201M /var/log/nginx/access.log && systemctl start logrotate.service');
    // Each turn sends a request, because nginx may still write the first ones to the old file.
    await eventually(30, async () => {
      expect((await ask(machine, '/healthz')).status).to.equal(200);
      expect(await machine.must('tail --lines=1 /var/log/nginx/access.log')).to.contain('/healthz');
    });
    expect(Number(await machine.must('stat --format=%s /var/log/nginx/access.log'))).to.be.below(1e6);
    expect(Number(await machine.must('stat --format=%s /var/log/nginx/access.log.1'))).to.be.above(200e6);
    await machine.must('rm /var/log/nginx/access.log.1');
  });

  it('for nginx: a timer checks the size every ten minutes', async () => {
    // The time is in the past until systemd starts the service, up to a minute later (AccuracySec=1m).
    await eventually(90, async () => {
      const [{ next }] = JSON.parse(
        await machine.must('systemctl list-timers --output=json nginx-logs.timer'),
      ) as [{ next: number }];
      expect(next / 1000 - Date.now()).to.be.within(0, 11 * 60_000);
    });
  });

  it('for the journal, to which PostgreSQL and the workers write', async () => {
    expect(await machine.must('systemd-analyze cat-config systemd/journald.conf')).to.match(
      /^SystemMaxUse=1000M$/m,
    );
    // journald logs its limit whenever it starts.
    expect(
      await machine.must(
        "journalctl --unit=systemd-journald --output=cat | grep 'System Journal' | tail -n 1",
      ),
    ).to.match(/max 1000/);
  });
});
