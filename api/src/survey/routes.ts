import { conflict, notFound, onDuplicate, unprocessable } from '../http/errors.ts';
import { done } from '../http/fields.ts';
import { list } from '../http/list.ts';
import { routesWith, type Route } from '../http/route.ts';
import {
  answers,
  newOption,
  newQuestion,
  oid,
  oneOption,
  oneQuestion,
  optionAdded,
  options,
  optionUpdate,
  qid,
  questionAdded,
  questions,
  questionUpdate,
} from './schema.ts';
import { surveyStore, type SurveyStore } from './store.ts';

const route = routesWith(surveyStore);

const noQuestion = () => notFound('There is no such question.');
const noOption = () => notFound('There is no such option.');
const unknownQuestion = { 404: 'There is no such question.' };
const unknownOption = { 404: 'There is no such option.' };

export function surveyRoutes(): Route[] {
  return [...questionRoutes(), ...optionRoutes(), ...answerRoutes()];
}

function questionRoutes(): Route[] {
  const remove = async (store: SurveyStore, id: number) => {
    if (!(await store.removeQuestion(id))) throw noQuestion();
    return { success: true, message: 'The question is deactivated. Existing answers are kept.' } as const;
  };
  return [
    route(
      {
        method: 'get',
        path: '/api/questions',
        access: 'public',
        cached: 'survey',
        summary: 'The active questions of the survey, in order.',
        output: questions,
      },
      async ({ store }) => ({ questions: await store.questions() }),
    ),
    route(
      {
        method: 'post',
        path: '/api/questions',
        access: 'staff',
        summary: 'Adds a question. A deleted one is reactivated with its options and answers.',
        input: { body: newQuestion },
        output: questionAdded,
        idempotent: true,
        refuses: { 409: 'An active question has this text.' },
      },
      async ({ body, store }) => {
        const id = await store.addQuestion(body.text);
        if (id === null) throw conflict('This question already exists.');
        return { success: true, message: 'The question is added.', qid: id };
      },
    ),
    route(
      {
        method: 'delete',
        path: '/api/questions',
        access: 'staff',
        summary: 'Deactivates a question. Existing answers are kept.',
        input: { body: qid },
        output: done,
        refuses: unknownQuestion,
      },
      ({ body, store }) => remove(store, body.qid),
    ),
    route(
      {
        method: 'get',
        path: '/api/questions/qid/:qid',
        access: 'public',
        cached: 'survey',
        summary: 'One question.',
        input: { params: qid },
        output: oneQuestion,
        refuses: unknownQuestion,
      },
      async ({ params, store }) => {
        const question = await store.question(params.qid);
        if (!question) throw noQuestion();
        return { question };
      },
    ),
    route(
      {
        method: 'post',
        path: '/api/questions/qid/:qid',
        access: 'staff',
        summary:
          'Rewords a question. Existing answers keep referring to it; to ask something else, delete it and add another.',
        input: { params: qid, body: questionUpdate },
        output: done,
        refuses: { ...unknownQuestion, 409: 'Another question has this text.' },
      },
      async ({ params, body, store }) => {
        const found = await store
          .rewordQuestion(params.qid, body.updated_text)
          .catch(
            onDuplicate(
              'Another question has this text, possibly a deleted one: add that one again instead.',
            ),
          );
        if (!found) throw noQuestion();
        return { success: true, message: 'The question is reworded.' };
      },
    ),
    route(
      {
        method: 'delete',
        path: '/api/questions/qid/:qid',
        access: 'staff',
        summary: 'Deactivates a question. Existing answers are kept.',
        input: { params: qid },
        output: done,
        refuses: unknownQuestion,
      },
      ({ params, store }) => remove(store, params.qid),
    ),
  ];
}

