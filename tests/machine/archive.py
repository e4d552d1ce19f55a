"""Packs malicious archives of certificates, extracts them with the module that a rebuild uses, and prints the results as JSON.

archive.py MODULES FOLDER: MODULES is the folder of the map-app-backup modules, FOLDER an empty folder.
"""

import io
import json
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import certificates
from system import Refusal

folder = Path(sys.argv[2])
certificates.KEY = folder / 'key'
certificates.KEY.write_text('0' * 64 + '\n', encoding='ascii')

GOOD = [
    ('etc/letsencrypt/archive/map.example.org-01234567/privkey2.pem', tarfile.REGTYPE, ''),
    ('etc/letsencrypt/live/map.example.org-01234567/privkey.pem', tarfile.SYMTYPE, '../../archive/map.example.org-01234567/privkey2.pem'),
    ('etc/letsencrypt/renewal/map.example.org-01234567.conf', tarfile.REGTYPE, ''),
    ('etc/letsencrypt/accounts/10.0.0.1:14000/dir/0123/regr.json', tarfile.REGTYPE, ''),
    ('etc/ssl/map-app/placeholder-01234567/privkey.pem', tarfile.REGTYPE, ''),
    ('etc/ssl/map-app/live', tarfile.SYMTYPE, '/etc/letsencrypt/live/map.example.org-01234567'),
]
BAD = {
    'a file elsewhere': ('root/.ssh/authorized_keys', tarfile.REGTYPE, ''),
    'a hook': ('etc/letsencrypt/renewal-hooks/deploy/hook', tarfile.REGTYPE, ''),
    'an absolute path': ('/etc/letsencrypt/renewal/a.conf', tarfile.REGTYPE, ''),
    'two dots': ('etc/letsencrypt/accounts/../../cron.d/a.json', tarfile.REGTYPE, ''),
    'two dots as a name': ('etc/letsencrypt/archive/../privkey1.pem', tarfile.REGTYPE, ''),
    'a line end': ('etc/letsencrypt/renewal/a.conf\n', tarfile.REGTYPE, ''),
    'a link out of it': ('etc/letsencrypt/live/a/privkey.pem', tarfile.SYMTYPE, '../../../shadow'),
    "a link to another's key": ('etc/letsencrypt/live/a/privkey.pem', tarfile.SYMTYPE, '../../archive/b/privkey1.pem'),
    'a link in place of a file': ('etc/letsencrypt/archive/a/privkey1.pem', tarfile.SYMTYPE, '/etc/shadow'),
    'a link in place of a folder': ('etc/letsencrypt/archive', tarfile.SYMTYPE, '/root'),
    'a hard link': ('etc/letsencrypt/archive/a/privkey1.pem', tarfile.LNKTYPE, 'etc/shadow'),
    'a device': ('etc/letsencrypt/archive/a/privkey1.pem', tarfile.CHRTYPE, ''),
    'nginx pointed elsewhere': ('etc/ssl/map-app/live', tarfile.SYMTYPE, '/root'),
}


def archive(members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as tar:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, 0o4777
            member.size = 5 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b'bytes'))
    return content.getvalue()


def outcome(sealed):
    """Returns 'extracted', or the message of the refusal."""
    before = sorted(folder.rglob('*'))
    try:
        certificates.extract(certificates.members(sealed), folder / 'machine')
        return 'extracted'
    except Refusal as refusal:
        assert sorted(folder.rglob('*')) == before
        return str(refusal)


(folder / 'machine').mkdir()
outcomes = {what: outcome(certificates.seal(archive([*GOOD, bad]))) for what, bad in BAD.items()}
sealed = certificates.seal(archive(GOOD))
outcomes['no archive'] = outcome(certificates.seal(b'none'))
outcomes['without a seal'] = outcome(archive(GOOD))
outcomes['nothing'] = outcome(b'')
outcomes['a changed byte'] = outcome(sealed[:-1] + bytes([sealed[-1] ^ 1]))
outcomes['a changed seal'] = outcome(sealed.replace(sealed[40:41], bytes([sealed[40] ^ 1]), 1))
certificates.KEY.write_text('1' * 64 + '\n', encoding='ascii')
outcomes["another site's seal"] = outcome(sealed)
certificates.KEY.write_text('0' * 64 + '\n', encoding='ascii')
readable = b'bytes' in sealed or b'privkey' in sealed
good = outcome(sealed)
found = {
    str(path.relative_to(folder / 'machine')): oct(path.lstat().st_mode) for path in (folder / 'machine').rglob('*') if not path.is_dir() or path.is_symlink()
}
print(json.dumps({'outcomes': outcomes, 'good': good, 'found': found, 'readable': readable}))
