import Joi from 'joi';
import { bbox, type Box } from '../collections/bbox.ts';
import { datetime } from '../collections/datetime.ts';
import { done, id, storable, tally, type Done } from '../http/fields.ts';
import { pins, type Pin } from '../pins/schema.ts';

/** Selects the rows that meet every given condition. */
export type Filter = { id?: number; datetime?: string; bbox?: Box; country?: string };

const rowId = id.description('One row by its id.');

/** Requires at least one condition, so that a forgotten parameter cannot mean "all". */
export const pinFilter = Joi.object<Filter>({
  id: rowId,
  datetime,
  bbox,
  country: storable(200).description('The country, spelled as in the pins.'),
})
  .or('id', 'datetime', 'bbox', 'country')
  .messages({ 'object.missing': 'At least one of id, datetime, bbox and country is required.' });

export const answerFilter = Joi.object<Filter>({ id: rowId, datetime })
  .or('id', 'datetime')
  .messages({ 'object.missing': 'At least one of id and datetime is required.' });

/** The result of a preview. A removal repeats it, so that it removes exactly these rows or none. */
export type Expected = { count: number; last_id: number };

const expected = {
  count: tally.description('The number of matching rows.'),
  last_id: id.min(0).description('The highest id among them; 0 if none match.'),
};

const repeated = {
  count: expected.count.required().description('The count of the preview.'),
  last_id: expected.last_id.required().description('The last_id of the preview.'),
};

export const pinRemoval = pinFilter.append<Filter & Expected>(repeated);
export const answerRemoval = answerFilter.append<Filter & Expected>(repeated);

const preview = {
  success: Joi.boolean().valid(true).required(),
  count: expected.count.required(),
  last_id: expected.last_id.required(),
};

export type Preview<Sample> = Expected & { success: true; sample: Sample[] };

export const pinPreview = Joi.object<Preview<Pin>>({
  ...preview,
  sample: pins.extract('locations').description('The newest of them, at most 10.'),
});

export type AnswerSample = {
  id: number;
  oid: number;
  question: string;
  option_selected: string;
  vr_timestamp: string;
};

export const answerPreview = Joi.object<Preview<AnswerSample>>({
  ...preview,
  sample: Joi.array()
    .items(
      Joi.object<AnswerSample, true>({
        id: id.required(),
        oid: id.required(),
        question: Joi.string().required(),
        option_selected: Joi.string().required(),
        vr_timestamp: Joi.string().isoDate().required(),
      }),
    )
    .required()
    .description('The newest of them, at most 10.'),
});

export type Removed = Done & { removed: number };

export const removed = done.append<Removed>({ removed: tally.required() });
