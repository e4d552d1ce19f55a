import type { Knex } from 'knex';

export const name = '0003-survey';

// An answer references its option, never its text. Options and questions are deactivated instead of deleted, so no
// answer is ever lost.
export async function up(db: Knex): Promise<void> {
  await db.raw(`
    create table visitor_response (
      id bigint generated always as identity primary key,
      option_id bigint not null references option,
      answered_at timestamptz not null default now()
    );

    create table donation_visit (
      id bigint generated always as identity primary key,
      visited_at timestamptz not null default now()
    );

    create table idempotency (
      key bytea primary key,
      request bytea not null,
      answer text,
      expires_at timestamptz not null
    );
    create index idempotency_expiry on idempotency (expires_at);
  `);
}