function optionRoutes(): Route[] {
  const remove = async (store: SurveyStore, id: number) => {
    if (!(await store.removeOption(id))) throw noOption();
    return { success: true, message: 'The option is deactivated. Existing answers are kept.' } as const;
  };
  return [
    route(
      {
        method: 'get',
        path: '/api/options',
        access: 'public',
        cached: 'survey',
        summary: 'The active options of all questions, in order.',
        output: options,
      },
      async ({ store }) => ({ options: await store.options() }),
    ),
    route(
      {
        method: 'delete',
        path: '/api/options',
        access: 'staff',
        summary: 'Deactivates an option. Existing answers are kept.',
        input: { body: oid },
        output: done,
        refuses: unknownOption,
      },
      ({ body, store }) => remove(store, body.oid),
    ),
    route(
      {
        method: 'get',
        path: '/api/options/oid/:oid',
        access: 'public',
        cached: 'survey',
        summary: 'One option.',
        input: { params: oid },
        output: oneOption,
        refuses: unknownOption,
      },
      async ({ params, store }) => {
        const option = await store.option(params.oid);
        if (!option) throw noOption();
        return { option };
      },
    ),
    route(
      {
        method: 'post',
        path: '/api/options/oid/:oid',
        access: 'staff',
        summary:
          'Rewords an option. Existing answers keep referring to it; to offer something else, delete it and add another.',
        input: { params: oid, body: optionUpdate },
        output: done,
        refuses: { ...unknownOption, 409: 'The question has another option with this text.' },
      },
      async ({ params, body, store }) => {
        const found = await store
          .rewordOption(params.oid, body.updated_text)
          .catch(
            onDuplicate(
              'The question has an option with this text, possibly a deleted one: add that one again instead.',
            ),
          );
        if (!found) throw noOption();
        return { success: true, message: 'The option is reworded.' };
      },
    ),
    route(
      {
        method: 'delete',
        path: '/api/options/oid/:oid',
        access: 'staff',
        summary: 'Deactivates an option. Existing answers are kept.',
        input: { params: oid },
        output: done,
        refuses: unknownOption,
      },
      ({ params, store }) => remove(store, params.oid),
    ),
    route(
      {
        method: 'get',
        path: '/api/options/qid/:qid',
        access: 'public',
        cached: 'survey',
        summary: 'The active options of one question, in order.',
        input: { params: qid },
        output: options,
        refuses: unknownQuestion,
      },
      async ({ params, store }) => {
        if (!(await store.question(params.qid))) throw noQuestion();
        return { options: await store.optionsOf(params.qid) };
      },
    ),
    route(
      {
        method: 'post',
        path: '/api/options/qid/:qid',
        access: 'staff',
        summary: 'Adds an option to a question. A deleted one is reactivated with its answers.',
        input: { params: qid, body: newOption },
        output: optionAdded,
        idempotent: true,
        refuses: { ...unknownQuestion, 409: 'The question already has this option.' },
      },
      async ({ params, body, store }) => {
        if (!(await store.question(params.qid))) throw noQuestion();
        const id = await store.addOption(params.qid, body.text);
        if (id === null) throw conflict('The question already has this option.');
        return { success: true, message: 'The option is added.', oid: id };
      },
    ),
  ];
}

function answerRoutes(): Route[] {
  return [
    route(
      {
        method: 'post',
        path: '/api/visitor_response',
        access: 'public',
        summary: "Records a visitor's answer at the current time. Returns 422 for an inactive option.",
        input: { body: oid },
        output: done,
        idempotent: true,
        refuses: { ...unknownOption, 422: 'The option is no longer offered.' },
      },
      async ({ body, store }) => {
        const outcome = await store.answer(body.oid);
        if (outcome === 'unknown') throw noOption();
        if (outcome === 'deleted') throw unprocessable('This option is no longer offered.');
        return { success: true, message: 'The answer is recorded.' };
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/visitor_response',
        access: 'staff',
        summary: 'All answers of visitors, in the order of their ids.',
        output: answers,
      },
      ({ store }) => list('responses', store.answers()),
    ),
  ];
}
