import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { root } from '../../run/command.ts';
import { provisionedMachine, type Machine } from '../machine.ts';

/** The results of probe.py inside a service's sandbox. */
type Findings = Record<
  'homes' | 'write' | 'runtime' | 'temporary' | 'internet' | 'packets' | 'processes' | 'namespaces' | 'code',
  string
>;

const sandboxed: Findings = {
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
/** The sandboxing options of nginx's unit as arguments of systemd-run. */
const nginxSandbox = readFileSync(`${root}roles/nginx/files/unit/map-app.conf`, 'utf8')
  .split('\n')
  .filter((line) => /^(?!StartLimit|Restart|ExecReload)\w+=/.test(line))
  .map((line) => `--property='${line}'`)
  .join(' ');

/**
 * For each unit: the maximum exposure reported by systemd-analyze security (0 is best, 10 worst), which is today's value; the command that
 * runs the probe inside the unit's sandbox; and the expected results of the probe.
 */
const sandboxes: { unit: string; exposure: number; run: string; finds: Findings }[] = [
  {
    unit: 'map-app@1.service',
    exposure: 0.4,
    // The command runs a release in the sandbox of the workers.
    run: `MAP_APP_RELEASE=${folder} map-app check`,
    // V8 generates code at run time.
    finds: { ...sandboxed, code: 'done' },
  },
  {
    unit: 'postgresql@17-main.service',
    exposure: 0.4,
    // The server itself starts the probe.
    run: `cd / && runuser -u postgres -- psql --quiet --no-align --tuples-only --command='create temporary table found (line text); copy found from program $$python3 ${folder}/probe.py$$; table found'`,
    finds: sandboxed,
  },
  {
    unit: 'nginx.service',
    exposure: 2.5,
    // nginx cannot start programs, so systemd-run starts the probe with the same sandboxing options, as root like nginx's main process. Other
    // processes are hidden from www-data, but not from root.
    run: `systemd-run --quiet --pipe --wait ${nginxSandbox} python3 ${folder}/probe.py`,
    // /run is writable for the main process, because nginx's PID file is there.
    finds: { ...sandboxed, runtime: 'writable', internet: 'done', processes: "others'" },
  },
];

describe('The sandbox of each service', () => {
  let machine: Machine;

  before('provision the machine, and install the probe', async () => {
    machine = await provisionedMachine();
    const probe = readFileSync(`${root}tests/machine/probe.py`, 'utf8');
    const release =
      "import { execFileSync } from 'node:child_process'; process.stdout.write(execFileSync('python3', ['/srv/probe/probe.py']));";
    await machine.must(
      `install --directory --mode=0777 ${folder} && cat > ${folder}/probe.py <<'END'\n${probe}\nEND\ncat > ${folder}/map-app.mjs <<'END'\n${release}\nEND\n` +
        'install --mode=0666 /dev/null /tmp/not-its-own',
    );
  });

  after('clean up', () => machine.must(`rm -r ${folder} /tmp/not-its-own`));

  it('gives requests precedence over the decoding of pictures, which is in child processes of the worker', async () => {
    const found = await machine.must(
      'pid=$(systemctl show --property=MainPID --value map-app@1) && ps --no-headers -o nice --pid $pid && chrt --pid $pid',
    );
    expect(found)
      .to.match(/^ *-5\n/)
      .and.to.match(/SCHED_OTHER\|SCHED_RESET_ON_FORK/);
  });

  for (const { unit, exposure, run, finds } of sandboxes) {
    it(`limits the exposure of ${unit} to ${exposure}`, async () => {
      const report = await machine.must(`systemd-analyze security --no-pager ${unit}`);
      expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(report)?.[1])).to.be.at.most(exposure);
    });

    it(`restricts ${unit} as expected`, async () => {
      expect(JSON.parse(await machine.must(run))).to.deep.equal(finds);
    });
  }
});
