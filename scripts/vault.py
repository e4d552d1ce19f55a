"""Makes the vault of an environment and changes secrets in it, so that no secret is seen on a screen, in a process list or unencrypted on a disk."""

from __future__ import annotations

import argparse
import getpass
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import yaml
from ansible.parsing.vault import AnsibleVaultError, VaultLib, VaultSecret

# How the example says that a secret is made by chance.
BY_CHANCE = 'openssl rand -hex 32'
# What was written with these is lost with them.
KEPT = {
    'backup_cipher_pass': 'the backups made with it could no longer be read. For a new one take a new backup_repository path as well '
    '(ansible-vault edit), run site.yml and keep the old pass as long as the old backups',
}


class Refusal(Exception):
    """What cannot be done, in one sentence for the operator."""


def entry(name):
    """Where a variable stands in the file's text: its line and those that belong to it."""
    return re.compile(rf'^{re.escape(name)}:.*(?:\n(?=[ \t]).*)*', re.MULTILINE)


def line(name, value):
    # A JSON string is one of YAML, on one line whatever is in it.
    return f'{name}: {yaml.safe_dump(value, default_style=chr(34), width=float("inf")).strip()}'


def made_by_chance(example):
    """The names of those secrets of which the example's comment says so."""
    return re.findall(rf'^#.*{BY_CHANCE}.*\n([a-z_]+):', example, re.MULTILINE)


class Vault:
    def __init__(self, environment, password_file):
        self.folder = Path('inventory') / environment / 'group_vars' / environment
        self.file = self.folder / 'vault.yml'
        self.password_file = password_file
        example = self.folder / 'vault.yml.example'
        if not example.exists():
            known = ', '.join(sorted(path.parts[1] for path in Path('inventory').glob('*/group_vars/*/vault.yml.example')))
            raise Refusal(f'There is no environment {environment} with a vault: there are {known}.')
        self.example = example.read_text(encoding='utf-8')

    def password(self, new=False):
        if self.password_file:
            # As ansible-vault does: a program is run, any other file is read.
            path = os.path.abspath(self.password_file)
            content = subprocess.run([path], check=True, capture_output=True).stdout if os.access(path, os.X_OK) else Path(path).read_bytes()
            return content.strip()
        password = getpass.getpass(f"{'New p' if new else 'P'}assword of the vault of {self.folder.name}: ")
        if new and password != getpass.getpass('The same again: '):
            raise Refusal('These were two passwords: nothing is written.')
        if not password:
            raise Refusal('A vault needs a password.')
        return password.encode()

    def make(self):
        if self.file.exists():
            raise Refusal(f'{self.file} is there already: rotate changes a secret in it, ansible-vault edit all of them.')
        text = self.example
        for name in made_by_chance(text):
            text = entry(name).sub(line(name, secrets.token_hex(32)), text)
        self.write(text, VaultLib([('default', VaultSecret(self.password(new=True)))]))
        print(f'Made {self.file}. Keep it in git, and its password where the machine is not: without it nothing can be rebuilt.')

    def rotate(self, name):
        if name in KEPT:
            raise Refusal(f'{name} is not rotated: {KEPT[name]}.')
        if not entry(name).search(self.example):
            raise Refusal(f"{name} is no secret of this vault: there are {', '.join(re.findall(r'^([a-z_]+):', self.example, re.MULTILINE))}.")
        if not self.file.exists():
            raise Refusal(f'There is no {self.file}: make it first.')
        vault = VaultLib([('default', VaultSecret(self.password()))])
        try:
            text = vault.decrypt(self.file.read_bytes()).decode()
        except AnsibleVaultError:
            raise Refusal(f'This password does not open {self.file}.') from None
        changed = line(name, secrets.token_hex(32) if name in made_by_chance(self.example) else self.asked(name))
        text = entry(name).sub(lambda _: changed, text) if entry(name).search(text) else f'{text.rstrip()}\n\n{changed}\n'
        self.write(text, vault)
        print(f'{name} is a new one in {self.file}: ansible-playbook -i inventory/{self.folder.name} site.yml hands it out.')

    def asked(self, name):
        value = getpass.getpass(f'New {name}: ') if sys.stdin.isatty() else sys.stdin.read()
        if not value.strip():
            raise Refusal(f'No new {name} was given: nothing is written.')
        return value if '\n' in value.strip() else value.strip()

    def write(self, text, vault):
        """The new file takes the old one's place whole or not at all."""
        unfinished = self.file.with_suffix('.unfinished')
        unfinished.write_bytes(vault.encrypt(text))
        unfinished.replace(self.file)


def main():
    parser = argparse.ArgumentParser(prog='scripts/vault', description='Makes the vault of an environment and changes secrets in it.')
    parser.add_argument(
        '--vault-password-file',
        default=os.environ.get('ANSIBLE_VAULT_PASSWORD_FILE'),
        metavar='FILE',
        help='read the password from it in place of asking (also ANSIBLE_VAULT_PASSWORD_FILE)',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    make = commands.add_parser('make', help='makes vault.yml from vault.yml.example, with new secrets where they are made by chance')
    rotate = commands.add_parser('rotate', help='puts a new one in the place of a secret: made by chance, or asked for (or read from a pipe)')
    for command in (make, rotate):
        command.add_argument('environment', help='production or staging')
    rotate.add_argument('name', help='the variable, as vault.yml.example names it')
    options = parser.parse_args()
    try:
        vault = Vault(options.environment, options.vault_password_file)
        if options.command == 'make':
            vault.make()
        else:
            vault.rotate(options.name)
    except (Refusal, OSError) as refusal:
        sys.exit(f'vault: {refusal}')


if __name__ == '__main__':
    main()
