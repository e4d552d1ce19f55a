import { expect } from 'chai';
import { have, installPackages, run } from '../run/command.ts';
import type { Machine } from './machine.ts';

/** Expects no failure from ssh-audit. Skips its connection rate test, which the firewall would block. */
export async function expectModernSsh(machine: Machine): Promise<void> {
  const { code, output } = await run([
    'ssh-audit',
    '--skip-rate-test',
    '--no-colors',
    '--level=fail',
    machine.address,
  ]);
  // 2: only warnings, such as one about key exchange without post-quantum algorithms, which old clients need.
  expect(code, output).to.be.oneOf([0, 2]);
  expect(output).to.not.contain('[fail]');
}

/** Returns the open TCP ports according to nmap. */
export async function openPorts(machine: Machine): Promise<number[]> {
  if (!(await have('nmap'))) expect(await installPackages(['nmap']), 'nmap is missing').to.equal(true);
  const { code, output } = await run(['nmap', '-n', '-Pn', '-p-', '--open', '-oG', '-', machine.address]);
  expect(code, output).to.equal(0);
  return [...output.matchAll(/(\d+)\/open\//g)].map(([, port]) => Number(port));
}
