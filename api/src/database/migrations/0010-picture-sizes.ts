import type { Knex } from 'knex';

export const name = '0010-picture-sizes';

// A picture in each width that is served, created at upload, so that requests for lists decode no pictures. Encoded
// pictures do not compress, so PostgreSQL's compression is disabled.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table picture_size (
      picture_id bigint not null references picture on delete cascade,
      width integer not null,
      media_type text not null,
      bytes bytea not null,
      primary key (picture_id, width, media_type)
    );
    alter table picture_size alter column bytes set storage external;
  `);
}
