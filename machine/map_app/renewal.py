"""Requests the certificate from an authority, with exponential backoff after failures, so that the authority does not pause the site's names."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from . import screen
from .files import write_atomically
from .processes import Processes

MINUTE, HOUR = 60, 3600
# Pause between attempts after failures. Let's Encrypt allows five failures an hour for a name, and pauses a name after about 1,150 in a row.
FIRST_PAUSE, LONGEST_PAUSE = 20 * MINUTE, 12 * HOUR
# Pause after a success. certbot then asks the authority whether to renew.
BETWEEN = 12 * HOUR
# Assumed duration of a rate limit whose end the authority does not name.
UNKNOWN_LIMIT = 12 * HOUR
# Attempts if the authority rejects a nonce. certbot does not retry then, but the next attempt gets a new nonce.
NONCE_TRIES = 5


class State(TypedDict, total=False):
    """The last attempt, and when the next one is due. The times are in seconds since 1970."""

    # Consecutive failures.
    failures: int
    # `good`, `failed`, `limited` (until next) or `paused` (until the operator lifts the pause at url).
    kind: str
    at: float
    next: float
    # The end of what certbot printed about a failure.
    said: str
    url: str | None


def read(path: Path) -> State:
    """Returns the state in a file. A missing file, or one that a full disk has damaged, is the state before the first attempt."""
    try:
        found: State = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return {}
    return found


class Renewal:
    """
    @param path: the file with the state
    @param command: certbot with its arguments
    """

    def __init__(self, processes: Processes, path: Path, command: Sequence[str]) -> None:
        self.processes = processes
        self.path = path
        self.command = command

    def is_due(self) -> bool:
        return time.time() >= read(self.path).get('next', 0)

    def run(self) -> tuple[int, State]:
        """Runs certbot and records the attempt. Returns certbot's exit status and the new state."""
        status, said = self.attempt()
        state = after(read(self.path), status, said, time.time())
        write_atomically(self.path, json.dumps(state, indent=2) + '\n')
        return status, state

    def attempt(self) -> tuple[int, str]:
        """
        Runs certbot, and repeats it if the authority rejected the nonce. Returns its exit status and output.

        Only a request for a certificate sends a nonce, so the certificate is due. A repeated certbot would not know that: it asks the authority
        for the renewal window only once in six hours, and would end with success without a request.
        """
        command = list(self.command)
        for _ in range(NONCE_TRIES):
            ended = self.processes.run(command)
            said = ended.output + ended.errors
            if ended.status == 0 or 'nonce' not in said.lower():
                break
            command = [*self.command, '--force-renewal']
            time.sleep(1)
        return ended.status, said


def after(state: State, status: int, said: str, now: float) -> State:
    """Returns the state after an attempt."""
    if status == 0:
        return {'failures': 0, 'kind': 'good', 'at': now, 'next': now + BETWEEN, 'said': '', 'url': None}
    failures = state.get('failures', 0) + 1
    kind, until, url = classify(said)
    due = now + pause(failures)
    if kind == 'limited':
        # Not before the limit ends.
        due = max(due, until or now + UNKNOWN_LIMIT)
    elif kind == 'paused':
        due = max(due, now + LONGEST_PAUSE)
    return {'failures': failures, 'kind': kind, 'at': now, 'next': due, 'said': said.strip()[-2000:], 'url': url}


def is_forbidden(state: State) -> bool:
    """Returns whether the authority forbids a request at present."""
    return state.get('kind') in ('limited', 'paused') and time.time() < state['next']


def refusal(state: State, unit: str) -> str | None:
    """
    Returns the authority's last refusal, the time of the next request and the remedy, or None if there is no refusal.
    @param unit: the unit that requests the certificate, without its ending
    """
    if state.get('kind', 'good') == 'good':
        return None
    again = screen.moment(state['next'])
    said = ' '.join(state['said'].split())[-400:]
    if state['kind'] == 'paused':
        where = state.get('url') or "the authority's site"
        return (
            f'it has paused these names after too many failures. Correct the cause, lift the pause at {where}, then sudo systemctl start {unit}. '
            f'Its response: "{said}"'
        )
    if state['kind'] == 'limited':
        return f'its rate limit holds until {again}, when the machine retries automatically; earlier requests prolong the limit. Its response: "{said}"'
    failures = state['failures']
    return (
        f'{failures} {"attempt has" if failures == 1 else "attempts have"} failed. The next one is at {again}. '
        'Correct the cause, then run site.yml, which retries at once. '
        f'Its response: "{said}"'
    )


def pause(failures: int) -> int:
    """Returns the seconds to wait after a number of consecutive failures: 20 min, 40 min, … 12 h."""
    return min(FIRST_PAUSE << min(failures - 1, 10), LONGEST_PAUSE)


def classify(said: str) -> tuple[str, float | None, str | None]:
    """
    Classifies an authority's refusal.
    @returns (kind, until, url): kind is 'paused' (the operator must lift it, at url), 'limited' (ends by itself, at until) or 'failed'
    """
    if re.search(r'/unpause|temporarily prevented from requesting|\bpaused\b', said):
        found = re.search(r'https://\S*unpause\S*', said)
        return 'paused', None, found[0].rstrip('.,;)') if found else None
    if re.search(r'rateLimited|rate limit|too many (certificates|failed authorizations|new orders|registrations|requests)', said, re.IGNORECASE):
        return 'limited', retry_after(said), None
    return 'failed', None, None


def retry_after(said: str) -> float | None:
    """Returns the time that the authority names, in seconds since 1970, or None."""
    found = re.search(r'retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)', said, re.IGNORECASE)
    if not found:
        return None
    return datetime.strptime(f'{found[1]} {found[2]}', '%Y-%m-%d %H:%M:%S').replace(tzinfo=UTC).timestamp()
