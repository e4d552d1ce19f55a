"""Checks every component between a visitor and the database on one machine. Returns one sentence for each fault."""

from __future__ import annotations

import glob
import grp
import json
import os
import pwd
import re
import stat
import subprocess

from ansible.module_utils import packets, units, visits, workers

SOCKET = '/run/map-app/map-app.sock'
SITE = '/etc/nginx/sites-enabled/map-app'
# Exists while the site is closed for maintenance.
CLOSED = '/var/lib/map-app-maintenance/closed'
WEB_PORT = 443
# Owner, group and mode that site.yml sets.
MODES = {'/run/map-app': ('root', 'root', 0o755), SOCKET: ('root', 'www-data', 0o660)}

# Folders from which a service reads all files and to which a role writes: which of two conflicting files wins, and what the folder configures.
FOLDERS = {
    '/etc/nginx/sites-enabled': (None, 'nginx'),
    '/etc/nginx/modules-enabled': (None, 'nginx'),
    '/etc/nginx/conf.d': (None, 'nginx'),
    '/etc/postgresql/*/main/conf.d': ('last', 'PostgreSQL'),
    '/etc/ssh/sshd_config.d': ('first', 'sshd'),
    '/etc/sysctl.d': ('last', 'the kernel'),
    '/etc/systemd/journald.conf.d': ('last', 'the journal'),
    '/etc/systemd/system/nginx.service.d': ('last', 'nginx.service'),
    '/etc/systemd/system/postgresql@*.service.d': ('last', 'PostgreSQL'),
}


def mode_fault(path, owner, group, mode):
    """Returns a sentence if a path has not the owner or mode that site.yml sets. None if it has, or does not exist."""
    try:
        found = os.stat(path)
        wanted = (pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid, mode)
    except (FileNotFoundError, KeyError):
        return None
    if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == wanted:
        return None
    names = f'{name_of(pwd.getpwuid, found.st_uid)}:{name_of(grp.getgrgid, found.st_gid)}'
    return f'{path} has mode {stat.S_IMODE(found.st_mode):04o} and owner {names} instead of {mode:04o} and {owner}:{group}: site.yml restores it.'


def name_of(look_up, number):
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)


def socket_faults():
    """Returns the faults that keep nginx from the workers' socket."""
    if not os.path.exists(SOCKET):
        return [f'{SOCKET} is missing, so nginx reaches no worker: sudo systemctl stop map-app, then sudo systemctl start map-app.']
    return [sentence for path, wanted in MODES.items() if (sentence := mode_fault(path, *wanted))]


def other_modes():
    """Returns wrong modes with which the next start would fail, although running processes are not affected."""
    faults = [mode_fault('/opt/node', 'root', 'root', 0o755)]
    for folder in glob.glob('/var/lib/postgresql/*/main'):
        # PostgreSQL also starts with this mode.
        if os.stat(folder).st_mode & 0o777 != 0o750:
            faults.append(mode_fault(folder, 'postgres', 'postgres', 0o700))
    return [sentence for sentence in faults if sentence]


def firewall(port=WEB_PORT):
    """@returns (tables that are not ours, one sentence for each fault that keeps visitors out)"""
    entries = packets.ruleset()
    tables = packets.tables(entries)
    faults = []
    for table in packets.closing(entries, port):
        whose = (
            'site.yml restores its rules'
            if table == packets.OURS
            else f'site.yml does not manage it, so remove it (sudo nft delete table {table}) or have it accept TCP {port}'
        )
        faults.append(f'The nftables table {table} drops packets to port {port}, so visitors cannot connect: {whose}.')
    if os.path.exists('/etc/firewall.nft') and packets.OURS not in tables:
        faults.append(f'The nftables table {packets.OURS} is not loaded, so all ports are open: sudo systemctl restart firewall, or run site.yml.')
    return [table for table in tables if table != packets.OURS], faults


