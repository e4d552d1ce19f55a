import { expect } from 'chai';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { taskName } from '../machine/task-name.ts';
import { root } from '../run/command.ts';

describe('The tests on machines', () => {
  const named = globSync('tests/machine/**/*.ts', { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\btaskName\(\s*(['"])(.+?)\1,?\s*\)/g)].map(
      (match) => match[2]!,
    ),
  );

  it('name only tasks that exist', () => {
    expect(named).to.have.length.above(40);
    for (const name of named) {
      taskName(name);
    }
  });

  it('are rejected if they name a task that was renamed', () => {
    expect(() => taskName('Run the workers, as before')).to.throw(
      'No task is named "Run the workers, as before": correct the name in the test.',
    );
  });
});
