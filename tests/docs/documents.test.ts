import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';
import { root, run } from '../run/command.ts';
import { blocksOf, commandsOf, documented, documentedBlock, type Block } from './documented.ts';

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...globSync('docs/*.md', { cwd: root }).sort(),
];
const generated = ['docs/reference-commands.md', 'docs/reference-variables.md'];
const written = documents.filter((document) => !generated.includes(document));
const text = (document: string) => readFileSync(join(root, document), 'utf8');
const withoutBlocks = (markdown: string) => markdown.replaceAll(/^( *)```.*?^\1```$/gms, '');

/** GitHub's anchors of the headings: lower case, no punctuation, hyphens for spaces. */
function anchors(markdown: string): string[] {
  return [...withoutBlocks(markdown).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('Documents', () => {
  for (const document of documents)
    it(`${document}: every link leads to a file and a heading`, () => {
      const broken = [
        ...withoutBlocks(text(document)).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g),
      ]
        .filter(([, path, anchor]) => {
          const target = path ? relative(root, join(root, dirname(document), path)) : document;
          return !existsSync(join(root, target)) || (anchor && !anchors(text(target)).includes(anchor));
        })
        .map(([link]) => link);
      expect(broken).to.deep.equal([]);
    });

  it('name paths of the repository that exist', () => {
    // The folder is created by npm start.
    const ignored = ['api/.data'];
    const path =
      /`((?:api|docs|group_vars|inventory|machine|playbooks|plugins|roles|sandbox|scripts|tests)\/[\w./-]*)/g;
    const missing = written.flatMap((document) =>
      [...withoutBlocks(text(document)).matchAll(path)]
        .map(([, name]) => name!)
        .filter((name) => !/[A-Z]{3}/.test(name) && !ignored.includes(name) && !existsSync(join(root, name)))
        .map((name) => `${document}: ${name}`),
    );
    expect(missing).to.deep.equal([]);
  });

  it('README.md links to every page', () => {
    const linked = documents.filter((document) => text('README.md').includes(`](${document})`));
    expect(linked).to.include.members(documents.filter((document) => document !== 'README.md'));
  });

  it('README.md has at most 120 lines', () =>
    expect(text('README.md').trimEnd().split('\n').length).to.be.at.most(120));

  it('have no table cell with more than one sentence', () => {
    const long = written.flatMap((document) =>
      text(document)
        .split('\n')
        .filter((line) => /^ *\|.*\|$/.test(line))
        .flatMap((line) => line.split('|'))
        .filter((cell) => /[.!?] [A-Z]/.test(cell)),
    );
    expect(long).to.deep.equal([]);
  });

  it('have lines of at most 120 characters in their prose', () => {
    const long = written.flatMap((document) =>
      withoutBlocks(text(document))
        .split('\n')
        .filter((line) => line.length > 120 && !/^ *\||^#|^!?\[|^ *<!--/.test(line))
        .map((line) => `${document}: ${line}`),
    );
    expect(long).to.deep.equal([]);
  });

  it('CHANGELOG.md has a dated section for the version of package.json and for each tag', async () => {
    const { version } = JSON.parse(text('package.json')) as { version: string };
    const { output } = await run(['git', 'tag', '--list', 'v*']);
    const sections = [...text('CHANGELOG.md').matchAll(/^## \[(\S+)\] - \d{4}-\d\d-\d\d$/gm)].map(
      ([, name]) => `v${name}`,
    );
    expect(sections).to.include.members([`v${version}`, ...output.trim().split('\n').filter(Boolean)]);
  });
});

describe('Commands in documents', () => {
  /** Calls such as documented('docs/restore.md', /to=undo$/), in all tests. */
  const calls = globSync('tests/**/*.test.ts', { cwd: root }).flatMap((file) =>
    [
      ...text(file).matchAll(/'([\w/-]+\.md)',\s*\/((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([a-z]*)/g),
    ].map(([, document, pattern, flags]) => ({ document: document!, like: new RegExp(pattern!, flags) })),
  );
  const found = (search: typeof documented, { document, like }: (typeof calls)[number]): string[] => {
    try {
      return [search(document, like)];
    } catch {
      return [];
    }
  };
  const commands = new Set(calls.flatMap((call) => found(documented, call)));
  const whole = new Set(calls.flatMap((call) => found(documentedBlock, call)));
  const isRun = (block: Block) =>
    commandsOf(block).every((command) => commands.has(command)) || whole.has(block.text);
  const blocks = written.flatMap((document) =>
    blocksOf(text(document))
      .filter((block) => commandsOf(block).length > 0)
      .map((block) => ({ document, block, name: `${document}:${block.line} ${commandsOf(block)[0]}` })),
  );

  it('are run by a test, or marked with the reason why not', () => {
    const unproven = blocks.filter(({ block }) => !isRun(block) && !block.notRun).map(({ name }) => name);
    expect(unproven).to.deep.equal([]);
  });

  it('are not marked if a test runs them', () => {
    const stale = blocks.filter(({ block }) => isRun(block) && block.notRun).map(({ name }) => name);
    expect(stale).to.deep.equal([]);
  });

  it('name files that exist in the reasons', () => {
    const missing = blocks.flatMap(({ name, block }) =>
      [...(block.notRun ?? '').matchAll(/\b[\w/-]+\.test\.ts\b/g)]
        .map(([file]) => file)
        .filter((file) => !existsSync(join(root, file)))
        .map((file) => `${name}: ${file}`),
    );
    expect(missing).to.deep.equal([]);
  });
});
