import type { Knex } from 'knex';
import { inPages } from '../database/pages.ts';
import type { DonationRow, PinRow, SurveyRow } from './schema.ts';

export type ReportStore = ReturnType<typeof reportStore>;

type Answer = { id: number; question: string; option: string; answered_at: Date };

/** The rows of the three reports, in pages and in the order of their ids. */
export function reportStore(db: Knex) {
  return {
    /** Includes answers to inactive questions. They show the current wording. */
    survey: () =>
      inPages(
        (after, limit) =>
          db('visitor_response as answer')
            .join('option', 'option.id', 'answer.option_id')
            .join('question', 'question.id', 'option.question_id')
            .where('answer.id', '>', after)
            .orderBy('answer.id')
            .limit(limit)
            .select<Answer[]>(
              'answer.id',
              'question.text as question',
              'option.text as option',
              'answered_at',
            ),
        ({ question, option, answered_at }): SurveyRow => ({
          question,
          option_selected: option,
          timestamp: answered_at.toISOString(),
        }),
      ),

    pins: () =>
      inPages(
        (after, limit) =>
          db('pin')
            .where('id', '>', after)
            .orderBy('id')
            .limit(limit)
            .select('id', 'city', 'state', 'country', 'visited_at'),
        ({ city, state, country, visited_at }): PinRow => ({
          city,
          state,
          country,
          visit_date: visited_at.toISOString(),
        }),
      ),

    donations: () =>
      inPages(
        (after, limit) =>
          db('donation_visit').where('id', '>', after).orderBy('id').limit(limit).select('id', 'visited_at'),
        ({ id, visited_at }): DonationRow => ({ visit_counter: id, timestamp: visited_at.toISOString() }),
      ),
  };
}
