"""Ansible's modules and the parts of the map-app package that they contain."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_parts_of_the_package_that_modules_contain_import_no_other_part() -> None:
    """Mitogen sends such a part alone, so a relative import in it fails on the machine."""
    text = '\n'.join(path.read_text(encoding='utf-8') for path in (ROOT / 'plugins').rglob('*.py'))
    parts = set(re.findall(r'module_utils\.map_app\.(\w+)', text)) | set(re.findall(r'from ansible\.module_utils\.map_app import (\w+)', text))
    assert parts >= {'lock', 'visits'}
    faults = [part for part in sorted(parts) if re.search(r'^\s*from \.', (ROOT / 'machine/map_app' / f'{part}.py').read_text(encoding='utf-8'), re.M)]
    assert faults == []
