"""The certificates in a backup, with their private keys and the ACME account.

root packs and seals (encrypts and authenticates) them, so that postgres, which transfers the backup, can neither read nor change them. A rebuild does
not trust the archive even if its seal is valid: it extracts only the names below, and creates the links itself.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import Failure
from ..processes import Processes

HEADER = b'map-app-backup certificates 1\n'

NAME = r'(?!\.)[\w.:-]+'
KIND = r'(?:cert|chain|fullchain|privkey)'
FILES = re.compile(
    rf'etc/letsencrypt/accounts(/{NAME})+\.json'
    rf'|etc/letsencrypt/archive/{NAME}/{KIND}\d+\.pem'
    rf'|etc/letsencrypt/renewal/{NAME}\.conf'
    r'|etc/ssl/map-app/(own|placeholder)-[0-9a-f]+/(fullchain|privkey)\.pem',
    re.ASCII,
)
# The name and the target of a link.
LINKS = re.compile(
    rf'etc/letsencrypt/live/(?P<name>{NAME})/(?P<kind>{KIND})\.pem -> \.\./\.\./archive/(?P=name)/(?P=kind)\d+\.pem'
    rf'|etc/ssl/map-app/live -> /etc/(letsencrypt/live/{NAME}|ssl/map-app/(own|placeholder)-[0-9a-f]+)',
    re.ASCII,
)
# Folders that others may read. All other folders are readable only by root.
PUBLIC = {'etc', 'etc/ssl', 'etc/ssl/map-app', 'etc/letsencrypt'}
SOURCES = ('etc/letsencrypt', 'etc/ssl/map-app')

UNSEALED = (
    'The certificates in the backup do not carry the seal of this site: they were changed after the backup was taken, they were sealed with another '
    'backup_files_key, or an older release made the backup. Nothing was restored. To rebuild without them and have new ones issued: '
    '-e backup_restore_certificates=false'
)


@dataclass(frozen=True)
class Member:
    """A file or a link in an archive."""

    name: str
    # The target of a link; empty for a file.
    link: str
    data: bytes


def allowed(member: tarfile.TarInfo) -> bool:
    """Returns whether a member of an archive, or a file to be added to it, may be in a backup of certificates."""
    if member.issym():
        return bool(LINKS.fullmatch(f'{member.name} -> {member.linkname}'))
    return member.isreg() and bool(FILES.fullmatch(member.name))


class Certificates:
    """
    @param key: the file with the key that seals them (backup_files_key in the vault)
    @param root: the folder below which certificates are read and written
    """

    def __init__(self, processes: Processes, key: Path, root: Path = Path('/')) -> None:
        self.processes = processes
        self.key = key
        self.root = root

    def pack(self) -> bytes:
        """Returns a sealed archive of this machine's certificates."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode='w') as archive:
            for path in sorted(path for source in SOURCES for path in (self.root / source).rglob('*')):
                member = archive.gettarinfo(path, arcname=str(path.relative_to(self.root)))
                if member and allowed(member):
                    archive.addfile(member, io.BytesIO(path.read_bytes()) if member.isreg() else None)
        return self.seal(content.getvalue())

    def extract(self, found: list[Member]) -> None:
        """Writes the files and links that `members` returned, each one atomically."""
        for member in found:
            path = self.root / member.name
            for folder in reversed(Path(member.name).parents[:-1]):
                (self.root / folder).mkdir(mode=0o755 if str(folder) in PUBLIC else 0o700, exist_ok=True)
            new = path.with_name(path.name + '.new')
            new.unlink(missing_ok=True)
            if member.link:
                new.symlink_to(member.link)
            else:
                descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with open(descriptor, 'wb') as file:
                    file.write(member.data)
            new.replace(path)

    def members(self, sealed: bytes) -> list[Member]:
        """Returns the members of a sealed archive. Throws if one of them is not allowed."""
        found: list[Member] = []
        try:
            with tarfile.open(fileobj=io.BytesIO(self.open_sealed(sealed)), mode='r:') as archive:
                for member in archive:
                    if not allowed(member):
                        raise Failure(f"The backup's certificates contain {member.name!r}, which is not allowed in them: nothing was extracted.")
                    file = archive.extractfile(member) if member.isreg() else None
                    found.append(Member(member.name, member.linkname, file.read() if file else b''))
        except tarfile.TarError as error:
            raise Failure(f"The backup's certificates are not a valid archive ({error}): nothing was extracted.") from None
        return found

    def seal(self, content: bytes) -> bytes:
        """Encrypts, then authenticates."""
        encrypted = self.crypt('-e', content)
        return HEADER + self.tag(encrypted) + encrypted

    def open_sealed(self, sealed: bytes) -> bytes:
        """Returns the archive inside a seal. Throws if the seal was not made with this site's key."""
        head, encrypted = sealed[: len(HEADER) + 32], sealed[len(HEADER) + 32 :]
        if not hmac.compare_digest(head, HEADER + self.tag(encrypted)):
            raise Failure(UNSEALED)
        return self.crypt('-d', encrypted)

    def tag(self, encrypted: bytes) -> bytes:
        return hmac.new(self.derived(b'authentication').digest(), HEADER + encrypted, hashlib.sha256).digest()

    def derived(self, purpose: bytes) -> hmac.HMAC:
        """Derives a separate key for each purpose from the key in the vault."""
        return hmac.new(self.key.read_bytes().strip(), purpose, hashlib.sha256)

    def crypt(self, direction: str, content: bytes) -> bytes:
        """
        Encrypts or decrypts with OpenSSL's command, which every machine with PostgreSQL has. The key is passed through a pipe, so that it is not in the
        process list.
        """
        reader, writer = os.pipe()
        with open(writer, 'w', encoding='ascii') as pipe:
            pipe.write(self.derived(b'encryption').hexdigest())
        try:
            command = ['openssl', 'enc', direction, '-aes-256-cbc', '-pbkdf2', '-salt', '-pass', f'fd:{reader}']
            return self.processes.convert(command, content, pass_fds=[reader])
        finally:
            os.close(reader)
