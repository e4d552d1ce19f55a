"""The audit log of a machine: one line of JSON per action in a permanent file, and the same in the journal as fields."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from .lock import RunLock

PATH = Path('/var/log/map-app-audit.jsonl')
JOURNAL = '/run/systemd/journal/socket'


def tell_journal(message: str, **fields: object) -> None:
    """Writes one entry to the journal. Each field becomes MAP_APP_<NAME>."""
    entry: dict[str, object] = {'MESSAGE': message, 'SYSLOG_IDENTIFIER': 'map-app-audit', 'PRIORITY': '5'}
    entry.update({f'MAP_APP_{name.upper()}': value for name, value in fields.items() if value is not None})
    # The journal's protocol encodes values with several lines in another form, so line breaks are replaced by spaces.
    text = ''.join(f'{name}={" ".join(str(value).splitlines())}\n' for name, value in entry.items())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), JOURNAL)


class Audit:
    """
    @param lock: the run lock, whose record names the user and the command of the current run
    """

    def __init__(self, lock: RunLock, path: Path = PATH) -> None:
        self.lock = lock
        self.path = path

    def note(self, action: str, outcome: str, **fields: object) -> None:
        """Adds an entry to the log: the action (deploy, rollback, restart, restore …), the operator and the outcome (`good` or `failed`)."""
        line: dict[str, object] = {'time': datetime.now(UTC).isoformat(timespec='seconds'), 'action': action, 'outcome': outcome}
        line.update(self.lock.run_under_way())
        line.update({name: value for name, value in fields.items() if value is not None})
        # One write per line, so that concurrent writes do not mix.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, (json.dumps(line) + '\n').encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        tell_journal(f'{action} by {line["who"]}: {outcome}', **line)
