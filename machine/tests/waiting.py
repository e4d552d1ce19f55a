"""Waits for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import AnyStr


def until_printed(read: Callable[[], AnyStr]) -> AnyStr:
    """Calls `read` until it returns captured output, for at most 10 s. Returns that output, which is empty if there is none by then."""
    end = time.monotonic() + 10
    while not (printed := read()) and time.monotonic() < end:
        time.sleep(0.01)
    return printed
