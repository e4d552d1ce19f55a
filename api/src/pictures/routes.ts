import Joi from 'joi';
import { notFound } from '../errors.ts';
import { bytes, type Outcome } from '../http/reply.ts';
import { route, type Route } from '../http/route.ts';
import { mediaTypes } from './picture.ts';
import { pictureUrl, type PictureStore } from './store.ts';

type Digest = { sha256: string };

const digest = Joi.object<Digest, true>({
  sha256: Joi.string()
    .pattern(/^[0-9a-f]{64}$/)
    .required()
    .description('Of the file, in hexadecimal.'),
});

const asPicture = mediaTypes.map((mediaType): Outcome => ({ status: 200, description: 'Done.', mediaType }));

/** The address names the content, so that what is there never changes. */
const headers = {
  'Cache-Control': 'public, max-age=31536000, immutable',
  'X-Content-Type-Options': 'nosniff',
};

export function pictureRoutes(store: PictureStore): Route[] {
  return [
    route(
      {
        method: 'get',
        path: pictureUrl(':sha256'),
        access: 'public',
        summary: 'A picture as a file, to be kept for good.',
        input: { params: digest },
        also: asPicture,
        refuses: { 404: 'There is no such picture.' },
      },
      async ({ params }) => {
        const picture = await store.find(params.sha256);
        if (!picture) throw notFound('There is no such picture.');
        return bytes(picture.bytes, picture.media_type, headers);
      },
    ),
  ];
}
