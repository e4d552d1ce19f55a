import Joi from 'joi';
import { notFound } from '../http/errors.ts';
import { matches } from '../http/conditions.ts';
import { id } from '../http/fields.ts';
import { bytes, Reply, type Headers, type Outcome } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { widths } from './picture.ts';
import { pictureUrl, type PictureStore, type StoredPicture } from './store.ts';

type Digest = { sha256: string };

const digest = Joi.object<Digest, true>({
  sha256: Joi.string()
    .pattern(/^[0-9a-f]{64}$/)
    .required()
    .description('The SHA-256 digest of the picture, in hexadecimal.'),
});

type AnimalId = { id: number };

const animalId = Joi.object<AnimalId, true>({ id: id.required() });

type InWidth = { width?: number };

const inWidth = Joi.object<InWidth, true>({
  width: Joi.number()
    .valid(...widths)
    .description(
      'Width in pixels. A narrower picture keeps its own width. Without this parameter the response is the whole picture as JPEG.',
    ),
});

type Negotiated = { accept?: string; 'if-none-match'?: string };

const negotiated = Joi.object<Negotiated>({
  accept: Joi.string(),
  'if-none-match': Joi.string().description('The ETag of a picture that the client has.'),
});

// Pictures that earlier releases stored are PNG, GIF or WebP until they are converted.
const mediaTypes = ['image/jpeg', 'image/webp', 'image/png', 'image/gif'];

const asPicture: Outcome[] = [
  ...mediaTypes.map((mediaType) => ({ status: 200, description: 'Done.', mediaType })),
  { status: 304, description: 'The client already has the picture.' },
];

const forGood = 'public, max-age=31536000, immutable';
const askEachTime = 'no-cache';

/** `fallback` is the picture for animals that have none. */
export function pictureRoutes(store: PictureStore, fallback: StoredPicture): Route[] {
  return [
    route(
      {
        method: 'get',
        path: pictureUrl(':sha256'),
        access: 'public',
        summary: 'A picture as a file. The path identifies the content, so clients may cache it forever.',
        input: { params: digest, query: inWidth, headers: negotiated },
        also: asPicture,
        refuses: { 404: 'There is no such picture.' },
      },
      async ({ params, query, headers }) => {
        const picture = await store.find(params.sha256, wanted(query, headers));
        if (!picture) throw notFound('There is no such picture.');
        return pictureReply(picture, query, headers, forGood);
      },
    ),
    route(
      {
        method: 'get',
        path: '/api/animal_locations/:id/picture',
        access: 'public',
        summary: 'The picture of an animal as a file: WebP where the client accepts it, else JPEG.',
        input: { params: animalId, query: inWidth, headers: negotiated },
        also: asPicture,
        refuses: { 404: 'There is no such animal.' },
      },
      async ({ params, query, headers }) => {
        const picture = await store.ofAnimal(params.id, wanted(query, headers));
        if (picture === undefined) throw notFound('There is no such animal.');
        return pictureReply(picture ?? fallback, query, headers, askEachTime);
      },
    ),
  ];
}

function wanted({ width }: InWidth, { accept = '' }: Negotiated) {
  return { width, acceptsWebp: /image\/webp(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(accept) };
}

function pictureReply(
  { sha256, media_type, bytes: content }: StoredPicture,
  { width }: InWidth,
  { 'if-none-match': known }: Negotiated,
  caching: string,
): Reply {
  const tag = `"${[sha256.slice(0, 20), width ?? 'whole', media_type.slice(6)].join('-')}"`;
  const headers: Headers = {
    'Cache-Control': caching,
    ETag: tag,
    Vary: 'Accept',
    'X-Content-Type-Options': 'nosniff',
  };
  return matches(known, tag) ? new Reply(304, headers, '') : bytes(content, media_type, headers);
}
