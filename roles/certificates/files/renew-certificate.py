#!/usr/bin/python3
# Managed by Ansible (role certificates). The next run overwrites changes.
"""
Runs certbot with exponential backoff after failures, so that the certificate authority does not pause the site's names.

Usage: renew-certificate STATE COMMAND [ARGUMENT...]

STATE is a JSON file that persists across reboots. When the timer starts the script, it does nothing before the time in STATE. When an operator
starts it, it runs COMMAND at once. Exit status: that of COMMAND, or 0 if COMMAND was not run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

MINUTE, HOUR = 60, 3600
# Pause between attempts after failures. Let's Encrypt allows five failures an hour for a name, and pauses a name after about 1,150 in a row.
FIRST_PAUSE, LONGEST_PAUSE = 20 * MINUTE, 12 * HOUR
# Pause after a success. certbot then asks the authority whether to renew.
BETWEEN = 12 * HOUR
# Assumed duration of a rate limit whose end the authority does not name.
UNKNOWN_LIMIT = 12 * HOUR
# Attempts if the authority rejects a nonce. certbot does not retry then, but the next attempt gets a new nonce.
NONCE_TRIES = 5


def pause(failures):
    """Returns the seconds to wait after a number of consecutive failures: 20 min, 40 min, … 12 h."""
    return min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)


def classify(said):
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


def retry_after(said):
    """Returns the time that the authority names, in seconds since 1970, or None."""
    found = re.search(r'retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)', said, re.IGNORECASE)
    if not found:
        return None
    return datetime.strptime(f'{found[1]} {found[2]}', '%Y-%m-%d %H:%M:%S').replace(tzinfo=UTC).timestamp()


def after(state, code, said, now):
    """Returns the state after an attempt."""
    if code == 0:
        return {'failures': 0, 'kind': 'good', 'at': now, 'next': now + BETWEEN, 'said': None, 'url': None}
    failures = state.get('failures', 0) + 1
    kind, until, url = classify(said)
    wait = now + pause(failures)
    if kind == 'limited':
        # Not before the limit ends.
        wait = max(wait, until or now + UNKNOWN_LIMIT)
    elif kind == 'paused':
        wait = max(wait, now + LONGEST_PAUSE)
    return {'failures': failures, 'kind': kind, 'at': now, 'next': wait, 'said': said.strip()[-2000:], 'url': url}


def read(path):
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return {}


def write(path, state):
    """Replaces the file atomically."""
    new = path.with_name(path.name + '.new')
    new.write_text(json.dumps(state, indent=2) + '\n', encoding='utf-8')
    os.replace(new, path)


def run(command):
    """Runs certbot, and repeats it if the authority rejected the nonce. @returns its exit status and output"""
    for _ in range(NONCE_TRIES):
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
        if ended.returncode == 0 or 'nonce' not in ended.stdout.lower():
            break
        time.sleep(1)
    return ended.returncode, ended.stdout


def utc(moment):
    return datetime.fromtimestamp(moment, UTC).strftime('%Y-%m-%d %H:%M UTC')


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    path, command = Path(sys.argv[1]), sys.argv[2:]
    state = read(path)
    # systemd sets TRIGGER_UNIT if a timer started the service.
    by_timer = 'TRIGGER_UNIT' in os.environ
    if by_timer and time.time() < state.get('next', 0):
        return 0
    code, said = run(command)
    print(said, end='', file=sys.stderr)
    state = after(state, code, said, time.time())
    write(path, state)
    if code:
        print(f'Failure {state["failures"]} in a row ({state["kind"]}). The timer retries from {utc(state["next"])} on.', file=sys.stderr)
    return code


if __name__ == '__main__':
    sys.exit(main())
