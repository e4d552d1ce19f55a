import type { Knex } from 'knex';

export const name = '0001-visitors-animals-survey';

// The unique columns define when two rows are equal. An import adds equal rows only once.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table pin (
      id bigint generated always as identity primary key,
      latitude double precision not null check (latitude >= -90 and latitude <= 90),
      longitude double precision not null check (longitude >= -180 and longitude <= 180),
      country text not null,
      state text,
      city text,
      visited_at timestamptz not null default now()
    );
    create index pin_country on pin (country);
    create index pin_state on pin (state);
    create index pin_city on pin (city);

    create table picture (
      id bigint generated always as identity primary key,
      sha256 text not null unique,
      media_type text not null,
      bytes bytea not null
    );

    create table animal (
      id bigint generated always as identity primary key,
      latitude double precision not null check (latitude >= -90 and latitude <= 90),
      longitude double precision not null check (longitude >= -180 and longitude <= 180),
      name text not null,
      location_name text not null,
      placement_year integer,
      type text not null default '',
      notes text not null default '',
      picture_id bigint references picture,
      unique (name, latitude, longitude)
    );
    create index animal_picture on animal (picture_id);

    create table question (
      id bigint generated always as identity primary key,
      text text not null unique,
      active boolean not null default true
    );

    create table option (
      id bigint generated always as identity primary key,
      question_id bigint not null references question,
      text text not null,
      active boolean not null default true,
      unique (question_id, text)
    );

    create table count (
      name text primary key,
      total bigint not null check (total >= 0)
    );
    insert into count (name, total) values ('num_rescues', 0);
  `);
  await db.raw(tallies);
}

// The row of a country has neither state nor city; the row of a state has no city. Rows with a total of 0 stay:
// deleting them would take locks in a second order. The free space in the pages lets totals change in place, without
// updating the indexes (HOT updates).
const tallies = `
  create table pin_tally (
    country text not null,
    state text,
    city text,
    total bigint not null,
    unique nulls not distinct (country, state, city)
  ) with (fillfactor = 50);
  create index pin_tally_without_cities on pin_tally (country, state) where city is null;

  create function pin_tally_follow() returns trigger
    language plpgsql security definer set search_path = public, pg_temp
  as $$
  begin
    if tg_op = 'INSERT' then
      ${apply('select 1 as change, country, state, city from added')}
    elsif tg_op = 'DELETE' then
      ${apply('select -1 as change, country, state, city from removed')}
    elsif tg_op = 'UPDATE' then
      ${apply(`select 1 as change, country, state, city from added
               union all select -1, country, state, city from removed`)}
    else
      delete from pin_tally;
    end if;
    return null;
  end $$;

  create trigger pin_tally_insert after insert on pin
    referencing new table as added for each statement execute function pin_tally_follow();
  create trigger pin_tally_delete after delete on pin
    referencing old table as removed for each statement execute function pin_tally_follow();
  create trigger pin_tally_update after update on pin
    referencing old table as removed new table as added for each statement execute function pin_tally_follow();
  create trigger pin_tally_truncate after truncate on pin
    for each statement execute function pin_tally_follow();

  -- One round trip stores a pin and reads its counts. The tally rows stay locked until the commit, so the counts are those just after this pin.
  -- The conditions are spelt out because "is not distinct from" uses no index.
  create function pin_add(
    latitude double precision, longitude double precision, in_country text, in_state text, in_city text,
    out country_count bigint, out state_count bigint, out city_count bigint
  ) language plpgsql as $$
  begin
    insert into pin (latitude, longitude, country, state, city)
      values (latitude, longitude, in_country, in_state, in_city);
    select coalesce(max(total) filter (where state is null and city is null), 0),
           coalesce(max(total) filter (where state is not null and city is null), 0),
           coalesce(max(total) filter (where city is not null), 0)
      into country_count, state_count, city_count
      from pin_tally
      where (country = in_country and state is null and city is null)
         or (country = in_country and state = in_state and city is null)
         or (country = in_country and state = in_state and city = in_city)
         or (country = in_country and state is null and in_state is null and city = in_city);
  end $$;
`;

/**
 * The statement that adds rows of `change, country, state, city` to the tallies. Its order is the only order in which
 * their locks are taken.
 */
function apply(changes: string): string {
  return `
      insert into pin_tally as tally (country, state, city, total)
      select country, state, city, sum(change) from (
        with changed as (${changes})
        select change, country, null as state, null as city from changed
        union all select change, country, state, null from changed where state is not null
        union all select change, country, state, city from changed where city is not null
      ) as part
      group by country, state, city
      having sum(change) <> 0
      order by country, state, city
      on conflict (country, state, city) do update set total = tally.total + excluded.total;`;
}
