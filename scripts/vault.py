"""Creates the vault of an environment and changes secrets in it. No secret appears on a screen, in a process list or unencrypted on a disk.

Each value is encrypted separately (`!vault` in YAML), so that a playbook which reads no secret needs no password.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import secrets
import select
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.vault import AnsibleVaultError, VaultLib, VaultSecret
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

# The value in the example of each secret that is generated at random.
GENERATE = 'GENERATE'
# Secrets that cannot be replaced without losing data, and what to do instead.
KEPT = {
    'backup_cipher_pass': 'existing backups could no longer be read. To start new backups with a new passphrase, set another path in backup_repository, '
    'replace it with the output of `openssl rand -hex 32 | tr -d "\\n" | ansible-vault encrypt_string --stdin-name backup_cipher_pass`, '
    'run site.yml, and keep the old passphrase as long as the old backups'
}


class Refusal(Exception):
    """An error whose message is shown to the operator."""


class Encrypted(str):
    """The text of an encrypted value."""


class Loader(yaml.SafeLoader):
    """Reads a vault."""


Loader.add_constructor('!vault', lambda loader, node: Encrypted(loader.construct_scalar(node)))


def entry(name: str) -> re.Pattern[str]:
    """Returns a pattern that matches a variable in the text: its line and the indented lines after it."""
    return re.compile(rf'^{re.escape(name)}:.*(?:\n(?=[ \t]).*)*', re.MULTILINE)


def random_secrets(example: str) -> list[str]:
    """Returns the names of the secrets that are generated at random: those with the value GENERATE in the example."""
    return [name for name, value in yaml.load(example, Loader).items() if value == GENERATE]


# Validation of secrets. Each of these functions returns the value to store, or raises Refusal.


def one_line(name: str, text: str) -> str:
    value = text.strip()
    if re.search(r'\s', value):
        raise Refusal(f'{name} must be one word on one line, but this value contains whitespace. Nothing was written.')
    return value


def mail_server(name: str, text: str) -> str:
    value = one_line(name, text)
    if not re.fullmatch(r'smtps?://.+', value):
        raise Refusal(f'{name} must be a URL such as smtps://user:password@mail.example.org, but this value is not. Nothing was written.')
    return value


def private_key(name: str, text: str) -> str:
    """Returns a private key in PEM or OpenSSH format. It must be complete and have no passphrase."""
    value = text.strip() + '\n'
    blocks = re.findall(r'^-----BEGIN ([A-Z ]+)-----\n.*?^-----END \1-----\n', value, re.MULTILINE | re.DOTALL)
    keys = [block for block in blocks if block != 'EC PARAMETERS']
    if (
        len(keys) != 1
        or not keys[0].endswith('PRIVATE KEY')
        or not re.fullmatch('-----BEGIN.*-----\n', value, re.DOTALL)
        or value.count('\n-----') != 2 * len(blocks) - 1
    ):
        raise Refusal(
            f'{name} must be exactly one private key, from the line -----BEGIN … PRIVATE KEY----- to the line -----END … PRIVATE KEY-----. '
            f'This value contains {", ".join(blocks) or "no complete key"}{" and other text" if len(blocks) == 1 else ""}. Nothing was written.'
        )
    load = load_ssh_private_key if keys[0].startswith('OPENSSH') else load_pem_private_key
    try:
        load(value.encode(), password=None)
    except Exception as error:  # The library raises several unrelated exceptions.
        if 'ENCRYPTED' in value or 'password' in str(error).lower():
            raise Refusal(
                "This key has a passphrase, and the server cannot enter one. Create a key without a passphrase (ssh-keygen -N ''). Nothing was written."
            ) from None
        raise Refusal('This key cannot be read: it is damaged or incomplete. Nothing was written.') from None
    return value


def repository_key(name: str, text: str) -> str:
    """Returns the credential of the backup repository: an SSH private key, Google's JSON key, or the secret key of S3 or Azure."""
    value = text.strip()
    if value.startswith('-----'):
        return private_key(name, text)
    if value.startswith('{'):
        try:
            account = json.loads(value)
        except ValueError:
            raise Refusal(f'This JSON is incomplete. Nothing was written. Read it from its file: scripts/vault rotate ENVIRONMENT {name} <FILE') from None
        private_key(f'private_key in the JSON of {name}', str(account.get('private_key', '')))
        return value
    if value.startswith(('ssh-', 'ecdsa-')):
        raise Refusal(
            f'This is the public key, which belongs on the repository server. {name} is the private key, in the file without .pub. Nothing was written.'
        )
    return one_line(name, text)


