import Joi from 'joi';
import { id } from '../http/fields.ts';

const text = Joi.string().allow('').required();
const maybe = text.allow(null);
const time = Joi.string().isoDate().required();

export type SurveyRow = { question: string; option_selected: string; timestamp: string };
export type PinRow = { city: string | null; state: string | null; country: string; visit_date: string };
export type DonationRow = { visit_counter: number; timestamp: string };

/** What the console turns into a table: each is `{responses: [row, …]}`. */
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
  f: Joi.string().valid('json', 'csv').description('The format of the answer; json unless it is given.'),
});

export type Recipient = { email_address: string };

export const recipient = Joi.object<Recipient, true>({
  // Whether there is such a domain is for the mail server to find out.
  email_address: Joi.string().max(254).email({ tlds: false }).required(),
});
