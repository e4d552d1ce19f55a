import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { allowedHeaders, allowedMethods, exposedHeaders } from './cors.ts';

describe('CORS headers', () => {
  const template = readFileSync(
    new URL('../../../roles/nginx/templates/site.conf.j2', import.meta.url),
    'utf8',
  );
  const mapped = (variable: string) =>
    new RegExp(`map \\$\\w+ \\$${variable} \\{[^}]*"([^"]+, [^"]+)";\\s*\\}`).exec(template)?.[1];

  it("match those of nginx's own responses", () => {
    expect(mapped('cors_exposed')).to.equal(exposedHeaders);
    expect(mapped('preflight_methods')).to.equal(allowedMethods);
    expect(mapped('preflight_headers')).to.equal(allowedHeaders);
  });
});
