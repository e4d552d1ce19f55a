"""The sentences of `map-app status` for each fault."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app import status as module
from map_app.processes import Ended
from map_app.serving import Serving, mode_fault
from map_app.settings import Mode, Settings
from map_app.status import Found, Status, pending_reboot
from map_app.units import Units

from .stand_ins import APP, RecordedProcesses

DAY = timedelta(days=1)
UP = 'Thu 2026-11-26 12:00:00.000000 UTC'
WORKERS = ''.join(
    f'Id={unit}\nActiveState=active\nActiveEnterTimestamp={UP}\nNRestarts=0\nMainPID=0\nStatusText=Serving, release a\n\n' for unit in APP['workers']
)


def date(moment: datetime) -> str:
    return moment.strftime('%b %d %H:%M:%S %Y GMT')


class Machine:
    """A healthy machine. Tests change it to cause faults."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ('home/releases/a', 'certificates', 'maintenance', 'read'):
            (folder / name).mkdir(parents=True)
        (folder / 'home/releases/a/map-app.mjs').touch()
        (folder / 'home/releases/a/manifest.json').write_text('{"version": "a", "commit": "c"}')
        (folder / 'home/current').symlink_to('releases/a')
        for name in ('socket', 'chain.pem', 'site'):
            (folder / name).touch()
        now = datetime.now(UTC)
        self.certificate(now - 30 * DAY, now + 60 * DAY)
        self.free = 50_000_000
        self.units = {'nginx.service': 'active', 'certificates-renew.timer': 'active'}
        self.ready: dict[str, Any] = {'status': 200, 'message': None, 'certificate': 'f00'}
        self.visited: str | None = None
        self.workers = WORKERS
        self.refusals: dict[str, str] = {}
        self.answers = {'nft': Ended(0, '{"nftables": []}'), 'systemctl list-units --failed': Ended(0), 'dpkg-query': Ended(0)}
        self.sections: dict[str, Any] = {
            'map_app': {**APP, 'units': [], 'home': str(folder / 'home'), 'socket_path': str(folder / 'socket')},
            'nginx': {
                'domain': 'map.example.org',
                'site_file': str(folder / 'site'),
                'maintenance': str(folder / 'maintenance'),
                'closed': str(folder / 'maintenance/closed'),
                'units': ['nginx.service'],
                'folders': [{'path': str(folder / 'read'), 'wins': 'last', 'configures': 'nginx'}],
            },
            'certificates': {'chain': str(folder / 'chain.pem'), 'renewal': 'certificates-renew', 'state': str(folder / 'certificates')},
        }

    def certificate(self, begin: datetime, end: datetime, issuer: str = 'CN=Authority', names: str = 'DNS:map.example.org') -> None:
        self.dates = f'notBefore={date(begin)}\nnotAfter={date(end)}\nissuer={issuer}\nsubject=CN=map.example.org\n'
        self.names = names

    def request(self, **fields: Any) -> None:
        """Writes the record of the last request to the authority, as the renewal does."""
        (self.folder / 'certificates/a.json').write_text(json.dumps({'next': 0, 'said': 'no', 'failures': 3, **fields}))

    def read(self) -> Found:
        processes = RecordedProcesses(
            {
                **self.answers,
                'openssl x509': Ended(0, self.dates),
                f'openssl x509 -in {self.folder}/chain.pem -noout -ext': Ended(0, self.names),
                'systemctl is-active --quiet certificates-renew.timer': Ended(0 if self.units['certificates-renew.timer'] == 'active' else 3),
                'systemctl show': Ended(0, self.workers),
                'systemctl show --timestamp=us+utc --property=Id,ActiveState,ActiveEnterTimestamp,NRestarts -- nginx': Ended(
                    0, f'Id=nginx.service\nActiveState={self.units["nginx.service"]}\nActiveEnterTimestamp={UP}\nNRestarts=2\n'
                ),
            }
        )
        found = Status(Settings(self.sections), processes, Units(processes))
        with (
            mock.patch.object(Serving, 'visit_here', return_value=(self.ready, self.visited)),
            mock.patch.object(Status, 'serves', return_value=True),
            mock.patch('map_app.worker.refusal', lambda path, call: self.refusals.get(path)),
            mock.patch.object(module, 'pending_reboot', return_value=None),
            mock.patch('shutil.disk_usage', return_value=mock.Mock(total=100_000_000, free=self.free)),
        ):
            return found.read()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_no_problem(machine: Machine) -> None:
    found = machine.read()
    assert (found.problems, found.outage) == ([], [])
    assert found.status['release']['version'] == 'a'
    assert found.status['workers']['map-app@1.service']['says'] == 'Serving, release a'
    assert found.status['units'] == {'nginx.service': {'state': 'active', 'since': 1795694400}}
    assert found.status['certificate']['names'] == ['map.example.org']
    assert found.status['closed'] is None


