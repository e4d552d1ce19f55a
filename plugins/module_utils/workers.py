"""The workers: asking them, restarting them, and judging how they do."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import statistics
import subprocess
import threading
import time

from ansible.module_utils import units

# What a release must answer with 200 before it serves, and while it is watched: reads of every kind of data.
READS = ('/readyz', '/api/locations/counts', '/admin/count', '/api/questions', '/api/animal_locations')


# Limit of a response in bytes, because an untrusted worker could exhaust root's memory.
LARGEST = 64 * 2**20
# Seconds that a whole answer may take. A worker that sends one byte a second would keep each read within its own timeout.
LONGEST = 15


class Trouble(Exception):
    """Why a release may not serve, in a sentence; and the unit whose journal says more."""

    def __init__(self, reason, unit=None):
        super().__init__(reason)
        self.unit = unit


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__('localhost', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # The socket is in a folder of the worker's user, which could replace it by a link. root follows no links there.
        place = os.open(self.path, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISSOCK(os.fstat(place).st_mode):
                raise OSError(f'{self.path} is not a socket')
            self.sock.connect(f'/proc/self/fd/{place}')
        finally:
            os.close(place)


def ask(path, call, timeout=3, longest=LONGEST):
    """
    Sends a GET request to the worker at a socket.
    @param timeout: seconds to wait for each part of the answer
    @param longest: seconds to wait for the whole answer
    @returns (status, body), or (0, reason) where the worker sends no complete answer
    """
    connection = OverSocket(path, timeout)
    deadline = threading.Timer(longest, lambda: connection.sock and connection.sock.shutdown(socket.SHUT_RDWR))
    deadline.daemon = True
    deadline.start()
    try:
        connection.request('GET', call)
        answer = connection.getresponse()
        body = answer.read(LARGEST)
        # The length that is still to come. http.client raises no error for a body that ends early when it is read in parts.
        if answer.length and len(body) < LARGEST:
            return 0, 'its answer is cut short'
        return answer.status, body.decode(errors='replace')
    except OSError as error:
        return 0, str(error)
    except http.client.HTTPException as error:
        return 0, f'{type(error).__name__}: {error}'
    finally:
        deadline.cancel()
        connection.close()


def refusal(path, call):
    """What is wrong with a worker's answer to a call, or None where it is 200."""
    status, body = ask(path, call)
    if status == 200:
        return None
    if status == 0:
        return f'{call} is not answered ({body})'
    try:
        said = json.loads(body).get('message', '')
    except ValueError:
        said = body[:200]
    return f'{call} answers {status}' + (f': {said}' if said else '')


def wait_ready(path, unit, patience=10):
    """Returns once the worker at this socket is ready."""
    end = time.monotonic() + patience
    while problem := refusal(path, '/readyz'):
        if time.monotonic() > end:
            raise Trouble(f'{unit} does not become ready within {patience} s: {problem}', unit)
        time.sleep(0.1)


def socket_of(unit):
    number = unit.removeprefix('map-app@').removesuffix('.service')
    return f'/run/map-app-{number}/worker.sock'


def restart(unit):
    """Restart one worker, which ends once it has answered what it is asked, and wait until the new one is ready."""
    if systemctl('restart', unit) != 0:
        raise Trouble(f'{unit} does not start', unit)
    wait_ready(socket_of(unit), unit)


def replace(unit):
    """The same with a worker of a bad release, which may not answer any more: then it is given no time to end."""
    if ask(socket_of(unit), '/healthz')[0] == 0:
        systemctl('kill', '--signal=KILL', unit)
    restart(unit)


def systemctl(*arguments):
    return subprocess.run(['systemctl', *arguments], capture_output=True, check=False).returncode


def last_lines(unit, since):
    """What a unit wrote to the journal since then (seconds since 1970), its last lines."""
    command = ['journalctl', '--no-pager', '--no-hostname', '--lines=20', f'--since=@{since:.0f}', f'--unit={unit}']
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


class Watch:
    """Looks after workers that serve a new release. Limits are those of the module's options."""

    def __init__(self, limits):
        self.limits = limits
        self.processes = {}
        self.traffic = Traffic(limits['access_log'])

    def stand(self, workers, seconds):
        """Returns after so many seconds in which all went well with these and with those of earlier calls."""
        for unit in workers:
            # From now on it must go on as the process that it is.
            self.processes[unit] = units.show([unit], 'MainPID')[unit]['MainPID']
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for unit, process in self.processes.items():
                self.look_at(unit, process)
            self.judge_traffic()
            time.sleep(0.2)

    def look_at(self, unit, process):
        if units.show([unit], 'MainPID')[unit]['MainPID'] != process:
            raise Trouble(f'{unit} ended by itself', unit)
        memory = (resident_bytes(process) or 0) // 2**20
        if memory > self.limits['megabytes']:
            raise Trouble(f'{unit} takes {memory} MB of memory, more than {self.limits["megabytes"]}', unit)
        for call in READS:
            if problem := refusal(socket_of(unit), call):
                raise Trouble(f'{unit}: {problem}', unit)

    def judge_traffic(self):
        self.traffic.read()
        requests, errors, middle = len(self.traffic.times), self.traffic.errors, self.traffic.middle()
        allowed = self.traffic.errors_before + self.limits['percent'] / 100
        # Two may be anybody's; a share of few is none.
        if errors > max(2, requests * allowed):
            raise Trouble(f'{errors} of {requests} requests of visitors failed', next(iter(self.processes)))
        slow = max(self.limits['milliseconds'] / 1000, 2 * self.traffic.middle_before)
        if requests >= 20 and middle > slow:
            raise Trouble(f'half of {requests} requests of visitors took more than {middle * 1000:.0f} ms', next(iter(self.processes)))


def resident_bytes(process):
    """The bytes of memory that a process has, or None; systemd's own figure includes files that may be dropped at any time."""
    try:
        with open(f'/proc/{process}/status', encoding='ascii', errors='replace') as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith('VmRSS:')), None)
    except OSError:
        return None


class Traffic:
    """What visitors meet from now on, by nginx's access log; and what they met before. Without a log on this machine there is nothing to tell."""

    TAIL = 256 * 1024

    def __init__(self, path):
        self.path = path
        self.offset = max(0, self.size() - self.TAIL)
        self.clear()
        self.read()
        self.errors_before = self.errors / len(self.times) if self.times else 0
        self.middle_before = self.middle()
        self.clear()

    def clear(self):
        self.times, self.errors = [], 0

    def size(self):
        try:
            return os.path.getsize(self.path)
        except OSError:
            return 0

    def read(self):
        """Take in what was written since the last time."""
        # A log that was rotated begins anew.
        if self.size() < self.offset:
            self.offset = 0
        if self.size() == self.offset:
            return
        with open(self.path, 'rb') as file:
            file.seek(self.offset)
            text = file.read()
        # The last line may be half written.
        whole = text[: text.rfind(b'\n') + 1]
        self.offset += len(whole)
        for status, seconds in filter(None, map(parse, whole.splitlines())):
            self.times.append(seconds)
            self.errors += status in (500, 502, 504)

    def middle(self):
        return statistics.median(self.times or [0])


def parse(line):
    """The status of a request and the seconds that the workers took for it, or None for one that never came to them."""
    try:
        entry = json.loads(line)
        # Of several tries the last one counts: '0.001, 0.002'.
        return int(entry['status']), float(entry['upstream_seconds'].replace(':', ',').split(',')[-1])
    except (ValueError, KeyError, AttributeError):
        return None
