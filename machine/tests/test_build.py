"""The file with the program that is installed on the server."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parents[1] / 'build.py'


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location('machine_build', path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_source_gives_the_same_bytes_elsewhere_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(SOURCE).build()
    # Another checkout: files in another order, with other dates and permissions, and the files that Python caches next to them.
    copy = tmp_path / 'machine'
    (copy / 'map_app' / '__pycache__').mkdir(parents=True)
    (copy / 'map_app' / '__pycache__' / 'cli.cpython-311.pyc').touch()
    for path in sorted(SOURCE.parent.glob('map_app/**/*.py'), reverse=True):
        target = copy / path.relative_to(SOURCE.parent)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
        target.chmod(0o600)
        os.utime(target, (0, 0))
    (copy / 'build.py').write_bytes(SOURCE.read_bytes())
    monkeypatch.setenv('TZ', 'Pacific/Kiritimati')
    time.tzset()
    assert load(copy / 'build.py').build() == first
    # Folders list their files in another order on another file system.
    real = Path.rglob
    monkeypatch.setattr(Path, 'rglob', lambda self, pattern: sorted(real(self, pattern), reverse=True))
    assert load(copy / 'build.py').build() == first


def test_contains_the_package_and_nothing_else(tmp_path: Path) -> None:
    program = tmp_path / 'map-app'
    load(SOURCE).write(program)
    names = zipfile.ZipFile(program).namelist()
    package = [str(path.relative_to(SOURCE.parent)) for path in SOURCE.parent.glob('map_app/**/*.py')]
    assert sorted(names) == sorted(['__main__.py', *package])


def test_the_program_runs(tmp_path: Path) -> None:
    program = tmp_path / 'map-app'
    load(SOURCE).write(program)
    assert os.access(program, os.X_OK)
    assert list(tmp_path.iterdir()) == [program]
    ended = subprocess.run([sys.executable, '-I', program, 'logs', '--help'], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith('usage: map-app logs')


def test_neither_the_environment_nor_the_working_folder_adds_modules(tmp_path: Path) -> None:
    program = tmp_path / 'program' / 'map-app'
    program.parent.mkdir()
    load(SOURCE).write(program)
    interpreter = program.read_bytes().split(b'\n', 1)[0].decode().removeprefix('#!').split()
    interpreter[0] = sys.executable
    (tmp_path / 'json.py').write_text('raise SystemExit("a module of another user")')
    (program.parent / 'json.py').write_text('raise SystemExit("a module next to the program")')
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    command = [*interpreter, str(program), 'logs', '--help']
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, '')
