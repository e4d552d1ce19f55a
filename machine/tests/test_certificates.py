"""What a rebuild extracts from a backup of certificates: archives as an attacker would pack them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from map_app.backups.certificates import Certificates
from map_app.errors import Failure
from map_app.processes import Processes

Packed = tuple[str, bytes, str]

GOOD: list[Packed] = [
    ('etc/letsencrypt/archive/map.example.org-01234567/privkey2.pem', tarfile.REGTYPE, ''),
    ('etc/letsencrypt/live/map.example.org-01234567/privkey.pem', tarfile.SYMTYPE, '../../archive/map.example.org-01234567/privkey2.pem'),
    ('etc/letsencrypt/renewal/map.example.org-01234567.conf', tarfile.REGTYPE, ''),
    ('etc/letsencrypt/accounts/10.0.0.1:14000/dir/0123/regr.json', tarfile.REGTYPE, ''),
    ('etc/ssl/map-app/placeholder-01234567/privkey.pem', tarfile.REGTYPE, ''),
    ('etc/ssl/map-app/live', tarfile.SYMTYPE, '/etc/letsencrypt/live/map.example.org-01234567'),
]
BAD: dict[str, Packed] = {
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


def archive(members: list[Packed]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w') as tar:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, 0o4777
            member.size = 5 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b'bytes'))
    return content.getvalue()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    key = tmp_path / 'key'
    key.write_text('0' * 64 + '\n')
    (tmp_path / 'machine').mkdir()
    return Certificates(Processes(), key, tmp_path / 'machine')


def extract(certificates: Certificates, sealed: bytes) -> None:
    certificates.extract(certificates.members(sealed))


@pytest.mark.parametrize('bad', BAD.values(), ids=BAD.keys())
def test_rejects_an_archive_with_a_forbidden_member_and_extracts_nothing(certificates: Certificates, bad: Packed) -> None:
    with pytest.raises(Failure, match=r"^The backup's certificates contain .* not allowed in them: nothing was extracted\.$"):
        extract(certificates, certificates.seal(archive([*GOOD, bad])))
    assert list(certificates.root.iterdir()) == []


def test_rejects_an_invalid_archive(certificates: Certificates) -> None:
    with pytest.raises(Failure, match='not a valid archive'):
        extract(certificates, certificates.seal(b'none'))


@pytest.mark.parametrize('change', ['without a seal', 'nothing', 'a changed byte', 'a changed tag', "another site's key"])
def test_rejects_an_archive_that_this_site_did_not_seal(certificates: Certificates, change: str) -> None:
    sealed = certificates.seal(archive(GOOD))
    if change == "another site's key":
        certificates.key.write_text('1' * 64 + '\n')
    changed = {
        'without a seal': archive(GOOD),
        'nothing': b'',
        'a changed byte': sealed[:-1] + bytes([sealed[-1] ^ 1]),
        'a changed tag': sealed[:40] + bytes([sealed[40] ^ 1]) + sealed[41:],
    }.get(change, sealed)
    with pytest.raises(Failure, match=r'do not carry the seal of this site.*Nothing was restored\.'):
        extract(certificates, changed)
    assert list(certificates.root.iterdir()) == []


def test_extracts_allowed_members_readable_only_by_their_owner(certificates: Certificates) -> None:
    extract(certificates, certificates.seal(archive(GOOD)))
    found = [path for path in certificates.root.rglob('*') if path.is_symlink() or not path.is_dir()]
    assert sorted(str(path.relative_to(certificates.root)) for path in found) == sorted(name for name, _, _ in GOOD)
    # The archive's own mode is not applied.
    assert {oct(path.lstat().st_mode) for path in found} == {'0o100600', '0o120777'}
    assert oct((certificates.root / 'etc/letsencrypt/archive').stat().st_mode) == '0o40700'


def test_replaces_an_existing_link_instead_of_following_it(certificates: Certificates, tmp_path: Path) -> None:
    victim = tmp_path / 'victim'
    victim.write_text('kept')
    target = certificates.root / 'etc/letsencrypt/renewal'
    target.mkdir(parents=True)
    for name in ('map.example.org-01234567.conf', 'map.example.org-01234567.conf.new'):
        (target / name).symlink_to(victim)
    extract(certificates, certificates.seal(archive(GOOD)))
    assert victim.read_text() == 'kept'
    assert (target / 'map.example.org-01234567.conf').read_text() == 'bytes'


def test_the_seal_hides_names_and_contents(certificates: Certificates) -> None:
    sealed = certificates.seal(archive(GOOD))
    assert b'bytes' not in sealed
    assert b'privkey' not in sealed


def test_extracts_an_archive_of_another_machine(certificates: Certificates, tmp_path: Path) -> None:
    extract(certificates, certificates.seal(archive(GOOD)))
    (certificates.root / 'etc/letsencrypt/renewal-hooks').mkdir()
    (certificates.root / 'etc/letsencrypt/renewal-hooks/hook').touch()
    (tmp_path / 'other').mkdir()
    other = Certificates(certificates.processes, certificates.key, tmp_path / 'other')
    extract(other, certificates.pack())
    found = [path for path in other.root.rglob('*') if path.is_symlink() or not path.is_dir()]
    assert sorted(str(path.relative_to(other.root)) for path in found) == sorted(name for name, _, _ in GOOD)
