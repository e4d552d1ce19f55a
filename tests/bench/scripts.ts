import type { Spot } from './places.ts';

/** Returns a pgbench script with the API's statement for one pin. Each execution uses a different key. */
export function addOnce({ latitude, longitude, country, state, city }: Spot): string {
  const key = `${'0'.repeat(46)}:key`;
  const pin = {
    key,
    request: key.replace(':key', '0'.repeat(18)),
    latitude,
    longitude,
    country,
    state,
    city,
  };
  return `\\set key random(100000000000000000, 999999999999999999)\nselect * from pin_insert_once(${quoted(JSON.stringify([pin]))});\n`;
}

/** Returns a pgbench script that inserts into a table without tallies. */
export const addPlainly = ({ latitude, longitude, country, state, city }: Spot): string =>
  `insert into bench.pin (latitude, longitude, country, state, city)
   values (${latitude}, ${longitude}, ${[country, state, city].map(quoted).join(', ')});\n`.replace(
    /\n */,
    ' ',
  );

const quoted = (text: string | null): string => (text === null ? 'null' : `'${text.replaceAll("'", "''")}'`);
