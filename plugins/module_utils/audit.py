"""Who did what to a machine: a line of JSON each in a file that stays, and the same in the journal with fields."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime

PATH = '/var/log/map-app-audit.jsonl'
LOCK = '/run/map-app-run.lock'
JOURNAL = '/run/systemd/journal/socket'


def run_under_way():
    """Who runs what, as the run lock has it."""
    try:
        with open(LOCK, encoding='utf-8') as file:
            holder = json.load(file)
    except FileNotFoundError:
        return {'who': 'unknown', 'what': 'a task'}
    return {'who': f'{holder["who"]}@{holder["controller"]}', 'what': holder['what']}


def tell_journal(message, **fields):
    """One entry of the journal; each field becomes MAP_APP_<NAME>."""
    entry = {'MESSAGE': message, 'SYSLOG_IDENTIFIER': 'map-app-audit', 'PRIORITY': '5'}
    entry.update({f'MAP_APP_{name.upper()}': value for name, value in fields.items() if value is not None})
    # Its protocol has another form for values of several lines, which none of these needs.
    text = ''.join(f'{name}={" ".join(str(value).splitlines())}\n' for name, value in entry.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), JOURNAL)


def note(action, outcome, **fields):
    """Add to the audit log what was done (deploy, rollback, restart, restore …), by whom, and how it ended."""
    line = {'time': datetime.now(UTC).isoformat(timespec='seconds'), 'action': action, 'outcome': outcome}
    line.update(run_under_way())
    line.update({name: value for name, value in fields.items() if value is not None})
    # One write of one line: two at once do not mix.
    descriptor = os.open(PATH, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, (json.dumps(line) + '\n').encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    tell_journal(f'{action} by {line["who"]}: {outcome}', **line)
