import { fetchOutside, OutsideTrouble } from '../http/outside.ts';
import type { Log } from '../log.ts';
import { BadPicture, mostBytes, type Picture } from '../pictures/picture.ts';
import type { Pictures } from '../pictures/pictures.ts';

/** Looks up a city's picture. Null if there is none. */
export type LookUp = (city: string) => Promise<Picture | null>;

/**
 * Looks up pictures at `imageUrl`, in which {city} stands for the city. Without it the city is sent as the parameter
 * `city`. The response must be the picture itself.
 */
export function lookUpAt(imageUrl: string, pictures: Pictures, log: Log): LookUp {
  return async (city) => {
    try {
      // These names would change the path, even when encoded.
      if (/^\.+$/.test(city)) return null;
      const file = await fetchOutside(addressOf(imageUrl, city), { seconds: 5, bytes: mostBytes });
      return file && (await pictures.of(file));
    } catch (error) {
      if (!(error instanceof OutsideTrouble) && !(error instanceof BadPicture)) throw error;
      log.warn('no picture of a city', { cause: error.message });
      return null;
    }
  };
}

/**
 * Inserts the name as text before the URL is parsed, completely encoded, so that it changes neither the host nor the
 * rest of the path.
 */
function addressOf(imageUrl: string, city: string): URL {
  if (imageUrl.includes('{city}')) return new URL(imageUrl.replaceAll('{city}', encodeURIComponent(city)));
  const url = new URL(imageUrl);
  url.searchParams.set('city', city);
  return url;
}
