import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environment, root, run } from '../run/command.ts';
import { compareOutput, documented } from './documented.ts';

describe('The quick start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-docs-'));
  let started: ChildProcess;
  let output = '';
  let port: string;

  before('run npm start', async function () {
    this.timeout(240_000);
    // Port 0: any free port.
    started = spawn('sh', ['-c', `exec ${documented('README.md', /^npm start$/)}`], {
      cwd: root,
      env: environment({ PORT: '0', DATA_DIR: folder }),
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    await new Promise<void>((listens, ended) => {
      started.on('exit', () => ended(new Error(`npm start ended:\n${output}`)));
      started.stdout!.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        port = /listens on http:\/\/[\d.]+:(\d+)/.exec(output)?.[1] ?? '';
        if (port) listens();
      });
    });
  });

  after('stop it', async () => {
    if (started.exitCode === null) {
      const ended = once(started, 'exit');
      // npm does not pass signals on to all of its children.
      process.kill(-started.pid!);
      await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  });

  it('prints what the README prints', () => compareOutput('README.md', /^npm start$/, output));

  for (const [document, like] of [
    ['README.md', /^curl http:\S+counts$/],
    ['docs/api.md', /^curl http:\S+counts$/],
  ] as const)
    it(`serves the API as ${document} shows`, async () => {
      const command = documented(document, like);
      const { output: counts } = await run([
        'sh',
        '-c',
        command.replace('curl', 'curl --silent').replace(':3000', `:${port}`),
      ]);
      compareOutput(document, like, counts);
    });
});