def test_only_the_parts_that_the_machine_has_are_checked(machine: Machine) -> None:
    machine.sections = {}
    found = machine.read()
    assert set(found.status) == {'now', 'units', 'firewall', 'strays', 'disk', 'failed', 'reboot'}
    assert found.problems == []


def test_a_unit_is_down_with_the_reason_in_its_journal(machine: Machine) -> None:
    machine.units['nginx.service'] = 'failed'
    machine.answers['journalctl'] = Ended(0, 'starting\n2026/11/26 12:00:00 [emerg] 7#7: bind() failed\nended\n')
    assert machine.read().problems == [
        'nginx.service is failed (restarted 2 times; its journal says "[emerg] 7#7: bind() failed"): see journalctl --unit=nginx.service.'
    ]


def test_a_unit_that_was_stopped_has_no_reason(machine: Machine) -> None:
    machine.units['nginx.service'] = 'inactive'
    assert machine.read().problems == ['nginx.service is inactive: see journalctl --unit=nginx.service.']


def test_a_client_cannot_forge_the_reason(machine: Machine) -> None:
    machine.units['nginx.service'] = 'failed'
    machine.answers['journalctl'] = Ended(0, '[9] FATAL:  no space left\n[10] ann@map FATAL:  password\n')
    assert '"FATAL:  no space left"' in machine.read().problems[0]


def test_a_worker_is_down(machine: Machine) -> None:
    machine.workers = WORKERS.replace('active', 'activating', 1)
    assert machine.read().problems == ['map-app@1.service is activating: see journalctl --unit=map-app@1.service.']


def test_workers_with_the_same_problem_are_named_together(machine: Machine) -> None:
    machine.refusals = {f'/run/map-app-{number}/worker.sock': '/readyz returns 503: The database cannot be reached' for number in (1, 2)}
    assert machine.read().problems == ['map-app@1 and map-app@2: /readyz returns 503: The database cannot be reached.']


def test_the_status_that_a_worker_reports_to_systemd_comes_first(machine: Machine) -> None:
    machine.workers = WORKERS.replace('Serving, release a', 'The disk is full.', 1)
    assert machine.read().problems == ['map-app@1: The disk is full.']


def test_there_is_no_release(machine: Machine) -> None:
    (machine.folder / 'home/current').unlink()
    assert machine.read().problems == ['There is no release: run site.yml.']


def test_the_socket_is_missing(machine: Machine) -> None:
    (machine.folder / 'socket').unlink()
    assert (
        machine.read().problems[0].endswith('/socket is missing, so nginx reaches no worker: sudo systemctl stop map-app, then sudo systemctl start map-app.')
    )


def test_a_folder_has_the_wrong_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    owner = mock.Mock(pw_uid=os.getuid()), mock.Mock(gr_gid=os.getgid())
    with mock.patch('pwd.getpwnam', return_value=owner[0]), mock.patch('grp.getgrnam', return_value=owner[1]):
        assert mode_fault(Mode(str(tmp_path), 'root', 'root', '0700')) is None
        sentence = mode_fault(Mode(str(tmp_path), 'root', 'www-data', '0755'))
        assert mode_fault(Mode(str(tmp_path / 'missing'), 'root', 'root', '0755')) is None
    assert sentence
    assert 'has mode 0700 and owner' in sentence
    assert 'instead of 0755 and root:www-data: site.yml restores it.' in sentence


