import { createConfig, lintFromString } from '@redocly/openapi-core';
import spectralCore, { type RulesetDefinition } from '@stoplight/spectral-core';
import spectralRulesets from '@stoplight/spectral-rulesets';
import { definitions } from './definitions.ts';

const redocly = await createConfig({
  extends: ['recommended'],
  rules: {
    // The code is not licensed for use by others.
    'info-license': 'off',
    // Two operations have no 2xx response: a removed one (410) and a redirect (302).
    'operation-2xx-response': 'off',
  },
});

const spectral = new spectralCore.Spectral();
spectral.setRuleset({
  extends: [spectralRulesets.oas as RulesetDefinition],
  rules: {
    // The contact would be the operator, who differs for each installation.
    'info-contact': 'off',
    // Each operation has a summary, which is sufficient.
    'operation-description': 'off',
    // The same two operations as above.
    'operation-success-response': 'off',
  },
});

/** Prints what Redocly and Spectral find in each version of the API definition, warnings too. */
let found = 0;
for (const [name, document] of Object.entries(definitions)) {
  const source = JSON.stringify(document, null, 2);
  const problems = [
    ...(await lintFromString({ source, config: redocly })).map(
      ({ ruleId, message, location: [at] }) => `Redocly ${ruleId}: ${message} (${at?.pointer ?? ''})`,
    ),
    ...(await spectral.run(source)).map(
      ({ code, message, path }) => `Spectral ${code}: ${message} (${path.join('/')})`,
    ),
  ];
  for (const problem of problems) process.stdout.write(`${name}: ${problem}\n`);
  found += problems.length;
}
process.exitCode = found > 0 ? 1 : 0;
