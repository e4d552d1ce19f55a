"""A lock between processes of one machine."""

from __future__ import annotations

import contextlib
import fcntl
import os


@contextlib.contextmanager
def locked(folder):
    """
    Hold an exclusive lock on a folder for the length of the block; wait if another process holds it. The kernel also releases the lock of a
    process that dies. The end of the block must release it because under Mitogen the process outlives the module.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