class TestFirewall:
    def drop(self, table: str) -> Ended:
        where = {'family': 'inet', 'table': table}
        rules = [{'table': {'family': 'inet', 'name': table}}, {'chain': {**where, 'name': 'in', 'hook': 'input', 'policy': 'drop'}}]
        return Ended(0, json.dumps({'nftables': rules}))

    def test_a_foreign_table_blocks_visitors(self, machine: Machine) -> None:
        machine.answers['nft'] = self.drop('stranger')
        found = machine.read()
        assert 'The nftables table inet stranger drops packets to port 443' in found.problems[0]
        assert 'sudo nft delete table inet stranger' in found.problems[0]
        assert found.status['firewall'] == {'others': ['inet stranger']}

    def test_the_managed_table_blocks_visitors(self, machine: Machine) -> None:
        machine.answers['nft'] = self.drop('map_app')
        assert machine.read().problems[0].endswith('so visitors cannot connect: site.yml restores its rules.')

    def test_the_managed_table_is_not_loaded(self, machine: Machine) -> None:
        machine.sections['firewall'] = {'rules': str(machine.folder / 'site')}
        assert 'The nftables table inet map_app is not loaded, so all ports are open' in machine.read().problems[0]

    def test_nft_is_not_installed(self, machine: Machine) -> None:
        with mock.patch('map_app.packets.ruleset', return_value=[]):
            assert machine.read().problems == []


class TestStrayFiles:
    def put(self, machine: Machine, *names: str) -> None:
        for name in names:
            (machine.folder / 'read' / name).touch()

    def test_a_file_that_overrides_a_managed_one(self, machine: Machine) -> None:
        self.put(machine, 'map-app.conf', 'zz.conf')
        assert 'zz.conf is read by nginx and overrides map-app.conf, and site.yml does not manage it' in machine.read().problems[0]

    def test_a_file_that_a_managed_one_overrides(self, machine: Machine) -> None:
        self.put(machine, 'map-app.conf', 'aa.conf')
        found = machine.read()
        assert found.problems == []
        assert found.status['strays'] == [f'{machine.folder}/read/aa.conf']

    def test_the_first_one_wins_in_some_folders(self, machine: Machine) -> None:
        machine.sections['nginx']['folders'][0]['wins'] = 'first'
        self.put(machine, '50-map-app.conf', '00-other.conf', '99-other.conf')
        found = machine.read()
        assert len(found.problems) == 1
        assert '00-other.conf' in found.problems[0]

    def test_ignores_files_of_packages_and_other_extensions(self, machine: Machine) -> None:
        self.put(machine, 'zz.conf', 'README')
        machine.answers['dpkg-query'] = Ended(0, f'nginx-common: {machine.folder}/read/zz.conf\n')
        found = machine.read()
        assert (found.problems, found.status['strays']) == ([], [])


class TestCertificate:
    now = datetime.now(UTC)

    def test_is_missing(self, machine: Machine) -> None:
        (machine.folder / 'chain.pem').unlink()
        assert machine.read().problems == [f'There is no certificate at {machine.folder}/chain.pem: run site.yml.']

    def test_has_expired(self, machine: Machine) -> None:
        machine.certificate(self.now - 90 * DAY, self.now - timedelta(minutes=1))
        assert machine.read().problems == ['The certificate has expired: see journalctl --unit=certificates-renew.service.']

    def test_the_certificate_of_the_operator_has_expired(self, machine: Machine) -> None:
        machine.units['certificates-renew.timer'] = 'inactive'
        machine.certificate(self.now - 90 * DAY, self.now - DAY)
        assert machine.read().problems == ['The certificate has expired: supply another one (certificates_own_chain) and run site.yml.']

    def test_is_the_placeholder_until_the_authority_issues_one(self, machine: Machine) -> None:
        machine.certificate(self.now, self.now + 3650 * DAY, issuer='CN=map.example.org')
        found = machine.read()
        assert found.problems == ['The authority has not issued a certificate yet: see journalctl --unit=certificates-renew.service.']
        assert found.status['certificate']['placeholder']

    def test_a_self_signed_certificate_of_the_operator_is_not_a_placeholder(self, machine: Machine) -> None:
        machine.units['certificates-renew.timer'] = 'inactive'
        machine.certificate(self.now, self.now + 3650 * DAY, issuer='CN=map.example.org')
        assert machine.read().problems == []

    @pytest.mark.parametrize(('days', 'problem'), [(14, True), (16, False)])
    def test_is_overdue_with_a_sixth_of_its_lifetime_left(self, machine: Machine, days: int, problem: bool) -> None:
        machine.certificate(self.now - (90 - days) * DAY, self.now + days * DAY)
        assert bool(machine.read().problems) is problem

    @pytest.mark.parametrize(
        ('request_', 'sentence'),
        [
            ({'kind': 'failed'}, '3 attempts have failed. The next one is at 1970-01-01 00:00 UTC. Correct the cause, then run site.yml'),
            ({'kind': 'limited'}, 'its rate limit holds until 1970-01-01 00:00 UTC, when the machine retries automatically'),
            (
                {'kind': 'paused', 'url': 'https://authority/unpause'},
                'lift the pause at https://authority/unpause, then sudo systemctl start certificates-renew',
            ),
        ],
    )
    def test_the_refusal_of_the_authority_is_reported(self, machine: Machine, request_: dict[str, str], sentence: str) -> None:
        machine.request(**request_)
        machine.certificate(self.now - 85 * DAY, self.now + 5 * DAY)
        assert sentence in machine.read().problems[0]

    def test_a_rate_limit_is_reported_while_the_certificate_is_still_valid(self, machine: Machine) -> None:
        machine.request(kind='limited')
        assert machine.read().problems[0].startswith('The certificate cannot be renewed: its rate limit')
        machine.request(kind='failed')
        assert machine.read().problems == []

    def test_a_damaged_record_counts_as_missing(self, machine: Machine) -> None:
        (machine.folder / 'certificates/a.json').write_text('{')
        assert machine.read().problems == []

    def test_nginx_serves_an_older_certificate(self, machine: Machine) -> None:
        with mock.patch('socket.create_connection', side_effect=OSError):
            assert Status.serves(Status(Settings(machine.sections), RecordedProcesses(), Units(RecordedProcesses())), ['map.example.org'])


