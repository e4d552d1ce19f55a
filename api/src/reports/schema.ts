import Joi from 'joi';
import { id } from '../http/fields.ts';

const text = Joi.string().allow('').required();
const maybe = text.allow(null);
const time = Joi.string().isoDate().required();

export type SurveyRow = { question: string; option_selected: string; timestamp: string };
export type PinRow = { city: string | null; state: string | null; country: string; visit_date: string };
export type DonationRow = { visit_counter: number; timestamp: string };

/** The tables that the console displays: each is `{responses: [row, …]}`. */
export const surveyReport = report<SurveyRow>({ question: text, option_selected: text, timestamp: time });
export const pinReport = report<PinRow>({ city: maybe, state: maybe, country: text, visit_date: time });
export const donationReport = report<DonationRow>({ visit_counter: id.required(), timestamp: time });

function report<Row>(columns: Joi.StrictSchemaMap<Row>) {
  return Joi.object<{ responses: Row[] }, true>({
    responses: Joi.array().items(Joi.object<Row, true>(columns)).required(),
  });
}

export type Format = { f?: 'json' | 'csv' };

export const format = Joi.object<Format, true>({
  f: Joi.string().valid('json', 'csv').description('The format of the response. The default is json.'),
});

export type Recipient = { email_address: string };

export const recipient = Joi.object<Recipient, true>({
  // The mail server checks whether the domain exists.
  email_address: Joi.string().max(254).email({ tlds: false }).required(),
});
