import Joi from 'joi';
import { acceptedForm } from '../http/accept.ts';
import { addressed, type Addressed } from '../http/base.ts';
import { id } from '../http/fields.ts';
import { bbox, type Box } from './bbox.ts';
import { datetime } from './datetime.ts';
import { finest } from './grid.ts';
import { after, sortby } from './sort.ts';

export type Link = { href: string; rel: string; type?: string; title?: string };

const links = Joi.array()
  .items(
    Joi.object<Link, true>({
      href: Joi.string().uri().required(),
      rel: Joi.string().required(),
      type: Joi.string(),
      title: Joi.string(),
    }).meta({
      component: 'Link',
      example: { href: 'https://map.example.org/collections', rel: 'data', type: 'application/json' },
    }),
  )
  .required();

const title = Joi.string().required();

export type Landing = { title: string; description: string; links: Link[] };

export const landing = Joi.object<Landing, true>({ title, description: title, links }).meta({
  component: 'LandingPage',
});

export type Conformance = { conformsTo: string[] };

export const conformance = Joi.object<Conformance, true>({
  conformsTo: Joi.array().items(Joi.string().uri()).required(),
}).meta({ component: 'Conformance' });

/** The extent of a collection in space and time: `bbox` in degrees, times in UTC. */
export type Extent = {
  spatial: { bbox: number[][] };
  temporal: { interval: (string | null)[][] };
};

export type Described = {
  id: string;
  title: string;
  description: string;
  itemType: 'feature';
  crs: string[];
  extent?: Extent;
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
  }).description('The smallest extent that contains all features. Missing if there are none.'),
  links,
}).meta({ component: 'Collection' });

export type Collections = { links: Link[]; collections: Described[] };

export const collections = Joi.object<Collections>({
  links,
  collections: Joi.array().items(described).required(),
}).meta({ component: 'Collections' });

/** Documents are JSON, or HTML for browsers. `f` takes precedence over the header Accept. */
export type DocumentQuery = { f?: 'json' };

export const documentQuery = Joi.object<DocumentQuery, true>({
  f: Joi.string().valid('json').description('Requests JSON, also in a browser.'),
});

export const documentHeaders = addressed.append<DocumentHeaders>({
  accept: acceptedForm({ json: ['application/json'], html: ['text/html'] }),
});

export type DocumentHeaders = Addressed & { accept: 'json' | 'html' };

export const usualLimit = 10;
export const mostAtOnce = 10_000;

export type ItemsQuery = {
  bbox?: Box;
  datetime?: string;
  limit?: number;
  sortby?: string;
  after?: string;
  f?: 'json' | 'csv';
  /** The queryables. */
  [name: string]: unknown;
};

/** The parameters of a collection's items. */
export const itemsQuery = (queryables: Record<string, Joi.Schema>, sortables: readonly string[]) =>
  Joi.object<ItemsQuery>({
    bbox,
    datetime,
    limit: Joi.number()
      .integer()
      .min(1)
      .max(Number.MAX_SAFE_INTEGER)
      .custom((limit: number) => Math.min(limit, mostAtOnce))
      .description(
        `The number of features per page. Larger numbers are reduced to ${mostAtOnce}. Without a limit, CSV contains all features.`,
      )
      .meta({
        parameter: {
          schema: { type: 'integer', minimum: 1, maximum: mostAtOnce, default: usualLimit },
          example: 100,
        },
      }),
    ...queryables,
    sortby: sortby(sortables),
    after,
    f: Joi.string()
      .valid('json', 'csv')
      .description('GeoJSON, or a CSV file. Takes precedence over the header Accept.'),
  });

export type ItemsHeaders = Addressed & { accept: 'json' | 'csv' | 'html' };

export const itemsHeaders = addressed.append<ItemsHeaders>({
  accept: acceptedForm({
    json: ['application/geo+json', 'application/json'],
    csv: ['text/csv'],
    html: ['text/html'],
  }),
});

/** A JSON Schema 2020-12 of the properties that are parameters. */
export const queryablesSchema = Joi.object().unknown();

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
/**
 * Longitude and latitude, both with the range of longitudes: for items with different schemas, Joi generates keywords
 * that JSON Schema 2020-12 no longer has.
 */
const position = Joi.array().items(Joi.number().min(-180).max(180)).length(2).required();
const featureWith = (properties: Joi.ObjectSchema) => ({
  type: type('Feature'),
  id: id.required(),
  geometry: Joi.object({ type: type('Point'), coordinates: position }).required(),
  properties,
});

/** A single feature as a document. */
export const feature = (name: string, properties: Joi.ObjectSchema) =>
  Joi.object({ ...featureWith(properties), links }).meta({ component: `${name}FeatureDocument` });

export const featureCollection = (name: string, properties: Joi.ObjectSchema) =>
  Joi.object({
    type: type('FeatureCollection'),
    links,
    timeStamp: Joi.string().isoDate().required(),
    numberMatched: id.min(0).description('Missing if the features are filtered.'),
    numberReturned: id.min(0).required(),
    features: Joi.array()
      .items(Joi.object(featureWith(properties)).meta({ component: `${name}Feature` }))
      .required(),
  }).meta({ component: `${name}FeaturePage` });

export type GridQuery = { zoom: number; bbox?: Box };

export const gridQuery = Joi.object<GridQuery>({
  zoom: Joi.number()
    .integer()
    .min(0)
    .max(finest)
    .required()
    .description('The world is 2^zoom cells wide and as many high: the tiles of a web map.'),
  bbox: bbox.description(
    'west,south,east,north in degrees. The cells that it touches are counted completely. Required if the whole world has more cells than one response may contain.',
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
}).meta({ component: 'PinGrid' });
