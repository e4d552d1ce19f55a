"""Checks every component between a visitor and the database on one machine. Returns one sentence for each fault."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import packets, renewal, visits, worker
from .processes import Processes
from .settings import Mode, Settings
from .units import Units
from .visits import ended

WEB_PORT = 443
LOOPBACK = '127.0.0.1'


class Serving:
    def __init__(self, settings: Settings, processes: Processes, units: Units) -> None:
        self.settings = settings
        self.processes = processes
        self.units = units

    def has_site(self) -> bool:
        """Returns whether nginx on this machine has the site."""
        return self.settings.has('nginx') and Path(self.settings.nginx().site_file).exists()

    def is_closed(self) -> bool:
        """Returns whether the site is closed for maintenance."""
        return Path(self.settings.nginx().closed).exists()

    def visit_here(self) -> tuple[visits.Seen, str | None]:
        """
        Requests the site through nginx on this machine. Sends the second request only if the site is ready.
        @returns the response of /readyz, and the sentence for the first request that fails, or None
        """
        name, where = self.settings.nginx().domain, 'on the machine itself'
        ready = visits.visit(name, LOOPBACK, visits.READY)
        sentence = visits.fault(name, visits.READY, ready, where)
        # While the site is closed, nginx refuses all requests but /readyz.
        if sentence is None and not self.is_closed():
            sentence = visits.fault(name, visits.READ, visits.visit(name, LOOPBACK, visits.READ), where)
        return ready, sentence and ended(sentence)

    def socket_faults(self) -> list[str]:
        """Returns the faults that keep nginx from the workers' socket."""
        app = self.settings.app()
        if not Path(app.socket_path).exists():
            return [f'{app.socket_path} is missing, so nginx reaches no worker: sudo systemctl stop map-app, then sudo systemctl start map-app.']
        return mode_faults(app.socket_modes)

    def worker_faults(self) -> list[str]:
        """Requests each worker on its own socket. Returns one sentence for each problem, with all workers that have it."""
        app = self.settings.app()
        said: dict[str, list[str]] = {}
        for unit, shown in self.units.show(app.workers, 'ActiveState', 'StatusText').items():
            if shown['ActiveState'] != 'active':
                continue
            problem = worker.refusal(app.worker_socket(unit), worker.READY)
            status = shown.get('StatusText', '')
            if status and not status.startswith('Serving'):
                problem = status
            if problem:
                said.setdefault(problem, []).append(unit.removesuffix('.service'))
        return [f'{" and ".join(sorted(found))}: {ended(problem)}' for problem, found in said.items()]

    def firewall(self) -> tuple[list[str], list[str]]:
        """Returns the foreign nftables tables, and one sentence for each fault that keeps visitors out."""
        entries = packets.ruleset(self.processes)
        tables = packets.tables(entries)
        faults = []
        for table in packets.closing(entries, WEB_PORT):
            remedy = (
                'site.yml restores its rules'
                if table == packets.OURS
                else f'site.yml does not manage it, so remove it (sudo nft delete table {table}) or have it accept TCP {WEB_PORT}'
            )
            faults.append(f'The nftables table {table} drops packets to port {WEB_PORT}, so visitors cannot connect: {remedy}.')
        rules = self.settings.firewall_rules()
        if rules and Path(rules).exists() and packets.OURS not in tables:
            faults.append(f'The nftables table {packets.OURS} is not loaded, so all ports are open: sudo systemctl restart firewall, or run site.yml.')
        return [table for table in tables if table != packets.OURS], faults

    def other_modes(self) -> list[str]:
        """Returns wrong modes that would make the next start fail, although running processes are not affected."""
        return [*mode_faults(self.settings.modes()), *self.data_folder_fault()]

    def data_folder_fault(self) -> list[str]:
        if not self.settings.has('backup'):
            return []
        folder = self.settings.backup().data
        # PostgreSQL also starts with the mode 0750.
        if not Path(folder).exists() or os.stat(folder).st_mode & 0o777 == 0o750:
            return []
        return mode_faults([Mode(folder, 'postgres', 'postgres', '0700')])

    def strays(self) -> tuple[list[str], list[str]]:
        """
        Finds files that neither a role nor a package installed, in the folders that the roles write to.
        @returns the paths of files that override none of the roles' files, and one sentence for each file that does
        """
        found = {
            path: (one.wins, one.configures, folder)
            for one in self.settings.folders()
            for folder in glob.glob(one.path)
            for path in foreign_files(folder, one.wins)
        }
        packaged = self.of_packages(found)
        harmless, faults = [], []
        for path in sorted(set(found) - packaged):
            wins, service, folder = found[path]
            name, ours = Path(path).name, max(filter(is_ours, os.listdir(folder)), default='')
            if ours and ((wins == 'last' and name > ours) or (wins == 'first' and name < ours)):
                faults.append(
                    f'{path} is read by {service} and overrides {ours}, and site.yml does not manage it: remove it, or set its values with variables.'
                )
            else:
                harmless.append(path)
        return harmless, faults

    def of_packages(self, paths: Iterable[str]) -> set[str]:
        """Returns the paths that a package installed, or that link to a package's file."""
        real = {os.path.realpath(path): path for path in paths} | {path: path for path in paths}
        if not real:
            return set()
        listed = self.processes.run(['dpkg-query', '--search', *real]).output
        return {real[path] for line in listed.splitlines() if (path := line.rpartition(': ')[2]) in real}

    def last_words(self, unit: str) -> str | None:
        """Returns the last line in a unit's journal with the reason why it does not run, or None."""
        lines = self.units.journal.messages(unit, 200)
        # Lines of PostgreSQL's server process (those of its connections have a user after the process id), and nginx's [emerg] lines.
        fatal = [found[1].strip() for line in lines if (found := re.match(r'(?:\[\d+\] |.*(?=\[emerg\]))?((?:FATAL|PANIC):.*|\[emerg\].*)', line))]
        return fatal[-1] if fatal else None

    def last_request(self) -> renewal.State:
        """Returns the last request to the certificate authority, as the renewal stores it, or {}."""
        folder = self.settings.certificates().state
        tries = sorted(Path(folder).glob('*.json'), key=lambda path: path.stat().st_mtime)
        return renewal.read(tries[-1]) if tries else {}


def mode_faults(modes: Iterable[Mode]) -> list[str]:
    """Returns a sentence for each path without the owner or mode that site.yml sets. Missing paths are ignored."""
    return [sentence for mode in modes if (sentence := mode_fault(mode))]


def mode_fault(wanted: Mode) -> str | None:
    try:
        found = os.stat(wanted.path)
        numbers = (pwd.getpwnam(wanted.owner).pw_uid, grp.getgrnam(wanted.group).gr_gid, int(wanted.mode, 8))
    except (FileNotFoundError, KeyError):
        return None
    if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == numbers:
        return None
    names = f'{name_of(pwd.getpwuid, found.st_uid)}:{name_of(grp.getgrgid, found.st_gid)}'
    return (
        f'{wanted.path} has mode {stat.S_IMODE(found.st_mode):04o} and owner {names} instead of {wanted.mode} and {wanted.owner}:{wanted.group}: '
        'site.yml restores it.'
    )


def name_of(look_up: Callable[[int], Any], number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def is_ours(name: str) -> bool:
    return 'map-app' in name


def foreign_files(folder: str, wins: str) -> list[str]:
    """Returns the files that a service reads in a folder and that site.yml does not manage. Services that read in order read only *.conf."""
    return [f'{folder}/{name}' for name in os.listdir(folder) if not is_ours(name) and (name.endswith('.conf') or not wins)]
