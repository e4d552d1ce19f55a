"""Takes the run lock for a command that an operator runs on the machine itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .errors import Failure
from .lock import RunLock, is_dead, sentence, this_process


@contextlib.contextmanager
def exclusive(lock: RunLock, what: str) -> Iterator[None]:
    """Holds the run lock during the block. Throws if another run holds it. Replaces the lock of a dead run of this machine."""
    record = {**this_process(), 'what': what}
    holder = lock.take(record)
    if holder is not None and is_dead(holder):
        holder = lock.take(record, dead=holder)
    if holder is not None:
        raise Failure(sentence(holder))
    try:
        yield
    finally:
        lock.free(record)
