import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run/command.ts';

let known: Set<string> | undefined;

/**
 * Returns the name of a task or handler. Every test names tasks through this function, so that a renamed task is found in a second instead of by
 * a run on a machine. Throws if no task has the name.
 */
export function taskName(name: string): string {
  known ??= new Set(readNames());
  if (!known.has(name)) {
    throw new Error(`No task is named "${name}": correct the name in the test.`);
  }
  return name;
}

function readNames(): string[] {
  return globSync(['site.yml', 'playbooks/**/*.yml', 'roles/*/{tasks,handlers}/**/*.yml'], { cwd: root })
    .flatMap((file) => readFileSync(join(root, file), 'utf8').split('\n'))
    .map((line) => /^\s*- name: (.+)$/.exec(line)?.[1])
    .filter((name) => name !== undefined)
    .map((name) => name.replace(/^(['"])(.*)\1$/, '$2'));
}
