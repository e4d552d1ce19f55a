"""Prints the logs: the files that nginx writes, then the journal of the units."""

from __future__ import annotations

import contextlib
import re

from .journal import Journal
from .processes import Processes
from .settings import Logs

# Control characters but tab and line feed, and those of Latin-1 as UTF-8 encodes them.
CONTROL = re.compile(rb'[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]')


def without_control_characters(line: bytes) -> bytes:
    """nginx logs headers as clients send them: control characters in them must not reach the terminal."""
    return CONTROL.sub(b'?', line)


def show(settings: Logs, processes: Processes, journal: Journal, lines: int, follow: bool) -> int:
    """Prints the last lines of each log, and with `follow` also what is written from then on, until the operator interrupts it."""
    tail = ['tail', '--quiet', f'--lines={lines}', *(['--follow=name'] if follow else []), *settings.log_files]
    with contextlib.ExitStack() as stack:
        if settings.log_files:
            print(f'== {" and ".join(settings.log_files)}', flush=True)
            if follow:
                stack.enter_context(processes.following(tail, without_control_characters))
            else:
                processes.print_changed(tail, without_control_characters)
        if not settings.log_units:
            return 0
        print(f'== journal of {", ".join(settings.log_units)}', flush=True)
        return journal.print(settings.log_units, lines, follow)
