"""Formats the state of a machine for one screen. A filter of Ansible imports this file, too, so it uses nothing else of the package."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

Part = dict[str, Any]
# A name and a text.
Lines = Iterator[tuple[str, str]]

DAY, HOUR, MINUTE = 86_400, 3_600, 60


def age(seconds: float) -> str:
    """Formats a duration in its largest unit: '3 d', '4 h', '5 min', '6 s'."""
    for size, unit in ((DAY, 'd'), (HOUR, 'h'), (MINUTE, 'min')):
        if seconds >= size:
            return f'{int(seconds // size)} {unit}'
    return f'{int(max(seconds, 0))} s'


def size(count: float) -> str:
    """Formats bytes in a readable unit: '96 MB', '8 GB'."""
    return f'{count / 1e9:.0f} GB' if count >= 10e9 else f'{count / 1e6:.0f} MB'


def moment(seconds: float) -> str:
    """Formats a time, given in seconds since 1970, to the minute in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime('%Y-%m-%d %H:%M UTC')


def release(status: Part) -> Lines:
    found = status.get('release')
    if found:
        span = age(status['now'] - found['since'])
        yield 'release', f'{found["version"]} (commit {commit(found["commit"])}), since {moment(found["since"])}, {span}'


def commit(name: str) -> str:
    """Returns the first digits of a commit, and whether uncommitted files were built into the release (-modified)."""
    digits, dash, modified = name.partition('-')
    return digits[:10] + dash + modified


def workers(status: Part) -> Lines:
    for name, worker in (status.get('workers') or {}).items():
        if worker['state'] != 'active':
            yield name.removesuffix('.service'), worker['state']
            continue
        restarts = f', restarted {worker["restarts"]} times automatically' if worker['restarts'] else ''
        memory = size(worker['bytes']) if worker['bytes'] else 'memory unknown'
        says = f', "{worker["says"]}"' if worker.get('says') else ''
        yield name.removesuffix('.service'), f'up {age(status["now"] - worker["since"])}, {memory}{restarts}{says}'


def units(status: Part) -> Lines:
    for name, unit in status['units'].items():
        since = f', {age(status["now"] - unit["since"])}' if unit['since'] else ''
        yield name.removesuffix('.service'), unit['state'] + since


def certificate(status: Part) -> Lines:
    found = status.get('certificate')
    if found:
        kind = ' (the placeholder: browsers warn about it)' if found['placeholder'] else ''
        yield 'certificate', f'{found["days"]} days left{kind}'


def site(status: Part) -> Lines:
    if status.get('closed'):
        yield 'site', f'closed for maintenance since {moment(status["closed"]["since"])}'
    seen = status.get('visited')
    if seen and seen.get('addresses'):
        verdict = 'not served correctly' if seen['outage'] else f'served in {seen["seconds"] * 1000:.0f} ms'
        yield 'visitor', f'{verdict}, requested from this computer at {", ".join(seen["addresses"])}'
    for note in (seen or {}).get('notes', []):
        yield 'note', note


def others(status: Part) -> Lines:
    if status.get('firewall', {}).get('others'):
        yield 'firewall', f'tables that site.yml does not manage: {", ".join(status["firewall"]["others"])}'
    if status.get('strays'):
        yield 'stray files', f'not managed by site.yml: {", ".join(status["strays"])}'


def backup(status: Part) -> Lines:
    found = status.get('backup')
    if found:
        where = 'only on this machine' if found['local_only'] else found['repository']
        yield 'backup', f'{last(found["backup"], "last_good", "last good")}, {where}'
        yield 'restore drill', last(found['drill'], 'at', 'last')


def last(record: Part | None, field: str, words: str) -> str:
    """Formats a time of a record, which may be missing: 'last TIME', or 'none yet'."""
    time = (record or {}).get(field)
    return f'{words} {time}' if time else 'none yet'


def disk(status: Part) -> Lines:
    yield 'disk', ', '.join(f'{path} {size(volume["free"])} of {size(volume["bytes"])} left' for path, volume in status['disk'].items())


def rest(status: Part) -> Lines:
    yield 'failed units', ', '.join(status['failed']) or 'none'
    yield 'reboot', f'pending {status["reboot"]}' if status['reboot'] else 'none pending'
    drift = status.get('drift')
    if not drift:
        return
    if not drift['recorded']:
        yield 'drift', 'unknown: site.yml has not completed here yet'
        return
    paths = [f'{path} ({kind})' for path, kind in drift['differs'].items()]
    shown = paths[:5] + ([f'and {len(paths) - 5} more'] if len(paths) > 5 else [])
    yield 'drift', f'{", ".join(shown) or "none"} since the run of {drift["recorded"]}'


def screen(status: Part | None, problems: list[str]) -> list[str]:
    """
    @param status: what `map-app status` found, or None if it could not be read
    @returns a line for each part, then one for each problem
    """
    parts = (release, workers, units, certificate, site, others, backup, disk, rest)
    lines = [f'  {name:<18} {text}' for part in parts for name, text in part(status)] if status else []
    return lines + [f'  PROBLEM            {sentence}' for sentence in problems]


def verdict(problems: list[str]) -> str:
    return f'{len(problems)} problem{"s" * (len(problems) > 1)}' if problems else 'all is well'
