"""Ansible's modules and the parts of the map-app package that they contain."""

from __future__ import annotations

import re
from pathlib import Path
from unittest import mock

import pytest

from plugins.module_utils import verbs

ROOT = Path(__file__).parents[2]


def test_parts_of_the_package_that_modules_contain_import_no_other_part() -> None:
    """Mitogen sends such a part alone, so a relative import in it fails on the machine."""
    text = '\n'.join(path.read_text(encoding='utf-8') for path in (ROOT / 'plugins').rglob('*.py'))
    parts = set(re.findall(r'module_utils\.map_app\.(\w+)', text)) | set(re.findall(r'from ansible\.module_utils\.map_app import (\w+)', text))
    assert parts >= {'lock', 'visits'}
    faults = [part for part in sorted(parts) if re.search(r'^\s*from \.', (ROOT / 'machine/map_app' / f'{part}.py').read_text(encoding='utf-8'), re.M)]
    assert faults == []


class Ended(Exception):
    """The module has ended."""


@pytest.mark.parametrize(('check', 'end'), [(True, 'exit_json'), (False, 'fail_json')])
def test_an_outdated_command_fails_a_run_but_not_a_check(check: bool, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, 'is_installed', lambda: True)
    module = mock.Mock(check_mode=check)
    module.run_command.return_value = (2, '', 'There is no command "units".')
    module.exit_json.side_effect = module.fail_json.side_effect = Ended
    with pytest.raises(Ended):
        verbs.run(module, ['units', '--check'])
    getattr(module, end).assert_called_once()
    assert module.exit_json.call_args_list in ([], [mock.call(changed=True, msg=mock.ANY)])