class TestVisitors:
    def test_are_not_served(self, machine: Machine) -> None:
        machine.ready, machine.visited = {'status': 502, 'message': None}, 'https://map.example.org/readyz returns 502 on the machine itself.'
        found = machine.read()
        assert found.outage == found.problems == [machine.visited]

    def test_are_served_with_a_warning(self, machine: Machine) -> None:
        machine.ready['message'] = 'Nothing can be stored.'
        found = machine.read()
        assert (found.problems, found.outage) == (['Nothing can be stored.'], [])

    def test_cannot_use_a_closed_site(self, machine: Machine) -> None:
        (machine.folder / 'maintenance/closed').touch()
        found = machine.read()
        assert found.problems == ['The site is closed for maintenance: playbooks/maintenance.yml -e state=off opens it.']
        assert found.status['closed']['since'] == pytest.approx(time.time(), abs=60)


@pytest.mark.parametrize(('free', 'problems'), [(9_000_000, ['/ has 9 MB left of 100 MB. Free some space there.']), (10_000_000, [])])
def test_a_disk_is_nearly_full_with_less_than_a_tenth_left(machine: Machine, free: int, problems: list[str]) -> None:
    machine.free = free
    found = machine.read()
    assert found.problems == problems
    assert found.status['disk']['/'] == {'bytes': 100_000_000, 'free': free}


def test_a_failed_unit_is_reported_except_the_renewal(machine: Machine) -> None:
    lines = ''.join(f'{name} loaded failed failed text\n' for name in ('backup.service', 'certificates-renew.service'))
    machine.answers['systemctl list-units --failed'] = Ended(0, lines)
    found = machine.read()
    assert found.problems == [
        'backup.service has failed: see journalctl --unit=backup.service. To clear the failure, run systemctl reset-failed backup.service.'
    ]
    assert found.status['failed'] == ['backup.service', 'certificates-renew.service']


def test_a_reboot_is_pending(tmp_path: Path) -> None:
    assert pending_reboot(tmp_path) is None
    (tmp_path / 'lib/modules/1.0-other').mkdir(parents=True)
    assert f'the kernel that runs ({os.uname().release}) is no longer installed' == pending_reboot(tmp_path)
    (tmp_path / 'lib/modules' / os.uname().release).mkdir()
    assert pending_reboot(tmp_path) is None
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/reboot-required').touch()
    assert pending_reboot(tmp_path) == 'for an upgrade'
    (tmp_path / 'run/reboot-required.pkgs').write_text('libc6\nlinux\nlibc6\n')
    assert pending_reboot(tmp_path) == 'for libc6, linux'
