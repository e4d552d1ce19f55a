import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { routesFile } from '../release/routes-file.ts';
import { routesText } from '../release/routes.ts';

describe('The routes in the role nginx', () => {
  const root = new URL('../../', import.meta.url);

  it('match the declarations', () => {
    const committed = readFileSync(new URL(routesFile, root), 'utf8');
    expect(committed, `${routesFile} is outdated. Run \`npm run build\` and commit the file.`).to.equal(
      routesText(),
    );
  });
});
