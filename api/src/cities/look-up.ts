import { fetchOutside, OutsideTrouble } from '../http/outside.ts';
import type { Log } from '../log.ts';
import { BadPicture, MOST_BYTES, type Picture } from '../pictures/picture.ts';
import type { Pictures } from '../pictures/pictures.ts';

/** Looks for a city's picture; null if there is none to be had. */
export type LookUp = (city: string) => Promise<Picture | null>;

/** Looks at `imageUrl`, where {city} stands for the city; without it the city comes as the parameter `city`. What is there has to be the picture itself. */
export function lookUpAt(imageUrl: string, pictures: Pictures, log: Log): LookUp {
  return async (city) => {
    try {
      // As a folder's name these lead elsewhere, encoded too.
      if (/^\.+$/.test(city)) return null;
      const file = await fetchOutside(addressOf(imageUrl, city), { seconds: 5, bytes: MOST_BYTES });
      return file && (await pictures.of(file));
    } catch (error) {
      if (!(error instanceof OutsideTrouble) && !(error instanceof BadPicture)) throw error;
      log.warn('no picture of a city', { cause: error.message });
      return null;
    }
  };
}

/** As text before the address is parsed, and wholly encoded, so that a name changes neither the host nor the path around it. */
function addressOf(imageUrl: string, city: string): URL {
  if (imageUrl.includes('{city}')) return new URL(imageUrl.replaceAll('{city}', encodeURIComponent(city)));
  const url = new URL(imageUrl);
  url.searchParams.set('city', city);
  return url;
}
