import Joi from 'joi';
import { done, id, storable, type Done } from '../http/fields.ts';

/** The maximum length of a text, in characters. */
export const longest = { question: 160, option: 100 };

const questionText = storable(longest.question);
const optionText = storable(longest.option);

export type Question = { qid: number; text: string };

const question = Joi.object<Question, true>({ qid: id.required(), text: Joi.string().required() }).meta({
  component: 'Question',
  example: { qid: 1, text: 'How did you hear about us?' },
});

export const questions = Joi.object<{ questions: Question[] }, true>({
  questions: Joi.array().items(question).required(),
});

export const oneQuestion = Joi.object<{ question: Question }, true>({ question: question.required() });

export const questionAdded = done.append<Done & { qid: number }>({ qid: id.required() });

export type Option = { oid: number; qid: number; text: string };

const option = Joi.object<Option, true>({
  oid: id.required(),
  qid: id.required(),
  text: Joi.string().required(),
}).meta({ component: 'Option', example: { oid: 3, qid: 1, text: 'From a friend' } });

export const options = Joi.object<{ options: Option[] }, true>({
  options: Joi.array().items(option).required(),
});

export const oneOption = Joi.object<{ option: Option }, true>({ option: option.required() });

export const optionAdded = done.append<Done & { oid: number }>({ oid: id.required() });

export type Qid = { qid: number };
export const qid = Joi.object<Qid, true>({ qid: id.required() });

export type Oid = { oid: number };
export const oid = Joi.object<Oid, true>({ oid: id.required() });

export const newQuestion = Joi.object<{ text: string }, true>({ text: questionText.required() });
export const newOption = Joi.object<{ text: string }, true>({ text: optionText.required() });
export const questionUpdate = Joi.object<{ updated_text: string }, true>({
  updated_text: questionText.required(),
});
export const optionUpdate = Joi.object<{ updated_text: string }, true>({
  updated_text: optionText.required(),
});

export type Answer = { oid: number; vr_timestamp: string };

export const answers = Joi.object<{ responses: Answer[] }, true>({
  responses: Joi.array()
    .items(Joi.object<Answer, true>({ oid: id.required(), vr_timestamp: Joi.string().isoDate().required() }))
    .required(),
});
