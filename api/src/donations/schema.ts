import Joi from 'joi';
import { id } from '../http/fields.ts';

export type DonationVisit = { id: number; timestamp: string };

export const donationVisits = Joi.object<{ donation_visits: DonationVisit[] }, true>({
  donation_visits: Joi.array()
    .items(
      Joi.object<DonationVisit, true>({ id: id.required(), timestamp: Joi.string().isoDate().required() }),
    )
    .required(),
});

export type Purpose = { 'sec-purpose'?: string; purpose?: string };

const prefetches = (header: string) =>
  Joi.string()
    .allow('')
    .description(
      `With "prefetch" in ${header} the visit is not counted: the browser loads the page in advance.`,
    );

/** Headers that browsers send when they prefetch a page. Safari and older versions of Chrome send the second one. */
export const purpose = Joi.object<Purpose, true>({
  'sec-purpose': prefetches('Sec-Purpose'),
  purpose: prefetches('Purpose'),
});
