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
from pathlib import Path

from system import Refusal, run

# From the vault (backup_files_key). Readable only by root: users that can read the repository's pass must not be able to seal.
KEY = Path('/etc/map-app-backup.key')
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


def allowed(member):
    """Returns whether a member of an archive, or a file to be added to it, may be in a backup of certificates."""
    if member.issym():
        return bool(LINKS.fullmatch(f'{member.name} -> {member.linkname}'))
    return member.isreg() and bool(FILES.fullmatch(member.name))


def pack():
    """Returns a sealed archive of this machine's certificates."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as archive:
        for path in sorted([*Path('/etc/letsencrypt').rglob('*'), *Path('/etc/ssl/map-app').rglob('*')]):
            member = archive.gettarinfo(path)
            if member and allowed(member):
                archive.addfile(member, io.BytesIO(path.read_bytes()) if member.isreg() else None)
    return seal(content.getvalue())


def extract(found, root=Path('/')):
    """Writes the files and links that `members` returned, each one atomically."""
    for name, linkname, data in found:
        path = root / name
        for folder in reversed(Path(name).parents[:-1]):
            (root / folder).mkdir(mode=0o755 if str(folder) in PUBLIC else 0o700, exist_ok=True)
        new = path.with_name(path.name + '.new')
        new.unlink(missing_ok=True)
        if linkname:
            os.symlink(linkname, new)
        else:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, 'wb') as file:
                file.write(data)
        os.replace(new, path)


def members(sealed):
    """Returns the name, link target and bytes of each member of a sealed archive. Refuses the archive if a member is not allowed."""
    content, found = open_sealed(sealed), []
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode='r:') as archive:
            for member in archive:
                if not allowed(member):
                    raise Refusal(f"The backup's certificates contain {member.name!r}, which is not allowed in them: nothing was extracted.")
                found.append((member.name, member.linkname, archive.extractfile(member).read() if member.isreg() else None))
    except tarfile.TarError as error:
        raise Refusal(f"The backup's certificates are not a valid archive ({error}): nothing was extracted.") from None
    return found


def seal(content):
    """Encrypts, then authenticates."""
    encrypted = crypt('-e', content)
    return HEADER + tag(encrypted) + encrypted


def open_sealed(sealed):
    """Returns the archive inside a seal. Refuses a seal that was not made with this site's key."""
    head, encrypted = sealed[: len(HEADER) + 32], sealed[len(HEADER) + 32 :]
    if not hmac.compare_digest(head, HEADER + tag(encrypted)):
        raise Refusal(
            'The certificates in the backup do not carry the seal of this site: they were changed after the backup was taken, they were sealed with another '
            'backup_files_key, or an older release made the backup. Nothing was restored. To rebuild without them and have new ones issued: -e backup_restore_certificates=false'
        )
    return crypt('-d', encrypted)


def derived(purpose):
    """Derives a separate key for each purpose from the key in the vault."""
    return hmac.new(KEY.read_bytes().strip(), purpose, hashlib.sha256)


def tag(encrypted):
    return hmac.new(derived(b'authentication').digest(), HEADER + encrypted, hashlib.sha256).digest()


def crypt(direction, content):
    """Encrypts or decrypts with OpenSSL's command, which every machine with PostgreSQL has. The key is passed through a pipe, so that it is not in the process list."""
    reader, writer = os.pipe()
    with open(writer, 'w', encoding='ascii') as pipe:
        pipe.write(derived(b'encryption').hexdigest())
    try:
        options = [direction, '-aes-256-cbc', '-pbkdf2', '-salt', '-pass', f'fd:{reader}']
        return run(['openssl', 'enc', *options], binary=True, input=content, pass_fds=[reader]).stdout
    finally:
        os.close(reader)
