import Joi from 'joi';
import { id } from '../http/fields.ts';
import { bbox } from './bbox.ts';
import { datetime } from './datetime.ts';
import { finest } from './grid.ts';

export type Link = { href: string; rel: string; type?: string; title?: string };

const links = Joi.array()
  .items(
    Joi.object<Link, true>({
      href: Joi.string().uri().required(),
      rel: Joi.string().required(),
      type: Joi.string(),
      title: Joi.string(),
    }),
  )
  .required();

const title = Joi.string().required();

export type Landing = { title: string; description: string; links: Link[] };

export const landing = Joi.object<Landing, true>({ title, description: title, links });

export type Conformance = { conformsTo: string[] };

export const conformance = Joi.object<Conformance, true>({
  conformsTo: Joi.array().items(Joi.string().uri()).required(),
});

export type Described = {
  id: string;
  title: string;
  description: string;
  itemType: 'feature';
  crs: string[];
  extent: { spatial: { bbox: number[][] }; temporal: { interval: (string | null)[][] } };
  links: Link[];
};

export const described = Joi.object<Described>({
  id: Joi.string().required(),
  title,
  description: title,
  itemType: Joi.string().valid('feature').required(),
  crs: Joi.array().items(Joi.string().uri()).required(),
  extent: Joi.object({
    spatial: Joi.object({ bbox: Joi.array().items(Joi.array().items(Joi.number())).required() }).required(),
    temporal: Joi.object({
      interval: Joi.array()
        .items(Joi.array().items(Joi.string().isoDate().allow(null)))
        .required(),
    }).required(),
  }).required(),
  links,
});

export type Collections = { links: Link[]; collections: Described[] };

export const collections = Joi.object<Collections>({
  links,
  collections: Joi.array().items(described).required(),
});

export type ItemsQuery = {
  bbox?: string;
  datetime?: string;
  limit?: number;
  after: number;
  f: 'json' | 'csv';
};

export const itemsQuery = Joi.object<ItemsQuery, true>({
  bbox,
  datetime,
  limit: Joi.number()
    .integer()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .description('As GeoJSON 10 unless given and never more than 10,000; as CSV all unless given.'),
  after: Joi.number()
    .integer()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(0)
    .description('The id after which the page begins. The link "next" has it.'),
  f: Joi.string().valid('json', 'csv').default('json').description('GeoJSON, or a file of CSV.'),
});

export type ItemId = { id: number };

export const itemId = Joi.object<ItemId, true>({ id: id.required() });

const maybe = Joi.string().allow(null).required();
const text = Joi.string().allow('').required();

export type PinProperties = {
  city: string | null;
  state: string | null;
  country: string;
  visit_date: string;
};

export const pinProperties = Joi.object<PinProperties, true>({
  city: maybe,
  state: maybe,
  country: Joi.string().required(),
  visit_date: Joi.string().isoDate().required(),
}).required();

export type AnimalProperties = {
  animal_name: string;
  location_name: string;
  placement_year: number | null;
  animal_type: string;
  animal_notes: string;
  picture_url: string | null;
};

export const animalProperties = Joi.object<AnimalProperties, true>({
  animal_name: text,
  location_name: text,
  placement_year: Joi.number().integer().allow(null).required(),
  animal_type: text,
  animal_notes: text,
  picture_url: Joi.string().uri().allow(null).required(),
}).required();

const type = (name: string) => Joi.string().valid(name).required();
/** Longitude and latitude. Both within the wider range: of unlike items Joi makes a JSON Schema of before 2020-12. */
const position = Joi.array().items(Joi.number().min(-180).max(180)).length(2).required();
const featureWith = (properties: Joi.ObjectSchema) => ({
  type: type('Feature'),
  id: id.required(),
  geometry: Joi.object({ type: type('Point'), coordinates: position }).required(),
  properties,
});

/** A feature that stands alone. */
export const feature = (properties: Joi.ObjectSchema) => Joi.object({ ...featureWith(properties), links });

export const featureCollection = (properties: Joi.ObjectSchema) =>
  Joi.object({
    type: type('FeatureCollection'),
    links,
    timeStamp: Joi.string().isoDate().required(),
    numberMatched: id.min(0).description('Only where nothing is filtered.'),
    numberReturned: id.min(0).required(),
    features: Joi.array()
      .items(Joi.object(featureWith(properties)))
      .required(),
  });

export type GridQuery = { zoom: number; bbox?: string };

export const gridQuery = Joi.object<GridQuery, true>({
  zoom: Joi.number()
    .integer()
    .min(0)
    .max(finest)
    .required()
    .description('The world is 2^zoom cells wide and as many high: the tiles of a web map.'),
  bbox: bbox.description(
    'west,south,east,north in degrees: the cells that it touches are counted whole. Needed where the world has more cells than are answered at once.',
  ),
});

export const grid = Joi.object({
  type: type('FeatureCollection'),
  numberReturned: id.min(0).required(),
  features: Joi.array()
    .items(
      Joi.object({
        type: type('Feature'),
        id: Joi.string().required(),
        geometry: Joi.object({
          type: type('Polygon'),
          coordinates: Joi.array().items(Joi.array().items(position)).required(),
        }).required(),
        properties: Joi.object({
          count: id.required(),
          zoom: id.min(0).required(),
          x: id.min(0).required(),
          y: id.min(0).required(),
        }).required(),
      }),
    )
    .required(),
});
