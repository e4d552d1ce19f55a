import type { Knex } from 'knex';
import { intervalOf } from '../collections/datetime.ts';
import { retrying } from '../database/retry.ts';
import type { Pin } from '../pins/schema.ts';
import { pinOf } from '../pins/store.ts';
import type { AnswerSample, Expected, Filter } from './schema.ts';

/** Rows changed between a preview and its removal. Nothing was removed. */
export class Changed extends Error {}

/** Removes rows that a filter matches, after a preview of them. */
export type Removal<Sample> = {
  preview: (filter: Filter) => Promise<Expected & { sample: Sample[] }>;
  /**
   * Removes the previewed rows in one transaction, which also updates the tallies. Rows added after the preview stay.
   * Throws `Changed` if the matching rows differ from the preview.
   */
  remove: (filter: Filter, expected: Expected) => Promise<number>;
};

type Table = { name: 'pin' | 'visitor_response'; time: 'visited_at' | 'answered_at' };

const pin: Table = { name: 'pin', time: 'visited_at' };
const answer: Table = { name: 'visitor_response', time: 'answered_at' };

const sampleSize = 10;

/** Formats a number of rows: "1 pin", "2 pins". */
export const counted = (count: number, what: 'pins' | 'answers'): string =>
  `${count} ${count === 1 ? what.slice(0, -1) : what}`;

export function pinRemoval(db: Knex): Removal<Pin> {
  const newest = async (filter: Filter) =>
    (await matching(db, pin, filter).orderBy('id', 'desc').limit(sampleSize)).map(pinOf);
  return removalOf(db, pin, newest);
}

type AnswerRow = { id: number; option_id: number; answered_at: Date; question: string; option: string };

export function answerRemoval(db: Knex): Removal<AnswerSample> {
  const newest = async (filter: Filter) => {
    const rows = await db
      .from(matching(db, answer, filter).orderBy('id', 'desc').limit(sampleSize).as('answer'))
      .join('option', 'option.id', 'answer.option_id')
      .join('question', 'question.id', 'option.question_id')
      .orderBy('answer.id', 'desc')
      .select<AnswerRow[]>('answer.*', 'question.text as question', 'option.text as option');
    return rows.map(({ id, option_id, answered_at, question, option }) => ({
      id,
      oid: option_id,
      question,
      option_selected: option,
      vr_timestamp: answered_at.toISOString(),
    }));
  };
  return removalOf(db, answer, newest);
}

function removalOf<Sample>(
  db: Knex,
  table: Table,
  newest: (filter: Filter) => Promise<Sample[]>,
): Removal<Sample> {
  return {
    async preview(filter) {
      const [found, sample] = await Promise.all([
        matching(db, table, filter).first<Expected>(
          db.raw('count(*)::bigint as count, coalesce(max(id), 0)::bigint as last_id'),
        ),
        newest(filter),
      ]);
      return { count: found.count, last_id: found.last_id, sample };
    },

    remove: (filter, { count, last_id }) =>
      retrying(db, () =>
        db.transaction(async (transaction) => {
          const removed = await matching(transaction, table, filter).where('id', '<=', last_id).delete();
          // Rolls back.
          if (removed !== count) {
            throw new Changed(
              `Nothing was removed: ${removed} rows match now, ${count} matched in the preview. Preview them again.`,
            );
          }
          return removed;
        }),
      ),
  };
}

function matching(
  db: Knex,
  { name, time }: Table,
  { id, datetime, bbox, country }: Filter,
): Knex.QueryBuilder {
  const query = db(name as string);
  if (id !== undefined) void query.where({ id });
  if (country !== undefined) void query.where({ country });
  if (datetime !== undefined) {
    const { from, before } = intervalOf(datetime);
    if (from !== null) void query.where(time, '>=', new Date(from));
    if (before !== null) void query.where(time, '<', new Date(before));
  }
  if (bbox !== undefined) {
    const { west, south, east, north } = bbox;
    void query.whereBetween('latitude', [south, north]);
    if (west <= east) void query.whereBetween('longitude', [west, east]);
    else
      void query.where(
        (across) => void across.where('longitude', '>=', west).orWhere('longitude', '<=', east),
      );
  }
  return query;
}
