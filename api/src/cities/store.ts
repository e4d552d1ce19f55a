import type { Knex } from 'knex';
import type { Picture } from '../pictures/picture.ts';
import { listedBytes, removeUnusedPictures, storePicture } from '../pictures/store.ts';

export type CityStore = ReturnType<typeof cityStore>;

/** Requests may contain any name, so stored rows and lookups at the image service are limited. */
const mostCities = 2_000;
const mostLookUpsAnHour = 200;

export function cityStore(db: Knex) {
  return {
    /** Returns the stored picture of a city. The name is in lower case. */
    async find(city: string): Promise<Uint8Array | null> {
      const found = await db('city_picture')
        .where({ city })
        .first<{ bytes: Uint8Array | null } | undefined>(db.raw(`${listedBytes('city_picture')} as bytes`));
      return found?.bytes ?? null;
    },

    /**
     * Returns whether the caller should look up the picture of a city, whose name is spelled as in the pins. True for at
     * most one caller per hour among all workers until there is a picture, only for cities with a pin, and only up to the
     * hourly limit for all cities together.
     */
    async claim(name: string): Promise<boolean> {
      const { rows } = await db.raw<{ rows: unknown[] }>(
        `insert into city_picture (city, looked_up_at)
         select ?, now()
         where exists (select from pin where city = ?)
           and (select count(*) from city_picture where looked_up_at > now() - interval '1 hour') < ?
         on conflict (city) do update set looked_up_at = now()
           where city_picture.picture_id is null and city_picture.looked_up_at < now() - interval '1 hour'
         returning city`,
        [name.toLowerCase(), name, mostLookUpsAnHour],
      );
      if (rows.length > 0) await makeRoom(db);
      return rows.length > 0;
    },

    /** Stores the picture of a city. The name is in lower case. */
    keep: (city: string, picture: Picture): Promise<void> =>
      db.transaction(async (transaction) => {
        const picture_id = await storePicture(transaction, picture);
        await transaction('city_picture').where({ city }).update({ picture_id });
      }),
  };
}

/**
 * Deletes the rows above the limit: first cities without a picture, then the oldest pictures. Failed lookups of the
 * last hour are kept and do not count, so that the hourly limit of lookups holds and they displace no picture.
 */
function makeRoom(db: Knex): Promise<void> {
  return db.transaction(async (transaction) => {
    const { rows } = await transaction.raw<{ rows: { picture_id: number | null }[] }>(
      `delete from city_picture where city in (
         select city from city_picture
         where picture_id is not null or looked_up_at < now() - interval '1 hour'
         order by picture_id is null, looked_up_at desc offset ?
       ) returning picture_id`,
      [mostCities],
    );
    await removeUnusedPictures(
      transaction,
      rows.flatMap(({ picture_id }) => picture_id ?? []),
    );
  });
}
