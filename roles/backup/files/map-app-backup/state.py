"""What is remembered on the machine of the last backup and the last drill, for `status`."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime

from settings import STATE
from system import Refusal


def now():
    return datetime.now(UTC)


def read(name):
    """What was recorded under a name, or {}."""
    try:
        return json.loads((STATE / f'{name}.json').read_text(encoding='utf-8'))
    except FileNotFoundError:
        return {}


def write(name, value):
    """Records it whole or not at all."""
    new = STATE / f'{name}.json.new'
    new.write_text(json.dumps(value, indent=2) + '\n', encoding='utf-8')
    os.rename(new, STATE / f'{name}.json')


def recorded(name, work):
    """Does a backup or a drill and records how it ended, with what it returns. `last_good` outlives a failure."""
    started, begun = now(), time.monotonic()
    record = {'at': started.isoformat(timespec='seconds'), 'ok': False, 'error': None, 'last_good': read(name).get('last_good')}
    try:
        record.update(work(), ok=True, last_good=record['at'])
    except Exception as error:
        record['error'] = str(error) if isinstance(error, Refusal) else f'{type(error).__name__}: {error}'
        raise
    finally:
        record['seconds'] = round(time.monotonic() - begun, 1)
        write(name, record)
    return record
