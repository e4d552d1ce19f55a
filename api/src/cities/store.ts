import type { Knex } from 'knex';
import type { Picture } from '../pictures/picture.ts';
import { storePicture } from '../pictures/store.ts';

export type CityStore = ReturnType<typeof cityStore>;

/** Anybody may ask for any name, so what is kept is bounded. */
const mostCities = 2_000;

export function cityStore(db: Knex) {
  return {
    /** The picture that is kept for a city. */
    async find(city: string): Promise<Uint8Array | null> {
      const found = await db('city_picture')
        .join('picture', 'picture.id', 'city_picture.picture_id')
        .where({ city })
        .first('bytes');
      return found?.bytes ?? null;
    },

    /** Whether the caller is to look for a city's picture: one caller in an hour, of all workers, until there is one. */
    async claim(city: string): Promise<boolean> {
      const { rows } = await db.raw<{ rows: unknown[] }>(
        `insert into city_picture (city, looked_up_at) values (?, now())
         on conflict (city) do update set looked_up_at = now()
           where city_picture.picture_id is null and city_picture.looked_up_at < now() - interval '1 hour'
         returning city`,
        [city],
      );
      return rows.length > 0;
    },

    /** Keeps a city's picture, and lets go of those that were looked for the longest time ago if there are too many. */
    keep: (city: string, picture: Picture): Promise<void> =>
      db.transaction(async (transaction) => {
        const picture_id = await storePicture(transaction, picture);
        await transaction('city_picture').where({ city }).update({ picture_id });
        const { rows } = await transaction.raw<{ rows: { picture_id: number | null }[] }>(
          `delete from city_picture where city in (
             select city from city_picture order by looked_up_at desc offset ?
           ) returning picture_id`,
          [mostCities],
        );
        await transaction('picture')
          .whereIn(
            'id',
            rows.flatMap(({ picture_id }) => picture_id ?? []),
          )
          .whereNotExists((other) => void other.from('animal').whereRaw('picture_id = picture.id'))
          .whereNotExists((other) => void other.from('city_picture').whereRaw('picture_id = picture.id'))
          .delete();
      }),
  };
}
