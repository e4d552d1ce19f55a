import { declaredRoutes } from '../../api/src/declared.ts';
import { asOpenapi30 } from '../../api/src/http/openapi-3.0.ts';
import { openapi } from '../../api/src/http/openapi.ts';

const document = openapi(declaredRoutes, '1.0.0');

/** The API definition in both versions of OpenAPI, as the API serves it. */
export const definitions = {
  'OpenAPI 3.1': document,
  'OpenAPI 3.0': { ...asOpenapi30(document), servers: [{ url: 'https://map.example.org' }] },
};
