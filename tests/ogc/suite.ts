import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../run/command.ts';

const usage = `Usage: node tests/ogc/suite.ts SUITE.jar ADDRESS

Runs OGC's own conformance tests for API Features 1.0 against the API at an address, and prints the counts and each
failure. How to build SUITE.jar: tests/ogc/README.md.

Example: node tests/ogc/suite.ts ~/ets-ogcapi-features10-1.9-aio.jar http://127.0.0.1:3000/
`;

const [jar, address] = process.argv.slice(2);
if (jar === undefined || address === undefined) {
  process.stdout.write(usage);
  process.exit(jar === '--help' ? 0 : 2);
}
process.exitCode = await runSuite(jar, address);

async function runSuite(jar: string, address: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'map-app-ogc-'));
  try {
    const file = join(folder, 'arguments.xml');
    writeFileSync(file, argumentsFor(address));
    const { output } = await run(['java', '-jar', jar, '--outputDir', folder, file]);
    const results = readdirSync(folder, { recursive: true })
      .map(String)
      .find((name) => name.endsWith('testng-results.xml'));
    if (results) return report(readFileSync(join(folder, results), 'utf8'));
    process.stderr.write(`The suite wrote no results:\n${output}`);
    return 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** All collections (-1), not only the first three. */
function argumentsFor(address: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<properties version="1.0">
  <entry key="iut">${address}</entry>
  <entry key="noofcollections">-1</entry>
</properties>
`;
}

/** Prints TestNG's counts and its failures. Returns the exit code. */
function report(results: string): number {
  const [counts = ''] = /<testng-results [^>]*>/.exec(results) ?? [];
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(counts)?.[1] ?? 0);
  for (const [method] of results.matchAll(/<test-method [^>]*status="FAIL"[\s\S]*?<\/test-method>/g)) {
    const name = /\bname="([^"]*)"/.exec(method)?.[1];
    const message = /<message>\s*([\s\S]*?)<\/message>/.exec(method)?.[1] ?? '';
    process.stdout.write(`FAILED ${name}: ${message.trim().slice(0, 600)}\n`);
  }
  const [passed, failed, skipped] = [count('passed'), count('failed'), count('skipped')];
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
}
