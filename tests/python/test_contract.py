"""The contract between the roles: a role reads only its own variables and those that group_vars/all.yml sets, and no path is written in two roles."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted((path.name for path in (ROOT / 'roles').iterdir() if path.is_dir()), key=len, reverse=True)
CONTRACT = yaml.safe_load((ROOT / 'group_vars/all.yml').read_text())
# It checks the variables of all roles before any of them runs.
CHECKS_ALL = 'preflight'
# Folders of Debian, and the command that operators type.
COMMON_PATHS = {'/etc/postgresql', '/etc/systemd/system', '/run/postgresql', '/var/lib/postgresql', '/usr/local/bin/map-app'}


def lines(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields each line of the Ansible files in a folder, without comments and documentation."""
    for path in sorted(folder.rglob('*')):
        if path.is_file() and path.suffix not in ('.md', '.txt', '.in', '.py') and path.name != 'argument_specs.yml':
            yield from ((path.relative_to(ROOT), line) for line in path.read_text(encoding='utf-8').splitlines() if not line.lstrip().startswith('#'))


def owner(name: str) -> str | None:
    return next((role for role in ROLES if name.startswith(f'{role}_')), None)


def options(role: str) -> set[str]:
    specs = yaml.safe_load((ROOT / 'roles' / role / 'meta/argument_specs.yml').read_text())['argument_specs']
    return {name for spec in specs.values() for name in spec.get('options') or {}}


def included(role: str) -> set[str]:
    """Returns the roles that a role includes and so passes variables to."""
    return {found[1] for _, line in lines(ROOT / 'roles' / role) if (found := re.search(r'\bname: (\w+)$', line)) and found[1] in ROLES}


def private_variables_of_others(role: str | None, found: Iterator[tuple[Path, str]]) -> list[str]:
    return [f'{path}: __{name}' for path, line in found for name in re.findall(r'(?<!\w)__(\w+)', line) if owner(name) not in (None, role)]


def test_only_a_role_itself_reads_its_private_variables() -> None:
    faults = [fault for role in ROLES for fault in private_variables_of_others(role, lines(ROOT / 'roles' / role))]
    for folder in ('playbooks', 'group_vars', 'inventory'):
        faults += private_variables_of_others(None, lines(ROOT / folder))
    assert faults == []


def test_a_role_reads_a_public_variable_of_another_role_only_through_the_contract() -> None:
    public = {name: role for role in ROLES for name in options(role)}
    faults = []
    for role in set(ROLES) - {CHECKS_ALL}:
        allowed = {role, *included(role)}
        for path, line in lines(ROOT / 'roles' / role):
            read = {name for name in re.findall(r'(?<![\w.-])[a-z]\w*', line) if name in public}
            faults += [f'{path}: {name}' for name in read if public[name] not in allowed and name not in CONTRACT]
    assert sorted(faults) == []


def test_the_contract_has_no_unused_constant() -> None:
    text = '\n'.join(line for _, line in lines(ROOT / 'roles'))
    assert [name for name in CONTRACT if name.startswith('site_') and not re.search(rf'\b{name}\b', text)] == []


def test_no_path_is_in_two_roles_or_repeats_the_contract() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for folder in [*(ROOT / 'roles' / role for role in ROLES), ROOT / 'group_vars']:
        for _, line in lines(folder):
            for path in re.findall(r'(?<![\w}./~*-])/(?:etc|run|opt|var|usr/local)/[\w@%./-]*\w', line):
                places[path].add(folder.name)
    assert {path: sorted(found) for path, found in places.items() if len(found) > 1 and path not in COMMON_PATHS} == {}
