import type { Knex } from 'knex';
import { inPages } from '../database/pages.ts';
import type { OptionRow, QuestionRow } from '../database/tables.ts';
import type { Answer, Option, Question } from './schema.ts';

export type SurveyStore = ReturnType<typeof surveyStore>;

/**
 * Questions, their options and the visitors' answers. Nothing is deleted: questions and options are deactivated, and
 * adding the same text again reactivates them. The methods here ignore inactive ones, but the reports include their
 * answers.
 */
export function surveyStore(db: Knex) {
  const activeQuestions = () => db('question').where('active', true).select({ qid: 'id' }, 'text');
  const activeOptions = () =>
    db('option')
      .join('question', 'question.id', 'option.question_id')
      .where('option.active', true)
      .where('question.active', true)
      .select({ oid: 'option.id', qid: 'question_id', text: 'option.text' });
  const changeQuestion = async (id: number, change: Partial<QuestionRow>) =>
    (await db('question').where({ id, active: true }).update(change)) === 1;
  const changeOption = async (id: number, change: Partial<OptionRow>) =>
    (await db('option')
      .where({ id, active: true })
      .whereIn('question_id', db('question').where('active', true).select('id'))
      .update(change)) === 1;
  return {
    questions: (): Promise<Question[]> => activeQuestions().orderBy('id'),
    question: (qid: number): Promise<Question | undefined> => activeQuestions().where({ id: qid }).first(),

    /** Returns the new question's id, or null if an active question has this text. */
    async addQuestion(text: string): Promise<number | null> {
      const [added] = await db('question')
        .insert({ text })
        .onConflict('text')
        .merge({ active: true })
        .where('question.active', false)
        .returning('id');
      return added?.id ?? null;
    },

    /** The following methods return whether an active question or option with this id exists. */
    rewordQuestion: (qid: number, text: string) => changeQuestion(qid, { text }),
    removeQuestion: (qid: number) => changeQuestion(qid, { active: false }),
    rewordOption: (oid: number, text: string) => changeOption(oid, { text }),
    removeOption: (oid: number) => changeOption(oid, { active: false }),

    options: (): Promise<Option[]> => activeOptions().orderBy('option.id'),
    optionsOf: (qid: number): Promise<Option[]> =>
      activeOptions().where({ question_id: qid }).orderBy('option.id'),
    option: (oid: number): Promise<Option | undefined> => activeOptions().where('option.id', oid).first(),

    /**
     * Returns the new option's id, or null if the question has an active option with this text. The question must
     * exist.
     */
    async addOption(qid: number, text: string): Promise<number | null> {
      const [added] = await db('option')
        .insert({ question_id: qid, text })
        .onConflict(['question_id', 'text'])
        .merge({ active: true })
        .where('option.active', false)
        .returning('id');
      return added?.id ?? null;
    },

    /** Records an answer at the current time. Returns whether the option accepts answers, or does not exist. */
    async answer(oid: number): Promise<'recorded' | 'deleted' | 'unknown'> {
      const { rows } = await db.raw<{ rows: { open: boolean }[] }>(
        `with chosen as (
           select option.id, option.active and question.active as open
           from option join question on question.id = question_id
           where option.id = ?
         ), added as (
           insert into visitor_response (option_id) select id from chosen where open
         )
         select open from chosen`,
        [oid],
      );
      const [chosen] = rows;
      if (!chosen) return 'unknown';
      return chosen.open ? 'recorded' : 'deleted';
    },

    /** All answers in the order of their ids, in pages, including those to inactive options. */
    answers: () =>
      inPages(
        (after, limit) =>
          db('visitor_response')
            .where('id', '>', after)
            .orderBy('id')
            .limit(limit)
            .select('id', 'option_id', 'answered_at'),
        ({ option_id, answered_at }): Answer => ({ oid: option_id, vr_timestamp: answered_at.toISOString() }),
      ),
  };
}
