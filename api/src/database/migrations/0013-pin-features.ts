import type { Knex } from 'knex';

export const name = '0013-pin-features';

// A pin as GeoJSON, in "feature": building the texts of a page for each request cost PostgreSQL more than the rest of the statement. A trigger
// writes the text, whatever changes the pin. A generated column would keep the table locked while PostgreSQL rewrites it, 0.8 s for 100,000 pins.
// The next migration fills the existing rows, in a transaction of its own, because this one locks the table.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    alter table pin add column feature text;

    create function pin_feature_follow() returns trigger
      language plpgsql
    as $$
    begin
      new.feature := concat(
        '{"type":"Feature","id":', new.id,
        ',"geometry":{"type":"Point","coordinates":[', new.longitude, ',', new.latitude,
        ']},"properties":', (
          select row_to_json(properties)
          from (
            select new.city, new.state, new.country,
                   to_char(new.visited_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as visit_date
          ) as properties
        ), '}');
      return new;
    end $$;

    create trigger pin_feature before insert or update on pin
      for each row execute function pin_feature_follow();
  `);
}
