import type { Knex } from 'knex';

export const name = '0005-once';

// Idempotent requests, many in one statement. The free space in the pages lets a response be added to its key without
// updating the indexes (HOT updates).
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    alter table idempotency set (fillfactor = 50);

    -- Takes an array of objects with "key" and "request", hexadecimal, and whatever else there is to know of a request. Answers those that are the first with their key, and
    -- are to be done now; waits for others that are being done. Keys are locked in one order. Each call clears up some keys whose day is over.
    create function idempotency_claim(in_requests jsonb) returns jsonb
      language plpgsql
    as $$
    declare
      fresh jsonb;
    begin
      with first as (
        select distinct on (asked ->> 'key') decode(asked ->> 'key', 'hex') as key, asked, number
        from jsonb_array_elements(in_requests) with ordinality as element (asked, number)
        order by asked ->> 'key', number
      ), expired as (
        select key from idempotency where expires_at < now() and key not in (select key from first)
        order by expires_at limit 10 for update skip locked
      ), cleared as (
        delete from idempotency using expired where idempotency.key = expired.key
      ), claimed as (
        insert into idempotency (key, request, expires_at)
        select key, decode(asked ->> 'request', 'hex'), now() + interval '24 hours' from first order by key
        on conflict (key) do update set request = excluded.request, answer = null, expires_at = excluded.expires_at
          where idempotency.expires_at < now()
        returning key
      )
      select coalesce(jsonb_agg(asked order by number), '[]') into fresh from first join claimed using (key);
      return fresh;
    end $$;

    -- Adds pins, each once, and answers what is kept of each key. A pin is an object with the columns it fills, with what idempotency_claim needs, and with an
    -- "answer" that its counts are added to. The tallies stay locked until the commit, so each pin's counts are those just after it.
    -- The conditions are spelt out because "is not distinct from" uses no index. Plans of its own for each call would cost more than the work.
    create function pin_add_once(in_pins jsonb) returns setof idempotency
      language plpgsql set plan_cache_mode = force_generic_plan
    as $$
    declare
      keys bytea[] := array(select decode(pin ->> 'key', 'hex') from jsonb_array_elements(in_pins) as pin);
      fresh jsonb := idempotency_claim(in_pins);
    begin
      insert into pin (latitude, longitude, country, state, city)
        select latitude, longitude, country, state, city from jsonb_populate_recordset(null::pin, fresh);

      with added as (
        select decode(key, 'hex') as key, answer, country, state, city,
               count(*) over (partition by country order by number desc) - 1 as later_of_country,
               count(*) over (partition by country, state order by number desc) - 1 as later_of_state,
               count(*) over (partition by country, state, city order by number desc) - 1 as later_of_city
        from rows from (jsonb_to_recordset(fresh) as (key text, answer jsonb, country text, state text, city text))
             with ordinality as each (key, answer, country, state, city, number)
      )
      update idempotency as kept
      set answer = added.answer || jsonb_build_object(
        'country_count', (select total from pin_tally as t where t.country = added.country and t.state is null and t.city is null)
          - later_of_country,
        'state_count', coalesce((select total from pin_tally as t
          where t.country = added.country and t.state = added.state and t.city is null) - later_of_state, 0),
        'city_count', coalesce((select total from pin_tally as t
          where (t.country = added.country and t.state = added.state and t.city = added.city)
             or (t.country = added.country and t.state is null and added.state is null and t.city = added.city)) - later_of_city, 0))
      from added
      where kept.key = added.key and kept.key = any (keys);

      return query select * from idempotency where key = any (keys);
    end $$;
  `);
}
