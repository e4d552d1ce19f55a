import { readFileSync } from 'node:fs';

/** The version in the release's manifest, or `development` without a manifest. */
export const version = readVersion();

function readVersion(): string {
  try {
    const manifest = readFileSync(new URL('./manifest.json', import.meta.url), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error;
    return 'development';
  }
}
