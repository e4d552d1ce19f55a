import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Returns the path of the address index: shipped with a release, or built from the npm packages in a source tree. */
export async function addressFile(): Promise<string> {
  const shipped = fileURLToPath(new URL('./data/addresses.bin', import.meta.url));
  return existsSync(shipped) ? shipped : await (await import('./prepare.ts')).preparedIndex();
}
