import type { Knex } from 'knex';

export const name = '0004-animals';

// A collection's revision changes with every statement that may change its rows. These tables are written rarely, so
// the shared row causes no contention.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table city_picture (
      city text primary key,
      picture_id bigint references picture,
      looked_up_at timestamptz not null
    );
    create index city_picture_picture on city_picture (picture_id);
    create index city_picture_age on city_picture (looked_up_at);

    create table revision (
      collection text primary key,
      number bigint not null
    );
    insert into revision (collection, number) values ('animals', 1), ('survey', 1), ('totals', 1);

    create function revision_follow() returns trigger
      language plpgsql security definer set search_path = public, pg_temp
    as $$
    begin
      update revision set number = number + 1 where collection = tg_argv[0];
      return null;
    end $$;

    create trigger animal_revision after insert or update or delete or truncate on animal
      for each statement execute function revision_follow('animals');
    create trigger question_revision after insert or update or delete or truncate on question
      for each statement execute function revision_follow('survey');
    create trigger option_revision after insert or update or delete or truncate on option
      for each statement execute function revision_follow('survey');
    create trigger count_revision after insert or update or delete or truncate on count
      for each statement execute function revision_follow('totals');
  `);
}
