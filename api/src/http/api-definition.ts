/**
 * The paths of the API definition in both versions of OpenAPI, and their media types
 * (https://spec.openapis.org/oas/latest#media-types).
 */
export const openapi31 = {
  path: '/openapi.json',
  mediaType: 'application/vnd.oai.openapi+json;version=3.1',
};

/** The version that OGC API – Features 1.0 requires. */
export const openapi30 = {
  path: '/openapi-3.0.json',
  mediaType: 'application/vnd.oai.openapi+json;version=3.0',
};
