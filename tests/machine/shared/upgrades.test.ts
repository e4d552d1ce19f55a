import { expect } from 'chai';
import { provisionedMachine, restarted, unitStarts, untilReady, type Machine } from '../machine.ts';

describe('Automatic security upgrades', () => {
  let machine: Machine;

  before('provision the machine', async () => {
    machine = await provisionedMachine();
  });

  it('run daily, only from the security archive', async () => {
    expect(await machine.must('systemctl is-active apt-daily.timer apt-daily-upgrade.timer')).to.equal(
      'active\nactive',
    );
    expect(await machine.must('apt-config dump APT::Periodic::Unattended-Upgrade')).to.contain('"1"');
    const trial = await machine.must('unattended-upgrade --dry-run --debug 2>&1');
    expect(/Allowed origins are: (.*)/.exec(trial)?.[1]?.split(', ')).to.deep.equal([
      'origin=Debian,codename=trixie-security,label=Debian-Security',
      'origin=Ubuntu,archive=trixie-security',
    ]);
  });

  it('reboot the machine only in the configured window', async () => {
    expect(await machine.must('apt-config dump Unattended-Upgrade::Automatic-Reboot-Time')).to.contain(
      '"04:00"',
    );
    expect(
      await machine.must('systemctl show --property=NextElapseUSecRealtime upgrades-restart.timer'),
    ).to.contain('04:00:00');
  });

  it('restart services with outdated libraries only in the configured window', async () => {
    const before = await unitStarts(machine);
    // Replaces a library file, as an upgrade does. nginx and PostgreSQL have the former file open, the workers do not use it.
    await machine.must(
      'library=$(readlink --canonicalize /usr/lib/*/libz.so.1) && cp --preserve $library $library.new && mv $library.new $library && apt-get install --reinstall --yes --quiet tzdata',
    );
    expect(await machine.must('needrestart -b -r l')).to.contain('nginx.service');
    expect(restarted(before, await unitStarts(machine))).to.deep.equal([]);

    await machine.must('systemctl start upgrades-restart');
    const units = restarted(before, await unitStarts(machine));
    expect(units).to.include.members(['nginx.service', 'postgresql@17-main.service']);
    expect(units).not.to.include('map-app@1.service');
    expect(await machine.must('needrestart -b -r l')).not.to.contain('nginx.service');
    await untilReady(machine, 60);
  });
});
