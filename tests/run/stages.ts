import { globSync, readFileSync } from 'node:fs';
import { runChecks } from './checks.ts';
import { have, installPackages, root, run } from './command.ts';
import { machinesCannotRun, runMachineTests } from './machines.ts';
import { runFuzz } from './fuzz.ts';
import { runMocha } from './mocha.ts';
import { withPostgresql } from './postgresql.ts';
import { failure, leftOut, type Stage } from './stage.ts';

const apiTests = ['api/src/**/*.test.ts'];

/** The API tests that use a database. The others have the same result with any. */
const databaseTests = () =>
  apiTests
    .flatMap((spec) => globSync(spec, { cwd: root }))
    .filter((file) => usesDatabase.test(readFileSync(root + file, 'utf8')));

const usesDatabase = /\b(useApi|useImport|freshDatabase)\(/;

/** The stages of `npm test`, fastest first. Two run in parallel, except those with `alone`. */
export const stages: Stage[] = [
  {
    name: 'lint',
    title: 'Lint and types',
    quick: true,
    run: (_files, quick) => runChecks(quick),
  },
  {
    name: 'docs',
    title: 'The documents: links, and commands with their output',
    quick: true,
    run: (files) =>
      runMocha({ specs: files.length > 0 ? files : ['tests/docs/*.test.ts'], seconds: 60, verbose: true }),
  },
  {
    name: 'unit',
    title: 'Unit and API tests on the embedded database',
    quick: true,
    run: (files, quick) =>
      runMocha({ specs: files.length > 0 ? files : apiTests, withoutSlow: quick, minutes: 60 }),
  },
  {
    name: 'postgresql',
    title: 'The API tests that use a database, on a real PostgreSQL',
    run: async (files) =>
      (await withPostgresql((url) =>
        runMocha({
          specs: files.length > 0 ? files : databaseTests(),
          environment: { TEST_DATABASE_URL: url },
          minutes: 60,
        }),
      )) ?? leftOut('Tests on a real PostgreSQL: it is not installed, and only root can install it'),
  },
  {
    name: 'ansible',
    title: 'The command line of Ansible, without machines',
    run: async (files) =>
      (await run(['scripts/setup', 'ansible'], { show: true })).code === 0
        ? runMocha({
            specs: files.length > 0 ? files : ['tests/ansible/*.test.ts'],
            seconds: 60,
            verbose: true,
          })
        : failure('scripts/setup failed'),
  },
  {
    name: 'gdal',
    title: 'The collections, read by GDAL',
    run: async (files) =>
      (await have('ogr2ogr')) || (await installPackages(['gdal-bin']))
        ? runMocha({ specs: files.length > 0 ? files : ['tests/gdal/*.test.ts'], seconds: 60, verbose: true })
        : leftOut('The collections, read by GDAL: it is not installed, and only root can install it'),
  },
  {
    name: 'fuzz',
    title: 'Schemathesis over /openapi.json, on a real PostgreSQL',
    run: runFuzz,
  },
  {
    name: 'release',
    title: 'The release archive',
    run: (files) =>
      runMocha({
        specs: files.length > 0 ? files : ['tests/release/*.test.ts'],
        seconds: 600,
        verbose: true,
      }),
  },
  {
    name: 'machine',
    title: 'Whole machines: life cycle, faults, lost requests',
    alone: true,
    run: async (files) => {
      const reason = await machinesCannotRun();
      return reason ? leftOut(`Tests on whole machines: ${reason}`) : runMachineTests(files);
    },
  },
];
