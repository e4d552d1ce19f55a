import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from './run/command.ts';

const atLeast = 80;

// Audits a provisioned sandbox machine with Lynis. Run it manually; it takes a minute.
const [name] = process.argv.slice(2);
if (!name) {
  process.stderr.write(
    'Usage: node tests/lynis.ts SANDBOX   (the name of the machine; the default of npm run sandbox is map-app)\n',
  );
  process.exit(2);
}
const profile = readFileSync(fileURLToPath(new URL('lynis.prf', import.meta.url)), 'utf8');
const { code, output } = await run(
  [
    'sandbox/sandbox',
    'ssh',
    `apt-get install --yes --quiet --no-install-recommends lynis >/dev/null && cat > /root/lynis.prf <<'END'\n${profile}END\n` +
      'cd /root && lynis audit system --profile /root/lynis.prf --quick --quiet --no-colors >/dev/null; grep --extended-regexp "^(hardening_index|suggestion|warning)" /var/log/lynis-report.dat',
  ],
  { environment: { SANDBOX: name } },
);
process.stdout.write(output);
const index = Number(/^hardening_index=(\d+)$/m.exec(output)?.[1]);
process.stdout.write(`Lynis: hardening index ${index} of 100, required: ${atLeast}.\n`);
process.exitCode = code === 0 && index >= atLeast ? 0 : 1;
