"""Queries a worker on its own socket, restarts it, and watches it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import Failure
from .settings import App, Watched
from .units import Units

# The requests that a release must answer with 200 before it serves, and while it is watched: reads of every kind of data.
READY = '/readyz'
READS = (READY, '/api/locations/counts', '/admin/count', '/api/questions', '/api/animal_locations')

# Limit of a response in bytes, because an untrusted worker could exhaust root's memory.
LARGEST = 64 * 2**20
# The timeout of a whole response in seconds. A worker that sends one byte per second would stay within the timeout of each read.
LONGEST = 15.0
# The timeout in seconds for a started worker to become ready.
PATIENCE = 10.0


class Trouble(Failure):
    """
    The reason why a release may not serve.
    @param unit: the unit whose journal has the details
    """

    def __init__(self, reason: str, unit: str | None = None) -> None:
        super().__init__(reason)
        self.unit = unit


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__('localhost', timeout=timeout)
        self.path = path

    def connect(self) -> None:
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


def ask(path: str, call: str, timeout: float = 3, longest: float = LONGEST) -> tuple[int, str]:
    """
    Sends a GET request to the worker at a socket.
    @param timeout: seconds to wait for each part of the response
    @param longest: seconds to wait for the whole response
    @returns (status, body), or (0, reason) if the worker sends no complete response
    """
    connection = OverSocket(path, timeout)
    deadline = threading.Timer(longest, lambda: connection.sock and connection.sock.shutdown(socket.SHUT_RDWR))
    deadline.daemon = True
    deadline.start()
    try:
        connection.request('GET', call)
        answer = connection.getresponse()
        body = answer.read(LARGEST)
        # The remaining length. http.client raises no error for a body that ends early when it is read in parts.
        if answer.length and len(body) < LARGEST:
            return 0, 'the response ended early'
        return answer.status, body.decode(errors='replace')
    except OSError as error:
        return 0, str(error)
    except http.client.HTTPException as error:
        return 0, f'{type(error).__name__}: {error}'
    finally:
        deadline.cancel()
        connection.close()


def refusal(path: str, call: str) -> str | None:
    """Returns what is wrong with a worker's response to a request, or None if it is 200."""
    status, body = ask(path, call)
    if status == 200:
        return None
    if status == 0:
        return f'{call} returns no complete response ({body})'
    try:
        said = json.loads(body).get('message', '')
    except (ValueError, AttributeError):
        said = body[:200]
    return f'{call} returns {status}' + (f': {said}' if said else '')


def wait_ready(path: str, unit: str, patience: float = PATIENCE) -> None:
    """Returns once the worker at a socket is ready."""
    end = time.monotonic() + patience
    while problem := refusal(path, READY):
        if time.monotonic() > end:
            raise Trouble(f'{unit} does not become ready within {patience:.0f} s: {problem}', unit)
        time.sleep(0.1)


def restart(units: Units, app: App, unit: str) -> None:
    """Restarts one worker, which ends once it has answered its requests, and waits until the new one is ready."""
    if not units.restart([unit]):
        raise Trouble(f'{unit} does not start', unit)
    wait_ready(app.worker_socket(unit), unit)


def replace(units: Units, app: App, unit: str) -> None:
    """Restarts a worker of a bad release. Kills it at once if it does not respond."""
    if ask(app.worker_socket(unit), '/healthz')[0] == 0:
        units.kill(unit)
    restart(units, app, unit)


def resident_bytes(process: str) -> int | None:
    """Returns the bytes of memory of a process, or None. systemd's own figure includes files that may be dropped at any time."""
    try:
        text = Path(f'/proc/{process}/status').read_text(encoding='ascii', errors='replace')
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith('VmRSS:')), None)


class Watch:
    """Watches workers that serve a new release."""

    def __init__(self, units: Units, app: App, limits: Watched) -> None:
        self.units = units
        self.app = app
        self.limits = limits
        self.processes: dict[str, str] = {}
        self.traffic = Traffic(Path(limits.access_log))

    def stand(self, workers: Sequence[str], seconds: float) -> None:
        """Returns after this many seconds without a problem of these workers or those of earlier calls."""
        for unit in workers:
            # From now on the worker must stay the same process.
            self.processes[unit] = self.units.show([unit], 'MainPID')[unit]['MainPID']
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for unit, process in self.processes.items():
                self.look_at(unit, process)
            self.judge_traffic()
            time.sleep(min(0.2, max(0.0, end - time.monotonic())))

    def look_at(self, unit: str, process: str) -> None:
        if self.units.show([unit], 'MainPID')[unit]['MainPID'] != process:
            raise Trouble(f'{unit} exited', unit)
        memory = (resident_bytes(process) or 0) // 2**20
        if memory > self.limits.megabytes:
            raise Trouble(f'{unit} takes {memory} MB of memory, more than {self.limits.megabytes}', unit)
        for call in READS:
            if problem := refusal(self.app.worker_socket(unit), call):
                raise Trouble(f'{unit}: {problem}', unit)

    def judge_traffic(self) -> None:
        self.traffic.read()
        requests, errors, middle = len(self.traffic.times), self.traffic.errors, self.traffic.middle()
        allowed = self.traffic.errors_before + self.limits.percent / 100
        # Tolerate two errors: a percentage of so few requests means nothing.
        if errors > max(2, requests * allowed):
            raise Trouble(f'{errors} of {requests} visitor requests failed', next(iter(self.processes)))
        slow = max(self.limits.milliseconds / 1000, 2 * self.traffic.middle_before)
        if requests >= 20 and middle > slow:
            raise Trouble(
                f'the median duration of {requests} visitor requests is {middle * 1000:.0f} ms, more than {slow * 1000:.0f} ms', next(iter(self.processes))
            )


class Traffic:
    """The requests of visitors before and from now on, from nginx's access log. Without a log on this machine there are none."""

    TAIL = 256 * 1024

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = max(0, self.size() - self.TAIL)
        self.times: list[float] = []
        self.errors = 0
        self.read()
        self.errors_before = self.errors / len(self.times) if self.times else 0.0
        self.middle_before = self.middle()
        self.times, self.errors = [], 0

    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def read(self) -> None:
        """Reads the lines written since the last call."""
        # A rotated log starts again.
        if self.size() < self.offset:
            self.offset = 0
        if self.size() == self.offset:
            return
        with self.path.open('rb') as file:
            file.seek(self.offset)
            text = file.read()
        # The last line may be incomplete.
        whole = text[: text.rfind(b'\n') + 1]
        self.offset += len(whole)
        for status, seconds in filter(None, map(parse, whole.splitlines())):
            self.times.append(seconds)
            self.errors += status in (500, 502, 504)

    def middle(self) -> float:
        return statistics.median(self.times or [0.0])


def parse(line: bytes) -> tuple[int, float] | None:
    """Returns the status of a request and the seconds that the workers took for it, or None for a request that did not reach them."""
    try:
        entry: dict[str, Any] = json.loads(line)
        # After retries the last value counts: '0.001, 0.002'.
        return int(entry['status']), float(entry['upstream_seconds'].replace(':', ',').split(',')[-1])
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
