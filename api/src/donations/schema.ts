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
