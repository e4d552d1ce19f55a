/** Provisions a machine and stops it, so that test files can start with a copy of it. Does nothing if it exists. Only one process may run this at a time. */
import { existsSync, writeFileSync } from 'node:fs';
import { baseName, sandboxes } from '../run/machines.ts';
import { connect, converge, sandbox } from './machine.ts';

const name = baseName();
const complete = `${sandboxes}/${name}/provisioned`;

if (!existsSync(complete)) {
  await sandbox(name, 'trixie', 'create');
  await converge(connect('trixie', name));
  await sandbox(name, 'trixie', 'stop');
  writeFileSync(complete, '');
}
