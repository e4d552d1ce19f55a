import Joi from 'joi';
import type { Knex } from 'knex';
import { text } from '../http/fields.ts';
import { geoJsonType, type About } from './documents.ts';
import { animalProperties, pinProperties, type AnimalProperties, type PinProperties } from './schema.ts';
import { animalItems, pinItems, type Item, type ItemStore } from './store.ts';

/** A collection as published. */
export type Published<Properties> = About & {
  id: 'pins' | 'animals';
  /** The name of a feature in the API definition. */
  noun: string;
  items: ItemStore<Properties>;
  properties: Joi.ObjectSchema<Properties>;
  columns: readonly (keyof Item<Properties> & string)[];
  /** Properties that are also parameters. Each matches exactly. */
  queryables: Record<string, Joi.Schema>;
  /** Properties by which features can be sorted. */
  sortables: readonly string[];
};

export function publishedPins(db: Knex): Published<PinProperties> {
  return {
    id: 'pins',
    noun: 'Pin',
    title: 'Pins',
    description: 'The places that visitors come from, with the time of each visit.',
    links: (base) => [
      {
        rel: 'related',
        type: geoJsonType,
        title: 'The number of pins in each cell of a grid',
        href: `${base}/collections/pins/grid?zoom=4`,
      },
    ],
    items: pinItems(db),
    properties: pinProperties,
    columns: ['id', 'longitude', 'latitude', 'city', 'state', 'country', 'visit_date'],
    queryables: {
      country: text(200).description('Name of the country, for example France.'),
      state: text(200).description('Name of the first-level region, for example California.'),
      city: text(200).description('Name of the city, for example Laguna Beach.'),
    },
    sortables: ['visit_date'],
  };
}

export function publishedAnimals(db: Knex): Published<AnimalProperties> {
  return {
    id: 'animals',
    noun: 'Animal',
    title: 'Animals',
    description: 'Rescued animals and their places.',
    items: animalItems(db),
    properties: animalProperties,
    columns: [
      'id',
      'longitude',
      'latitude',
      'animal_name',
      'location_name',
      'placement_year',
      'animal_type',
      'animal_notes',
      'picture_url',
    ],
    queryables: {
      animal_type: text(200).description('Kind of animal, for example Sea Lion.'),
      placement_year: Joi.number().integer().min(1000).max(2999).description('Year of the placement.'),
    },
    sortables: ['placement_year'],
  };
}
