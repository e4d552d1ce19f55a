import { expect } from 'chai';
import { ask, converge, provisionedMachine, sandbox, untilReady, type Machine } from '../machine.ts';

describe('After a reboot', () => {
  let machine: Machine;
  let counts: unknown;

  before('reboot the machine', async () => {
    machine = await provisionedMachine();
    counts = JSON.parse((await ask(machine, '/api/locations/counts')).body);
    await sandbox(machine.name, machine.suite, 'reboot');
    // Waits for the end of the boot, even if a unit failed: /readyz returns 200 as soon as one worker is ready.
    await machine.must('systemctl is-system-running --wait || true');
  });

  it('all services start automatically', async () => {
    await untilReady(machine, 120);
    expect(await machine.must('systemctl --failed --plain --no-legend')).to.equal('');
    expect(await machine.must('systemctl is-active nginx map-app map-app@1 map-app@2 firewall')).to.equal(
      'active\nactive\nactive\nactive\nactive',
    );
    expect(await machine.must('nft list table inet map_app')).to.contain('policy drop');
  });

  it('no row is lost', async () => {
    expect(JSON.parse((await ask(machine, '/api/locations/counts')).body)).to.deep.equal(counts);
  });

  it('a run of site.yml changes nothing', async () => {
    expect(await converge(machine)).to.deep.equal([]);
  });
});
