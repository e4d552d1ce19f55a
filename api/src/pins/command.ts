import { parseArgs } from 'node:util';
import type { Command } from '../command.ts';
import { readConfig } from '../config.ts';
import { demandRoom } from '../database/disk.ts';
import { openForCommand } from '../database/open.ts';
import { createGeocoder, loadPlaces } from '../geocoder/geocoder.ts';
import { renamePins, type Renaming } from './rename.ts';

const help = `Usage: map-app pins rename [--dry-run]

Recomputes the city, state and country of every stored pin, for example after a release with
newer place names. It updates all counts, and the API stays up. Names that staff corrected by hand
are kept. Corrections from before this release were not recorded and would be replaced: check the
changes with --dry-run first.

  --dry-run   print how many pins would change, and the most frequent changes; change nothing
`;

export const renameCommand: Command = {
  summary: 'recompute the place names of stored pins',
  run,
};

/** The number of printed changes. */
const sampleSize = 20;

async function run(args: string[]): Promise<number> {
  const order = orderIn(args);
  if (typeof order === 'string') {
    process.stderr.write(`${order}\n\n${help}`);
    return 2;
  }
  if (order.help) {
    process.stdout.write(help);
    return 0;
  }
  const { database: place, disk } = readConfig(process.env);
  if (!order.isTrial) await demandRoom(disk);
  const database = await openForCommand(place);
  try {
    const geocoder = createGeocoder(await loadPlaces());
    process.stdout.write(report(await renamePins(database.db, geocoder, order.isTrial), order.isTrial));
    return 0;
  } finally {
    await database.close();
  }
}

/** Parses the arguments. Returns a message if they are wrong. */
function orderIn(args: string[]): { help: boolean; isTrial: boolean } | string {
  try {
    const options = { help: { type: 'boolean' }, 'dry-run': { type: 'boolean' } } as const;
    const { values } = parseArgs({ args, options });
    return { help: values.help ?? false, isTrial: values['dry-run'] ?? false };
  } catch (error) {
    return (error as Error).message;
  }
}

function report({ pins, renamed, inWater, corrected, changes }: Renaming, isTrial: boolean): string {
  const frequent = [...changes].toSorted(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const lines = frequent
    .slice(0, sampleSize)
    // Imported names could contain terminal escape sequences.
    .map(([change, many]) => `${String(many).padStart(8)}  ${change.replace(/\p{Cc}/gu, '?')}`);
  if (frequent.length > sampleSize) lines.push(`          and ${frequent.length - sampleSize} other changes`);
  return [
    ...lines,
    isTrial
      ? `${renamed} of ${pins} pins would be renamed. Nothing was changed.`
      : `Renamed ${renamed} of ${pins} pins.`,
    ...(corrected > 0 ? [`Kept the names of ${corrected} pins that staff corrected.`] : []),
    ...(inWater > 0 ? [`Kept the names of ${inWater} pins in water.`] : []),
    '',
  ].join('\n');
}
