import type { Knex } from 'knex';

export const name = '0012-pin-counts';

/**
 * Stores pins once per idempotency key and returns their counts, from which the API builds the response. The row of a key stores only the counts.
 * Rows of earlier releases store the whole response, which contains the counts. `pin_add_once` stays until a later release, because the previous
 * release calls it during a deploy.
 */
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    -- Takes an array of objects with the columns of a pin and the fields of idempotency_claim. The tally rows stay locked until the commit, so the
    -- counts are those just after this pin. The conditions are spelt out because "is not distinct from" uses no index. A generic plan, because
    -- planning each call would cost more than running it.
    create function pin_insert_once(in_pins jsonb)
      returns table (key text, request text, country_count bigint, state_count bigint, city_count bigint)
      language plpgsql set plan_cache_mode = force_generic_plan
    as $$
    #variable_conflict use_column
    declare
      keys bytea[] := array(select decode(pin ->> 'key', 'hex') from jsonb_array_elements(in_pins) as pin);
      fresh jsonb := idempotency_claim(in_pins);
    begin
      insert into pin (latitude, longitude, country, state, city)
        select latitude, longitude, country, state, city from jsonb_populate_recordset(null::pin, fresh);

      with added as (
        select decode(key, 'hex') as key, country, state, city,
               count(*) over (partition by country order by number desc) - 1 as later_of_country,
               count(*) over (partition by country, state order by number desc) - 1 as later_of_state,
               count(*) over (partition by country, state, city order by number desc) - 1 as later_of_city
        from rows from (jsonb_to_recordset(fresh) as (key text, country text, state text, city text))
             with ordinality as each (key, country, state, city, number)
      )
      update idempotency as kept
      set answer = jsonb_build_object(
        'country_count', (select total from pin_tally as t where t.country = added.country and t.state is null and t.city is null)
          - later_of_country,
        'state_count', coalesce((select total from pin_tally as t
          where t.country = added.country and t.state = added.state and t.city is null) - later_of_state, 0),
        'city_count', coalesce((select total from pin_tally as t
          where (t.country = added.country and t.state = added.state and t.city = added.city)
             or (t.country = added.country and t.state is null and added.state is null and t.city = added.city)) - later_of_city, 0))
      from added
      where kept.key = added.key and kept.key = any (keys);

      return query
        select encode(kept.key, 'hex'), encode(kept.request, 'hex'), counts.country_count, counts.state_count, counts.city_count
        from idempotency as kept,
             jsonb_to_record(kept.answer::jsonb) as counts (country_count bigint, state_count bigint, city_count bigint)
        where kept.key = any (keys);
    end $$;

    create or replace function pin_add_once(in_pins jsonb) returns setof idempotency
      language sql
    as $$
      select distinct on (added.key)
             decode(added.key, 'hex'), decode(added.request, 'hex'),
             (asked -> 'answer' || jsonb_build_object(
               'country_count', country_count, 'state_count', state_count, 'city_count', city_count))::text,
             null::timestamptz
      from pin_insert_once(in_pins) as added
      join jsonb_array_elements(in_pins) as asked on asked ->> 'key' = added.key
      order by added.key
    $$;

    drop function pin_add(double precision, double precision, text, text, text);
  `);
}
