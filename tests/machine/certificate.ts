import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../run/command.ts';

/** A certificate with its intermediate, its key, and the root certificate, all in PEM. */
export type Pair = { chain: string; key: string; root: string };

/**
 * Creates an authority with an intermediate, and issues a certificate. All files are in a new folder below `parent`.
 * @param wanted `names`: the domains of the certificate; `expired`: whether it has expired
 */
export async function certificate(
  parent: string,
  wanted: { names: string[]; expired?: boolean },
): Promise<Pair> {
  const folder = mkdtempSync(join(parent, 'pair-'));
  const file = (name: string) => join(folder, name);
  const make = async (name: string, extension: string, issuer?: string, days = '30') => {
    writeFileSync(file(`${name}.ext`), extension);
    await openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-noenc',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.csr`),
    );
    const signer = issuer
      ? ['-CA', file(`${issuer}.pem`), '-CAkey', file(`${issuer}.key`)]
      : ['-key', file(`${name}.key`)];
    await openssl(
      'x509',
      '-req',
      '-in',
      file(`${name}.csr`),
      ...signer,
      '-days',
      days,
      '-extfile',
      file(`${name}.ext`),
      '-out',
      file(`${name}.pem`),
    );
  };
  await make('root', 'basicConstraints=critical,CA:true');
  await make('intermediate', 'basicConstraints=critical,CA:true', 'root');
  const names = wanted.names.map((name) => `DNS:${name}`).join(',');
  await make('leaf', `subjectAltName=${names}`, 'intermediate', wanted.expired ? '-1' : '30');
  const read = (name: string) => readFileSync(file(name), 'utf8');
  return {
    chain: read('leaf.pem') + read('intermediate.pem'),
    key: read('leaf.key'),
    root: read('root.pem'),
  };
}

async function openssl(...options: string[]): Promise<void> {
  const { code, output } = await run(['openssl', ...options]);
  if (code !== 0) throw new Error(`openssl ${options[0]} failed: ${output}`);
}
