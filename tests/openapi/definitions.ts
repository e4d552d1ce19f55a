import { declareRoutes, type Dependencies } from '../../api/src/app.ts';
import { asOpenapi30 } from '../../api/src/http/openapi-3.0.ts';
import { openapi } from '../../api/src/http/openapi.ts';

// Only declared, never called: no handler runs.
const routes = declareRoutes({
  db: () => undefined,
  staffEmails: new Set(),
  sessionKey: Buffer.alloc(32),
  log: {},
} as unknown as Dependencies);

const document = openapi(routes, '1.0.0');

/** The API definition in both versions of OpenAPI, as the API serves it. */
export const definitions = {
  'OpenAPI 3.1': document,
  'OpenAPI 3.0': { ...asOpenapi30(document), servers: [{ url: 'https://map.example.org' }] },
};
