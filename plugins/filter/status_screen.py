"""Puts what is known of machines into words, for one screen."""

from __future__ import annotations

from datetime import UTC, datetime

DAY, HOUR, MINUTE = 86_400, 3_600, 60


def age(seconds):
    """A span of time in its largest unit: '3 d', '4 h', '5 min', '6 s'."""
    for size, unit in ((DAY, 'd'), (HOUR, 'h'), (MINUTE, 'min')):
        if seconds >= size:
            return f'{int(seconds // size)} {unit}'
    return f'{int(max(seconds, 0))} s'


def size(count):
    """Bytes in the unit that people expect: '96 MB', '8 GB'."""
    return f'{count / 1e9:.0f} GB' if count >= 10e9 else f'{count / 1e6:.0f} MB'


def moment(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime('%Y-%m-%d %H:%M UTC')


def release(status):
    found = status.get('release')
    if found:
        span = age(status['now'] - found['since'])
        yield 'release', f'{found["version"]} (commit {commit(found["commit"])}), since {moment(found["since"])}, {span}'


def commit(name):
    """Returns the first digits of a commit, and whether uncommitted files were built into the release (-modified)."""
    digits, dash, modified = name.partition('-')
    return digits[:10] + dash + modified


def workers(status):
    for name, worker in (status.get('workers') or {}).items():
        if worker['state'] != 'active':
            yield name.removesuffix('.service'), worker['state']
            continue
        restarts = f', restarted {worker["restarts"]} times by itself' if worker['restarts'] else ''
        memory = size(worker['bytes']) if worker['bytes'] else 'memory unknown'
        says = f', "{worker["says"]}"' if worker.get('says') else ''
        yield name.removesuffix('.service'), f'up {age(status["now"] - worker["since"])}, {memory}{restarts}{says}'


def units(status):
    for name, unit in status['units'].items():
        since = f', {age(status["now"] - unit["since"])}' if unit['since'] else ''
        yield name.removesuffix('.service'), unit['state'] + since


def certificate(status):
    found = status.get('certificate')
    if found:
        kind = ' (the placeholder: browsers warn of it)' if found['placeholder'] else ''
        yield 'certificate', f'{found["days"]} days left{kind}'


def site(status):
    if status.get('closed'):
        yield 'site', f'closed for maintenance since {moment(status["closed"]["since"])}'
    seen = status.get('visited')
    if seen and seen.get('addresses'):
        verdict = 'does not answer as it should' if seen['outage'] else f'answers in {seen["seconds"] * 1000:.0f} ms'
        yield 'visitor', f'{verdict}, asked from this computer at {", ".join(seen["addresses"])}'
    for note in (seen or {}).get('notes', []):
        yield 'note', note


def others(status):
    if status.get('firewall', {}).get('others'):
        yield 'firewall', f'tables that site.yml does not manage: {", ".join(status["firewall"]["others"])}'
    if status.get('strays'):
        yield 'stray files', f'not managed by site.yml: {", ".join(status["strays"])}'


def backup(status):
    found = status.get('backup')
    if found:
        where = 'on this machine alone' if found['local_only'] else found['repository']
        yield 'backup', f'last good {(found["backup"] or {}).get("last_good") or "never"}, {where}'
        yield 'restore drill', f'last {(found["drill"] or {}).get("at") or "never"}'


def disk(status):
    yield 'disk', ', '.join(f'{path} {size(volume["free"])} of {size(volume["bytes"])} left' for path, volume in status['disk'].items())


def rest(status):
    yield 'failed units', ', '.join(status['failed']) or 'none'
    yield 'reboot', f'pending {status["reboot"]}' if status['reboot'] else 'none pending'
    drift = status['drift']
    if not drift['recorded']:
        yield 'drift', 'unknown: no run has ended here yet'
        return
    paths = [f'{path} ({kind})' for path, kind in drift['differs'].items()]
    shown = paths[:5] + ([f'and {len(paths) - 5} more'] if len(paths) > 5 else [])
    yield 'drift', f'{", ".join(shown) or "none"} since the run of {drift["recorded"]}'


def seen_outside(looked, visited):
    """Returns the problems found from this computer, without those that the machine itself reports."""
    known = visited.get('outage', []) if looked.get('outage') else []
    return [problem for problem in visited.get('problems', []) if problem not in known]


def machine_states(hostvars, hosts):
    """What the tasks of playbooks/status.yml have registered, by host: its address, its status and its problems."""
    machines = {}
    for host in hosts:
        seen = hostvars[host]
        looked, compared, visited = (seen.get(name, {}) for name in ('looked', 'compared', 'visited'))
        problems = looked.get('problems', []) + seen_outside(looked, visited)
        machine = {'address': seen.get('ansible_host', host), 'status': None, 'problems': problems}
        if 'status' in looked and 'differs' in compared:
            drift = {'recorded': compared['recorded'], 'differs': compared['differs']}
            machine['status'] = {**looked['status'], 'drift': drift, 'visited': visited if 'addresses' in visited else None}
        else:
            machine['problems'] += [f'Its state cannot be read: {str(looked.get("msg") or compared.get("msg") or "no answer").strip()}']
        machines[host] = machine
    return machines


def status_screen(machines):
    """
    @param machines: what machine_states returns
    @returns the lines of the screen as one text
    """
    lines = []
    for host, machine in machines.items():
        problems = machine['problems']
        verdict = f'{len(problems)} problem{"s" * (len(problems) > 1)}' if problems else 'all is well'
        lines += [f'{host} ({machine["address"]}): {verdict}']
        if machine['status']:
            for part in (release, workers, units, certificate, site, others, backup, disk, rest):
                lines += [f'  {name:<18} {text}' for name, text in part(machine['status'])]
        lines += [f'  PROBLEM            {sentence}' for sentence in problems] + ['']
    return '\n'.join(lines).rstrip()


class FilterModule:
    def filters(self):
        return {'machine_states': machine_states, 'seen_outside': seen_outside, 'status_screen': status_screen}