FORMS = {'backup_repository_key': repository_key, 'certificates_own_key': private_key, 'map_app_smtp_url': mail_server}


def is_whole(text: str) -> bool:
    """Returns whether the input is a complete value: a line, or a key up to its last line."""
    value = text.strip()
    if value.startswith('-----BEGIN'):
        return bool(re.search(r'^-----END (?!EC PARAMETERS)', value, re.MULTILINE))
    if value.startswith('{'):
        try:
            return bool(json.loads(value))
        except ValueError:
            return False
    return text.endswith('\n')


def read_terminal(prompt: str) -> str:
    """Reads a value from the terminal without echo. Ctrl-D ends the input. Reads all pasted lines, so that none reaches the shell."""
    with open('/dev/tty', 'rb+', buffering=0) as terminal:
        shown = termios.tcgetattr(terminal)
        hidden = [*shown[:3], shown[3] & ~termios.ECHO, *shown[4:]]
        termios.tcsetattr(terminal, termios.TCSADRAIN, hidden)
        try:
            terminal.write(prompt.encode())
            text = ''
            # The terminal returns one line at a time.
            while not is_whole(text) or select.select([terminal], [], [], 0.3)[0]:
                line = terminal.read(65536)
                if not line:
                    break
                text += line.decode()
            return text
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, shown)
            terminal.write(b'\n')


def locked_by(password: bytes) -> VaultLib:
    return VaultLib([('default', VaultSecret(password))])


