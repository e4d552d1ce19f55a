"""The records of the last backup, drill and restore on the machine, and the lock that allows only one of them at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import Failure
from ..files import write_atomically


def now() -> datetime:
    return datetime.now(UTC)


class State:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> dict[str, Any]:
        """Returns the record of this name, or {}."""
        try:
            found: dict[str, Any] = json.loads((self.folder / f'{name}.json').read_text(encoding='utf-8'))
        except FileNotFoundError:
            return {}
        return found

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Writes a record atomically."""
        write_atomically(self.folder / f'{name}.json', json.dumps(value, indent=2) + '\n')

    def forget(self, name: str) -> None:
        (self.folder / f'{name}.json').unlink(missing_ok=True)

    def recorded(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Runs a backup or a drill and records its outcome, with the fields that it returns. A failure does not change `last_good`."""
        started, begun = now(), time.monotonic()
        record: dict[str, Any] = {'at': started.isoformat(timespec='seconds'), 'ok': False, 'error': None, 'last_good': self.read(name).get('last_good')}
        try:
            record.update(work(), ok=True, last_good=record['at'])
        except Exception as error:
            record['error'] = str(error) if isinstance(error, Failure) else f'{type(error).__name__}: {error}'
            raise
        finally:
            record['seconds'] = round(time.monotonic() - begun, 1)
            self.write(name, record)
        return record

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the lock during the block. Waits while another backup, drill or restore holds it. The kernel releases the lock of a process that dies."""
        descriptor = os.open(self.folder / 'lock', os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print('Waiting for another backup, drill or restore to end.', file=sys.stderr, flush=True)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
