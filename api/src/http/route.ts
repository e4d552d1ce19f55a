import type { IncomingMessage } from 'node:http';
import type Joi from 'joi';
import type { Knex } from 'knex';
import type { Claim } from '../database/claim.ts';
import type { Collection } from '../database/tables.ts';
import type { Picture } from '../pictures/picture.ts';
import type { Limit } from './limit.ts';
import type { Outcome, Reply } from './reply.ts';
import type { Refusals } from './responses.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';

/** Who may call: everyone, or the staff. */
export type Access = 'public' | 'staff';

export type Staff = { email: string };

/** Resolves to the sender of a request. Throws 401 if the request carries no valid sign-in, 403 if the sender is not staff. */
export type StaffGate = (request: IncomingMessage) => Promise<Staff>;

/**
 * How repeated requests with one Idempotency-Key are executed only once. `true`: the store is made from a transaction, which also
 * records the response. `by the store`: the handler passes its `claim` to the store, whose statement records it.
 */
type Idempotency = true | 'by the store';

/** Only a route whose handler receives its store may be idempotent. */
type Allowed<Store> = Store extends undefined ? never : Idempotency;

/** A call of the API, declared once: mounted, validated and documented from this. The types of its input are those of its schemas. */
export type Declaration<
  Params,
  Query,
  Headers,
  Body,
  Output,
  Who extends Access,
  Once extends Idempotency,
> = {
  method: Method;
  /** In Express's syntax: `/api/locations/city/:name`. */
  path: string;
  access: Who;
  summary: string;
  input?: {
    params?: Joi.ObjectSchema<Params>;
    query?: Joi.ObjectSchema<Query>;
    /** Names in lower case. Headers that are not declared are left out. */
    headers?: Joi.ObjectSchema<Headers>;
    /** Required, unless the schema is marked `.optional()`. */
    body?: Joi.ObjectSchema<Body>;
  };
  idempotent?: Once;
  /** For a public `get`: the rows that its output depends on, besides the declared input. Its responses are cached until these rows change. */
  cached?: Collection;
  /** Whether the call writes, and so needs free disk space. Default: true, except for a `get`. */
  stores?: boolean;
  /** The rate limit that nginx applies. Default: `write` for a call that writes or is not a `get`, otherwise none. */
  limit?: Limit;
  /** Bytes of the body; 10,000 by default. */
  bodyLimit?: number;
  /**
   * The field of the body that may contain a picture: base64 or a data URL in JSON, a file in multipart/form-data. The handler receives
   * the decoded picture; the field then contains the digest of the file, or is empty without one.
   */
  pictureIn?: string;
  /** The body of a 200, if it is JSON. */
  output?: Joi.ObjectSchema<Output>;
  /** Other responses of the handler, sent as a `Reply`. */
  also?: readonly Outcome[];
  /** Errors that only this call sends. */
  refuses?: Refusals;
};

/** What a handler receives. */
type Input<Params, Query, Headers, Body, Sender, Store, Claimed> = {
  params: Params;
  query: Query;
  headers: Headers;
  body: Body;
  /** The uploaded picture if the route declares `pictureIn`; null without one. */
  picture: Picture | null;
  /** The sender of a call for staff. */
  staff: Sender;
  /** The feature's store, made from the transaction of an idempotent request, else from the pool. */
  store: Store;
  /** Identifies the request if its store makes it idempotent. */
  claim: Claimed;
  /** Whether the request is a HEAD. A `get` route handles HEAD as well. */
  isHead: boolean;
};

/** A group of calls in the API definition. */
export type Feature = { name: string; description: string };

type AnyDeclaration = Declaration<unknown, unknown, unknown, unknown, unknown, Access, Idempotency>;
type AnyInput = Input<unknown, unknown, unknown, unknown, unknown, unknown, unknown>;

/** A declared call with its handler. */
export type Route = AnyDeclaration & {
  feature?: Feature;
  makeStore(db: Knex): unknown;
  /** A method, so that handlers of every input are assignable: they only ever receive values that their own schemas have validated. */
  handler(input: AnyInput): unknown;
};

/**
 * Returns `route` for a feature whose handlers use one store. They receive it made from the right connection; nothing else that reaches the database
 * is in their scope, so an idempotent request cannot write outside its transaction.
 */
export function routesWith<Store>(makeStore: (db: Knex) => Store) {
  /** Declares a call. `handler` returns the body of a 200, or a `Reply`; an error that it throws becomes an error response. */
  return function route<
    Who extends Access,
    Output = never,
    Params = undefined,
    Query = undefined,
    Headers = undefined,
    Body = undefined,
    Once extends Allowed<Store> = never,
  >(
    declaration: Declaration<Params, Query, Headers, Body, Output, Who, Once>,
    handler: (
      input: Input<
        Params,
        Query,
        Headers,
        Body,
        Who extends 'staff' ? Staff : undefined,
        Store,
        Once extends 'by the store' ? Claim : undefined
      >,
    ) => Output | Reply | Promise<Output | Reply>,
  ): Route {
    return { ...declaration, makeStore, handler };
  };
}

/** Declares a call of a feature without a store of its own. It cannot be idempotent. */
export const route = routesWith(() => undefined);
