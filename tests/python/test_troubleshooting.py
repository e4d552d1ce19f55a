"""docs/troubleshooting.md explains each sentence that the status can print."""

import ast
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ' '.join((ROOT / 'docs/troubleshooting.md').read_text(encoding='utf-8').split())
# The modules that check a machine, wherever they are.
NAMES = ('machine_status.py', 'serving.py', 'visit_site.py', 'status.py', 'status_screen.py')


def sources():
    for folder in ('plugins', 'roles', 'machine'):
        for path in sorted((ROOT / folder).rglob('*.py')):
            if path.name in NAMES:
                yield path


def documentation(tree):
    """The docstrings, and the texts that Ansible reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            yield from ast.walk(node.value)


def sentences(path):
    """Returns the parts of each sentence in a file, without the values that it is filled with."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    # The parts of an f-string are visited with it.
    skipped = {id(node) for node in documentation(tree)} | {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, (ast.JoinedStr, ast.Constant)):
            continue
        parts = [part.value if isinstance(part, ast.Constant) else None for part in (node.values if isinstance(node, ast.JoinedStr) else [node])]
        text = ''.join('X' if part is None else str(part) for part in parts)
        if re.fullmatch(r'[A-Za-z].{20,}\.', text, re.DOTALL):
            yield [str(part) for part in parts if part]


class Troubleshooting(unittest.TestCase):
    def test_explains_each_sentence_of_the_status(self):
        missing = []
        for path in sources():
            for parts in sentences(path):
                longest = ' '.join(max(parts, key=len).split())
                if longest not in PAGE:
                    missing.append(f'{path.relative_to(ROOT)}: {longest}')
        self.assertEqual(missing, [])

    def test_finds_the_sentences(self):
        self.assertGreater(sum(len(list(sentences(path))) for path in sources()), 20)


if __name__ == '__main__':
    unittest.main()
