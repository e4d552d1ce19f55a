import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The index of addresses: beside the program in a release, made from the npm packages in a source tree. */
export async function addressFile(): Promise<string> {
  const shipped = fileURLToPath(new URL('./data/addresses.bin', import.meta.url));
  return existsSync(shipped) ? shipped : await (await import('./prepare.ts')).preparedIndex();
}
