"""Reads the state of the map on a machine, and its problems. Changes nothing."""

from __future__ import annotations

import glob
import os
import re
import shutil
import socket
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import renewal, visits
from .backups.site import Site
from .backups.status import status as backup_status
from .processes import Processes
from .releases import Releases
from .serving import LOOPBACK, Serving
from .settings import Settings
from .units import Properties, Units, seconds
from .worker import resident_bytes

DAY = 86_400
# Certificates are renewed when a third of their lifetime is left. With half of that left, the renewal has been failing for a long time.
CERTIFICATE_SHARE = 1 / 6
DISK_SHARE = 0.1
VOLUMES = ('/', '/var', '/opt', '/var/lib/postgresql')

Part = dict[str, Any]


@dataclass
class Found:
    """Times are seconds since 1970, sizes bytes."""

    # The state of each part: release, workers, units, certificate, the start of maintenance mode, backup, disk, failed units, pending reboot.
    status: Part = field(default_factory=dict)
    # One sentence for each problem.
    problems: list[str] = field(default_factory=list)
    # The problems that make requests of visitors fail. Empty while the site is closed for maintenance.
    outage: list[str] = field(default_factory=list)


class Status:
    def __init__(self, settings: Settings, processes: Processes, units: Units) -> None:
        self.settings = settings
        self.processes = processes
        self.units = units
        self.serving = Serving(settings, processes, units)
        self.found = Found()

    def trouble(self, sentence: str) -> None:
        self.found.problems.append(sentence)

    def read(self) -> Found:
        """Reads the parts that this machine has."""
        status = self.found.status
        status['now'] = int(time.time())
        status['units'] = self.read_units()
        if self.settings.has('map_app'):
            status['release'] = self.release()
            status['workers'] = self.workers()
            self.found.problems += self.serving.socket_faults()
        self.found.problems += self.serving.other_modes()
        others, faults = self.serving.firewall()
        status['firewall'] = {'others': others}
        strays, overriding = self.serving.strays()
        status['strays'] = strays
        self.found.problems += faults + overriding
        if self.settings.has('nginx'):
            status['certificate'] = self.certificate()
            status['closed'] = self.closed()
            if self.serving.has_site():
                status['visit'] = self.visit()
        if self.settings.has('backup'):
            status['backup'] = self.backup()
        status['disk'] = self.disk()
        status['failed'] = self.failed()
        status['reboot'] = pending_reboot()
        return self.found

    def read_units(self) -> Part:
        units: Part = {}
        for name, unit in self.units.show(self.settings.units(), 'ActiveState', 'ActiveEnterTimestamp', 'NRestarts').items():
            units[name] = {'state': unit['ActiveState'], 'since': since(unit)}
            if unit['ActiveState'] != 'active':
                self.trouble(f'{name} is {unit["ActiveState"]}{self.why(name, unit)}: see journalctl --unit={name}.')
        return units

    def why(self, name: str, unit: Properties) -> str:
        """Returns the number of restarts and the last error in the journal, in brackets."""
        tried = int(unit.get('NRestarts') or 0)
        words = [f'restarted {tried} times'] if tried and unit['ActiveState'] != 'inactive' else []
        if unit['ActiveState'] != 'inactive' and (last := self.serving.last_words(name)):
            words.append(f'its journal says "{last}"')
        return f' ({"; ".join(words)})' if words else ''

    def workers(self) -> Part:
        workers: Part = {}
        properties = ('ActiveState', 'ActiveEnterTimestamp', 'NRestarts', 'MainPID', 'StatusText')
        for name, unit in self.units.show(self.settings.app().workers, *properties).items():
            workers[name] = {
                'says': unit.get('StatusText') or None,
                'state': unit['ActiveState'],
                'since': since(unit),
                'bytes': resident_bytes(unit['MainPID']),
                'restarts': int(unit['NRestarts'] or 0),
            }
            if unit['ActiveState'] != 'active':
                self.trouble(f'{name} is {unit["ActiveState"]}: see journalctl --unit={name}.')
        self.found.problems += self.serving.worker_faults()
        return workers

    def release(self) -> Part | None:
        releases = Releases(Path(self.settings.app().home))
        version = releases.pointed()
        if version is None:
            self.trouble('There is no release: run site.yml.')
            return None
        return {**releases.manifest(version), 'since': int(releases.written('current'))}

    def certificate(self) -> Part | None:
        settings = self.settings.certificates()
        if not Path(settings.chain).exists():
            self.trouble(f'There is no certificate at {settings.chain}: run site.yml.')
            return None
        fields = dict(line.split('=', 1) for line in self.openssl('-dates', '-issuer', '-subject').splitlines() if '=' in line)
        begin, end = (certificate_time(fields[name]) for name in ('notBefore', 'notAfter'))
        placeholder = fields['issuer'].strip() == fields['subject'].strip()
        days = int((end - time.time()) // DAY)
        names = re.findall(r'DNS:([^,\s]+)', self.openssl('-ext', 'subjectAltName'))
        if not self.serves(names):
            self.trouble('nginx does not serve the newest certificate: systemctl reload nginx, and see journalctl --unit=nginx.service.')
        self.judge_certificate(days, placeholder, end - time.time() < (end - begin) * CERTIFICATE_SHARE)
        return {'days': days, 'placeholder': placeholder, 'names': names}

    def judge_certificate(self, days: int, placeholder: bool, is_late: bool) -> None:
        unit = self.settings.certificates().renewal
        renewed = self.units.is_active(f'{unit}.timer')
        remedy = f'see journalctl --unit={unit}.service' if renewed else 'supply another one (certificates_own_chain) and run site.yml'
        if days < 0:
            self.trouble(f'The certificate has expired: {remedy}.')
        elif placeholder and renewed:
            self.trouble(f'The authority has not issued a certificate yet: {self.refused() or remedy + "."}')
        elif is_late:
            self.trouble(f'The certificate has {days} days left: {self.refused() or remedy + "."}')
        elif renewed and self.serving.last_request().get('kind') in ('limited', 'paused'):
            self.trouble(f'The certificate cannot be renewed: {self.refused()}')

    def openssl(self, *what: str) -> str:
        return self.processes.run(['openssl', 'x509', '-in', self.settings.certificates().chain, '-noout', *what]).output

    def refused(self) -> str | None:
        return renewal.refusal(self.serving.last_request(), self.settings.certificates().renewal)

    def serves(self, names: list[str]) -> bool:
        """Returns whether nginx serves the newest certificate. True if nginx does not respond, which is another problem."""
        name = next((name for name in names if '*' not in name), None)
        if name is None:
            # A certificate with only wildcard names contains no host name to request.
            return True
        try:
            with (
                socket.create_connection((LOOPBACK, visits.PORT), timeout=5) as connection,
                visits.unchecked().wrap_socket(connection, server_hostname=name) as shown,
            ):
                served = shown.getpeercert(binary_form=True)
        except OSError:
            return True
        first = re.search('-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----', Path(self.settings.certificates().chain).read_text(), re.DOTALL)
        return first is None or served == ssl.PEM_cert_to_DER_cert(first[0])

    def visit(self) -> visits.Seen:
        """Requests the site through nginx on this machine. Returns the response of /readyz."""
        ready, sentence = self.serving.visit_here()
        self.found.outage += [sentence] if sentence else []
        self.found.problems += self.found.outage
        # Ready, but with a warning.
        warning = ready['message'] if ready['status'] == 200 else None
        if warning and not any(warning in problem for problem in self.found.problems):
            self.trouble(warning)
        return ready

    def closed(self) -> Part | None:
        try:
            moment = int(Path(self.settings.nginx().closed).stat().st_mtime)
        except FileNotFoundError:
            return None
        self.trouble('The site is closed for maintenance: playbooks/maintenance.yml -e state=off opens it.')
        return {'since': moment}

    def disk(self) -> Part:
        volumes: dict[int, tuple[str, Part]] = {}
        for path in VOLUMES:
            if not os.path.exists(path) or (device := os.stat(path).st_dev) in volumes:
                continue
            usage = shutil.disk_usage(path)
            volumes[device] = (path, {'bytes': usage.total, 'free': usage.free})
            if usage.free < usage.total * DISK_SHARE:
                self.trouble(f'{path} has {usage.free // 1_000_000} MB left of {usage.total // 1_000_000} MB. Free some space there.')
        return dict(volumes.values())

    def backup(self) -> Part:
        found = backup_status(Site(self.settings, self.processes, self.units))
        self.found.problems += found.pop('problems')
        return found

    def failed(self) -> list[str]:
        names = self.units.failed()
        # This unit's failure has its own sentence.
        explained = {f'{self.settings.certificates().renewal}.service'} if self.settings.has('certificates') else set()
        for name in sorted(set(names) - explained):
            self.trouble(f'{name} has failed: see journalctl --unit={name}. To clear the failure, run systemctl reset-failed {name}.')
        return names


def since(unit: Properties) -> int | None:
    """Returns since when a unit is in its state, in whole seconds since 1970; None if systemd prints no time."""
    moment = seconds(unit['ActiveEnterTimestamp'])
    return None if moment is None else int(moment)


def certificate_time(text: str) -> float:
    return datetime.strptime(text, '%b %d %H:%M:%S %Y GMT').replace(tzinfo=UTC).timestamp()


def pending_reboot(root: Path = Path('/')) -> str | None:
    """Returns why the machine waits for a reboot, or None."""
    if any((root / path).exists() for path in ('run/reboot-required', 'var/run/reboot-required')):
        packages = root / 'run/reboot-required.pkgs'
        names = packages.read_text(encoding='utf-8').split() if packages.exists() else []
        return 'for ' + ', '.join(sorted(set(names))) if names else 'for an upgrade'
    # Debian writes no such file: compares the running kernel with the installed ones.
    modules = glob.glob(str(root / 'lib/modules/*'))
    running = os.uname().release
    if modules and str(root / 'lib/modules' / running) not in modules:
        return f'the kernel that runs ({running}) is no longer installed'
    return None
