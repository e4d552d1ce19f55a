import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { root } from '../run/command.ts';
import { provisionedMachine, type Machine } from './machine.ts';

/** What a process inside the fence finds: see probe.py. */
type Findings = Record<
  'homes' | 'write' | 'runtime' | 'temporary' | 'internet' | 'packets' | 'processes' | 'namespaces' | 'code',
  string
>;

const fenced: Findings = {
  homes: '',
  write: 'Read-only file system',
  runtime: 'read-only',
  temporary: 'its own',
  internet: 'Address family not supported by protocol',
  packets: 'Address family not supported by protocol',
  processes: 'its own',
  namespaces: 'refused',
  code: 'refused',
};

const folder = '/srv/probe';
/** The fence of nginx's unit as arguments of systemd-run. */
const nginxFence = readFileSync(`${root}roles/nginx/files/unit/map-app.conf`, 'utf8')
  .split('\n')
  .filter((line) => /^(?!StartLimit|Restart|ExecReload)\w+=/.test(line))
  .map((line) => `--property='${line}'`)
  .join(' ');

/**
 * What systemd-analyze security may say of each unit at most (0 is best, 10 worst): what it says today, so that it can only get
 * better. And how the probe is run inside it, with what it then finds.
 */
const fences: { unit: string; exposure: number; run: string; finds: Findings }[] = [
  {
    unit: 'map-app@1.service',
    exposure: 0.4,
    // The command runs a release as the workers do.
    run: `MAP_APP_RELEASE=${folder} map-app check`,
    // V8 compiles.
    finds: { ...fenced, code: 'done' },
  },
  {
    unit: 'postgresql@17-main.service',
    exposure: 0.4,
    // In the server itself.
    run: `cd / && runuser -u postgres -- psql --quiet --no-align --tuples-only --command='create temporary table found (line text); copy found from program $$python3 ${folder}/probe.py$$; table found'`,
    finds: fenced,
  },
  {
    unit: 'nginx.service',
    exposure: 2.5,
    // nginx starts no programs: beside it, as root like its first process, behind the same fence. Processes are hidden from
    // www-data, not from root's group.
    run: `systemd-run --quiet --pipe --wait ${nginxFence} python3 ${folder}/probe.py`,
    // Its process number lies in /run itself, where its first process alone may write.
    finds: { ...fenced, runtime: 'writable', internet: 'done', processes: "others'" },
  },
];

describe('Each service behind its fence', () => {
  let machine: Machine;

  before('provision it, and lay out the probe', async () => {
    machine = await provisionedMachine();
    const probe = readFileSync(`${root}tests/machine/probe.py`, 'utf8');
    const release =
      "import { execFileSync } from 'node:child_process'; process.stdout.write(execFileSync('python3', ['/srv/probe/probe.py']));";
    await machine.must(
      `install --directory --mode=0777 ${folder} && cat > ${folder}/probe.py <<'END'\n${probe}\nEND\ncat > ${folder}/map-app.mjs <<'END'\n${release}\nEND\n` +
        'install --mode=0666 /dev/null /tmp/not-its-own',
    );
  });

  after('clear up', () => machine.must(`rm -r ${folder} /tmp/not-its-own`));

  for (const { unit, exposure, run, finds } of fences) {
    it(`${unit}: exposure at most ${exposure}`, async () => {
      const report = await machine.must(`systemd-analyze security --no-pager ${unit}`);
      expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1])).to.be.at.most(exposure);
    });

    it(`${unit}: a probe inside finds nothing else`, async () => {
      expect(JSON.parse(await machine.must(run))).to.deep.equal(finds);
    });
  }
});
