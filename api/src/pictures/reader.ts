import { unsupportedMediaType } from '../http/errors.ts';
import { isForm, noPicture, type UploadReader } from '../http/body.ts';
import { json, jsonReader } from '../http/json-body.ts';
import { accepted, boundedBody, type Pictures } from './pictures.ts';

/**
 * Reads bodies with a picture. A large body is passed on to the process that decodes the picture: parsing megabytes of
 * JSON and base64 here would delay all other requests. A small body needs no process unless it contains a picture.
 */
export const uploadReader =
  (pictures: Pictures): UploadReader =>
  ({ field, limit, small }) => {
    const readJson = jsonReader(small);
    return async (request, response) => {
      const { headers } = request;
      const contentType = headers['content-type'] ?? '';
      const isLarge =
        headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > small;
      if (isForm(request) || (isLarge && json.test(contentType))) {
        const { body, picture } = await pictures.upload(boundedBody(request, limit), { contentType, field });
        return { body, picture: async () => accepted(picture) };
      }
      if (isLarge) {
        throw unsupportedMediaType(
          'The body must be JSON or multipart/form-data: set the header Content-Type.',
        );
      }
      await readJson(request, response);
      const body = request.body as Record<string, unknown> | undefined;
      const text = body?.[field];
      if (typeof text !== 'string') return { body, picture: noPicture };
      return { body, picture: () => pictures.ofText(text, field) };
    };
  };
