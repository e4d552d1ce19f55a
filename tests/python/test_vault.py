"""scripts/vault.py: which secrets it generates, and which it leaves empty."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from scripts import vault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('environment', ['production', 'staging'])
def test_make_generates_the_secrets_marked_in_the_example_and_leaves_the_others_empty(
    environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path('inventory') / environment / 'group_vars' / environment
    (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / folder / 'vault.yml.example', tmp_path / folder)
    (tmp_path / 'password').write_text('secret\n', encoding='utf-8')
    monkeypatch.chdir(tmp_path)
    vault.Vault(environment, 'password').make()
    lock, text = vault.Vault(environment, 'password').open()
    made = yaml.load(text, vault.Loader)
    values = {name: lock.decrypt(value).decode() for name, value in made.items() if isinstance(value, vault.Encrypted)}
    assert set(values) == {'map_app_session_key', 'backup_cipher_pass', 'backup_files_key'}
    assert all(len(bytes.fromhex(value)) == 32 for value in values.values())
    assert len(set(values.values())) == 3
    assert {value for name, value in made.items() if name not in values} == {''}


def test_generated_secrets_are_chosen_by_value_and_not_by_comment() -> None:
    example = '# Generate with: openssl rand -hex 32\na_key: ""\n\nb_key: GENERATE\n\n# GENERATE\nc_key: ""\n'
    assert vault.random_secrets(example) == ['b_key']
