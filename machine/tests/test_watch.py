"""The watch of the workers that serve a new release."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from map_app import worker
from map_app.settings import Watched
from map_app.worker import Traffic, Trouble, Watch, parse

UNIT = 'map-app@1.service'


def line(status: int, seconds: str) -> str:
    return json.dumps({'status': str(status), 'upstream_seconds': seconds}) + '\n'


class Site:
    """A worker and nginx's access log. The watch starts when it is created."""

    def __init__(self, folder: Path, before: str = '') -> None:
        self.log = folder / 'access.log'
        self.log.write_text(before)
        self.process = '7'
        units = mock.Mock()
        units.show.side_effect = lambda names, *_: {name: {'MainPID': self.process} for name in names}
        app = mock.Mock()
        app.worker_socket.return_value = '/none'
        self.watch = Watch(units, app, Watched(percent=10, milliseconds=500, megabytes=400, access_log=str(self.log)))
        self.watch.processes[UNIT] = '7'

    def requests(self, *lines: str) -> None:
        with self.log.open('a') as file:
            file.write(''.join(lines))
        self.watch.judge_traffic()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


class TestTraffic:
    @pytest.mark.parametrize('status', [500, 502, 504])
    def test_more_than_two_errors_end_it(self, site: Site, status: int) -> None:
        site.requests(*[line(status, '0.001')] * 2)
        with pytest.raises(Trouble, match='3 of 3 visitor requests failed'):
            site.requests(line(status, '0.001'))

    def test_a_share_of_errors_is_allowed(self, site: Site) -> None:
        site.requests(*[line(200, '0.001')] * 36, *[line(500, '0.001')] * 4)
        with pytest.raises(Trouble, match='5 of 41'):
            site.requests(line(500, '0.001'))

    def test_the_share_of_errors_before_the_deploy_is_allowed_too(self, tmp_path: Path) -> None:
        site = Site(tmp_path, before=(line(200, '0.001') + line(500, '0.001')) * 10)
        site.requests(*[line(200, '0.001')] * 5, *[line(500, '0.001')] * 5)

    def test_twenty_slow_requests_end_it(self, site: Site) -> None:
        site.requests(*[line(200, '0.6')] * 19)
        with pytest.raises(Trouble, match='median duration of 20 visitor requests is 600 ms, more than 500 ms'):
            site.requests(line(200, '0.6'))

    def test_twice_the_duration_before_the_deploy_is_allowed(self, tmp_path: Path) -> None:
        site = Site(tmp_path, before=line(200, '0.4') * 20)
        site.requests(*[line(200, '0.7')] * 20)

    def test_a_line_counts_once_it_is_complete(self, site: Site) -> None:
        whole = line(200, '0.1')
        site.requests(whole[:10])
        assert site.watch.traffic.times == []
        site.requests(whole[10:])
        assert site.watch.traffic.times == [0.1]

    def test_a_rotated_log_starts_again(self, tmp_path: Path) -> None:
        log = tmp_path / 'access.log'
        log.write_text(line(200, '0.1') * 9)
        traffic = Traffic(log)
        log.write_text(line(200, '0.2'))
        traffic.read()
        assert traffic.times == [0.2]

    def test_the_last_of_several_attempts_counts(self) -> None:
        assert parse(line(200, '0.001, 0.002').encode()) == (200, 0.002)
        assert parse(line(200, '0.001 : 0.003').encode()) == (200, 0.003)

    def test_requests_that_reached_no_worker_do_not_count(self) -> None:
        assert parse(line(429, '').encode()) is None
        assert parse(b'no JSON') is None


class TestWorker:
    @pytest.fixture(autouse=True)
    def ready(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker, 'refusal', lambda *_: None)
        monkeypatch.setattr(worker, 'resident_bytes', lambda _: 400 * 2**20)

    def test_passes_within_the_limits(self, site: Site) -> None:
        site.watch.look_at(UNIT, '7')

    @pytest.mark.parametrize('process', ['0', '8'])
    def test_another_process_ends_it(self, site: Site, process: str) -> None:
        site.process = process
        with pytest.raises(Trouble, match='exited'):
            site.watch.look_at(UNIT, '7')

    def test_too_much_memory_ends_it(self, site: Site) -> None:
        with mock.patch.object(worker, 'resident_bytes', return_value=401 * 2**20), pytest.raises(Trouble, match='takes 401 MB of memory, more than 400'):
            site.watch.look_at(UNIT, '7')

    def test_a_failing_read_ends_it(self, site: Site) -> None:
        with mock.patch.object(worker, 'refusal', return_value='/readyz returns 503'), pytest.raises(Trouble, match='503'):
            site.watch.look_at(UNIT, '7')


@pytest.mark.parametrize(('status', 'kills'), [(0, 1), (200, 0), (503, 0)])
def test_only_a_worker_that_does_not_respond_is_killed(status: int, kills: int) -> None:
    units, app = mock.Mock(), mock.Mock()
    with mock.patch.object(worker, 'ask', return_value=(status, '')), mock.patch.object(worker, 'restart') as restart:
        worker.replace(units, app, UNIT)
    assert units.kill.call_count == kills
    restart.assert_called_once_with(units, app, UNIT)