class Vault:
    def __init__(self, environment: str, password_file: str | None) -> None:
        self.folder = Path('inventory') / environment / 'group_vars' / environment
        self.file = self.folder / 'vault.yml'
        self.password_file = password_file
        example = self.folder / 'vault.yml.example'
        if not example.exists():
            known = ', '.join(sorted(path.parts[1] for path in Path('inventory').glob('*/group_vars/*/vault.yml.example')))
            raise Refusal(f'There is no environment {environment} with a vault. The environments are {known}.')
        self.example = example.read_text(encoding='utf-8')

    def password(self) -> bytes:
        if self.password_file:
            # Like ansible-vault: runs an executable file, reads any other file.
            path = os.path.abspath(self.password_file)
            content = subprocess.run([path], check=True, capture_output=True).stdout if os.access(path, os.X_OK) else Path(path).read_bytes()
            return content.strip()
        return getpass.getpass(f'Password of the vault of {self.folder.name}: ').encode()

    def new_password(self) -> bytes:
        password = getpass.getpass(f'New password of the vault of {self.folder.name}: ')
        if password != getpass.getpass('Repeat the new password: '):
            raise Refusal('The two passwords differ. Nothing was written.')
        if not password:
            raise Refusal('The password is empty. Nothing was written.')
        return password.encode()

    def make(self) -> None:
        if self.file.exists():
            raise Refusal(f'{self.file} already exists. To change a secret in it: scripts/vault rotate {self.folder.name} NAME')
        lock = locked_by(self.password() if self.password_file else self.new_password())
        text = self.example
        for name in random_secrets(text):
            text = self.changed(text, name, secrets.token_hex(32), lock)
        self.write(text)
        print(f'Created {self.file}. Commit it to git. Keep its password somewhere other than the server: a rebuild needs it.')

    def rotate(self, name: str) -> None:
        if name in KEPT:
            raise Refusal(f'{name} cannot be rotated: {KEPT[name]}.')
        if not entry(name).search(self.example):
            raise Refusal(f'{name} is not a secret of this vault. Its secrets are {", ".join(re.findall(r"^([a-z_]+):", self.example, re.MULTILINE))}.')
        lock, text = self.open()
        value = secrets.token_hex(32) if name in random_secrets(self.example) else self.asked(name)
        self.write(self.changed(text, name, value, lock))
        print(f'Replaced {name} in {self.file}. To deploy it: ansible-playbook -i inventory/{self.folder.name} site.yml --ask-vault-pass')

    def rekey(self) -> None:
        lock, text = self.open()
        new = locked_by(self.new_password())
        for name, value in yaml.load(text, Loader).items():
            if isinstance(value, Encrypted):
                text = self.changed(text, name, lock.decrypt(value).decode(), new)
        self.write(text)
        print(f'Changed the password of {self.file}. The former password no longer opens it.')

    def open(self) -> tuple[VaultLib, str]:
        """Returns the VaultLib for the password and the text of the file. Refuses a password that does not decrypt every value in it."""
        if not self.file.exists():
            raise Refusal(f'There is no {self.file}. Create it: scripts/vault make {self.folder.name}')
        lock = locked_by(self.password())
        try:
            text = self.file.read_text(encoding='utf-8')
            if text.startswith('$ANSIBLE_VAULT'):
                # Earlier releases encrypted the whole file.
                text = lock.decrypt(text).decode()
                for name, value in (yaml.safe_load(text) or {}).items():
                    text = self.changed(text, name, value, lock)
            for value in (yaml.load(text, Loader) or {}).values():
                if isinstance(value, Encrypted):
                    lock.decrypt(value)
        except AnsibleVaultError:
            raise Refusal(f'This password does not open {self.file}.') from None
        return lock, text

    @staticmethod
    def changed(text: str, name: str, value: str, lock: Any) -> str:
        """Returns the text with a new value for the name. An empty value stays unencrypted, to show that it is not set."""
        lines = lock.encrypt(value).decode().split() if value else []
        new = '\n  '.join([f'{name}: !vault |', *lines]) if lines else f'{name}: ""'
        return entry(name).sub(new, text) if entry(name).search(text) else f'{text.rstrip()}\n\n{new}\n'

    def asked(self, name: str) -> str:
        text = read_terminal(f'New {name} (it is not shown): ') if sys.stdin.isatty() else sys.stdin.read()
        if not text.strip():
            raise Refusal(f'No new {name} was given. Nothing was written.')
        return FORMS.get(name, one_line)(name, text.replace('\r\n', '\n'))

    def write(self, text: str) -> None:
        """Replaces the file atomically."""
        unfinished = self.file.with_suffix('.unfinished')
        unfinished.write_text(text, encoding='utf-8')
        unfinished.replace(self.file)


def main() -> None:
    parser = argparse.ArgumentParser(prog='scripts/vault', description='Creates the vault of an environment and changes secrets in it.')
    parser.add_argument(
        '--vault-password-file',
        default=os.environ.get('ANSIBLE_VAULT_PASSWORD_FILE'),
        metavar='FILE',
        help='file that contains the password, or a program that prints it (default: ANSIBLE_VAULT_PASSWORD_FILE, or a prompt)',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    make = commands.add_parser('make', help='creates vault.yml from vault.yml.example and generates the random secrets')
    rotate = commands.add_parser('rotate', help='replaces a secret: generates a random one, or reads it from a prompt or a pipe')
    rekey = commands.add_parser('rekey', help='changes the password of the vault: asks for the current one, then for the new one')
    for command in (make, rotate, rekey):
        command.add_argument('environment', help='production or staging')
    rotate.add_argument('name', help='the variable, as vault.yml.example names it')
    options = parser.parse_args()
    try:
        vault = Vault(options.environment, options.vault_password_file)
        if options.command == 'rotate':
            vault.rotate(options.name)
        else:
            {'make': vault.make, 'rekey': vault.rekey}[options.command]()
    except (Refusal, OSError) as refusal:
        sys.exit(f'vault: {refusal}')


if __name__ == '__main__':
    main()
