import type { Knex } from 'knex';

export const name = '0005-once';

// Idempotent requests, many in one statement. The free space in the pages lets a response be added to its key without
// updating the indexes (HOT updates).
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    alter table idempotency set (fillfactor = 50);

    -- Takes an array of objects with "key" and "request" in hexadecimal, and any other fields. Returns the objects whose keys are new, which the
    -- caller must process now. Waits for transactions that hold the same keys. Locks keys in one order. Each call deletes up to 10 expired keys.
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

    -- Adds each pin once, and returns the stored row of each key. A pin is an object with the columns of a pin, the fields of idempotency_claim, and
    -- an "answer" to which its counts are added. The tally rows stay locked until the commit, so the counts are those just after this pin.
    -- The conditions are spelt out because "is not distinct from" uses no index. A generic plan, because planning each call would cost more than
    -- running it.
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