def worker_faults(names):
    """Requests each worker on its own socket. Returns one sentence for each problem, with all workers that have it."""
    said = {}
    for unit, shown in units.show(names, 'ActiveState', 'StatusText').items():
        if shown['ActiveState'] != 'active':
            continue
        problem = workers.refusal(workers.socket_of(unit), '/readyz')
        status = shown.get('StatusText', '')
        if status and not status.startswith('Serving'):
            problem = status
        if problem:
            said.setdefault(problem, []).append(unit.removesuffix('.service'))
    return [f'{" and ".join(sorted(found))}: {visits.ended(problem)}' for problem, found in said.items()]


def visit_here(name, closed):
    """
    Requests the site through nginx on this machine, as far as it is answered: what is not ready need not be asked for more.
    @returns (what /readyz was answered, the sentence for the first request that fails or None)
    """
    ready = visits.visit(name, '127.0.0.1', visits.READY)
    sentence = visits.fault(name, visits.READY, ready, 'on the machine itself')
    # While the site is closed, nginx refuses all requests but /readyz.
    if sentence is None and not closed:
        sentence = visits.fault(name, visits.READ, visits.visit(name, '127.0.0.1', visits.READ), 'on the machine itself')
    return ready, sentence and visits.ended(sentence)


def database_units():
    """The units of the clusters, by the cluster's folder in /etc/postgresql."""
    return [f'postgresql@{version}-main.service' for version in sorted(map(os.path.basename, glob.glob('/etc/postgresql/*')))]


def last_words(unit):
    """Returns the last line in a unit's journal with the reason why it does not run, or None."""
    command = ['journalctl', '--no-pager', '--output=cat', '--lines=200', f'--unit={unit}']
    lines = subprocess.run(command, capture_output=True, text=True, errors='replace', check=False).stdout.splitlines()
    # Lines of PostgreSQL's server process (those of its connections have a user after the process id), and nginx's [emerg] lines.
    fatal = [found[1].strip() for line in lines if (found := re.match(r'(?:\[\d+\] |.*(?=\[emerg\]))?((?:FATAL|PANIC):.*|\[emerg\].*)', line))]
    return fatal[-1] if fatal else None


def strays():
    """
    Files beside those of our roles that neither a role nor a package has put there.
    @returns (paths that are read and change nothing of ours, sentences for those that override ours)
    """
    found = {
        path: (winner, service, folder) for pattern, (winner, service) in FOLDERS.items() for folder in glob.glob(pattern) for path in files(folder, winner)
    }
    packaged = of_packages(found)
    harmless, faults = [], []
    for path in sorted(set(found) - packaged):
        winner, service, folder = found[path]
        name, ours = os.path.basename(path), max(filter(is_ours, os.listdir(folder)), default='')
        if ours and ((winner == 'last' and name > ours) or (winner == 'first' and name < ours)):
            faults.append(f'{path} is read by {service} and overrides {ours}, and site.yml does not manage it: remove it, or set its values with variables.')
        else:
            harmless.append(path)
    return harmless, faults


def is_ours(name):
    return 'map-app' in name


def files(folder, winner):
    """Returns the files that a service reads in a folder and that site.yml does not manage. Services that read in order read only *.conf."""
    return [os.path.join(folder, name) for name in os.listdir(folder) if not is_ours(name) and (name.endswith('.conf') or not winner)]


def of_packages(paths):
    """Returns the paths that a package installed, or that link to a package's file."""
    real = {os.path.realpath(path): path for path in paths} | {path: path for path in paths}
    if not real:
        return set()
    listed = subprocess.run(['dpkg-query', '--search', *real], capture_output=True, text=True, check=False).stdout
    return {real[path] for line in listed.splitlines() if (path := line.rpartition(': ')[2]) in real}


def last_try():
    """Returns the last request to the certificate authority, as roles/certificates/files/renew-certificate.py stores it, or {}."""
    tries = glob.glob('/var/lib/map-app-certificates/*.json')
    if not tries:
        return {}
    try:
        with open(max(tries, key=os.path.getmtime), encoding='utf-8') as file:
            return json.load(file)
    except ValueError:
        # Damaged, such as by a full disk. The script then starts anew, too.
        return {}
