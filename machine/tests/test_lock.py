"""The run lock: free, held, stale, of a dead run. The audit log, which names the holder of the lock."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app import audit, lock
from map_app.audit import Audit
from map_app.errors import Failure
from map_app.exclusive import exclusive
from map_app.lock import RunLock, is_dead, locked, started

ANN: dict[str, Any] = {'who': 'ann', 'controller': 'desk', 'pid': 7, 'started': 'boot 1', 'what': 'site.yml', 'when': '2026-11-26 12:00 UTC'}
BOB = {**ANN, 'who': 'bob', 'pid': 8}


@pytest.fixture
def run_lock(tmp_path: Path) -> RunLock:
    return RunLock(tmp_path / 'lock')


def test_a_free_lock_is_taken_and_released(run_lock: RunLock) -> None:
    assert run_lock.take(ANN) is None
    assert run_lock.holder() == ANN
    run_lock.free(ANN)
    assert run_lock.holder() is None


def test_another_run_gets_the_record_of_the_holder(run_lock: RunLock) -> None:
    run_lock.take(ANN)
    assert run_lock.take(BOB) == ANN
    assert run_lock.holder() == ANN


def test_the_same_run_may_take_it_twice(run_lock: RunLock) -> None:
    run_lock.take(ANN)
    assert run_lock.take({**ANN, 'when': 'later', 'what': 'another playbook'}) is None


@pytest.mark.parametrize('key', ['controller', 'pid', 'started'])
def test_runs_differ_by_controller_process_and_its_start(run_lock: RunLock, key: str) -> None:
    run_lock.take(ANN)
    assert run_lock.take({**ANN, key: 'other'}) == ANN


def test_only_the_holder_releases_the_lock(run_lock: RunLock) -> None:
    run_lock.take(ANN)
    run_lock.free(BOB)
    assert run_lock.holder() == ANN


def test_the_lock_of_a_dead_run_is_replaced_if_that_run_still_holds_it(run_lock: RunLock) -> None:
    run_lock.take(ANN)
    assert run_lock.take(BOB, dead=ANN) is None
    carl = {**ANN, 'who': 'carl', 'pid': 9}
    # Bob has already taken the lock.
    assert run_lock.take(carl, dead=ANN) == BOB


def test_a_check_takes_and_frees_nothing(run_lock: RunLock) -> None:
    assert run_lock.take(ANN, check=True) is None
    assert run_lock.holder() is None
    run_lock.take(ANN)
    run_lock.free(ANN, check=True)
    assert run_lock.holder() == ANN


def test_all_users_can_read_the_holder(run_lock: RunLock) -> None:
    run_lock.take(ANN)
    assert oct(run_lock.path.stat().st_mode) == '0o100644'


def test_two_processes_do_not_hold_a_folder_at_once(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with locked(tmp_path):
            order.append('second')

    with locked(tmp_path):
        other = threading.Thread(target=second)
        other.start()
        threading.Event().wait(0.2)
        order.append('first')
    other.join()
    assert order == ['first', 'second']


class TestOnTheMachineItself:
    def test_is_held_only_during_the_block(self, run_lock: RunLock) -> None:
        with exclusive(run_lock, 'map-app deploy'):
            holder = run_lock.holder()
            assert holder
            assert (holder['pid'], holder['what']) == (os.getpid(), 'map-app deploy')
        assert run_lock.holder() is None

    def test_is_free_after_a_failure(self, run_lock: RunLock) -> None:
        with pytest.raises(ZeroDivisionError), exclusive(run_lock, 'map-app deploy'):
            raise ZeroDivisionError
        assert run_lock.holder() is None

    def test_fails_while_a_playbook_runs(self, run_lock: RunLock) -> None:
        run_lock.take(ANN)
        with (
            pytest.raises(Failure, match=r'ann@desk has been running site\.yml on this machine since 2026-11-26 12:00 UTC \(process 7'),
            exclusive(run_lock, 'x'),
        ):
            pass
        assert run_lock.holder() == ANN

    def test_replaces_the_lock_of_a_dead_run_of_this_machine(self, run_lock: RunLock) -> None:
        run_lock.take({**ANN, 'controller': os.uname().nodename, 'pid': os.getpid(), 'started': 'an earlier boot'})
        with exclusive(run_lock, 'map-app deploy'):
            holder = run_lock.holder()
        assert holder
        assert holder['what'] == 'map-app deploy'


def test_a_process_is_dead_if_it_ended_or_its_id_was_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {**ANN, 'controller': os.uname().nodename, 'pid': os.getpid(), 'started': started(os.getpid())}
    assert not is_dead(here)
    assert is_dead({**here, 'started': 'boot 0'})
    assert is_dead({**here, 'pid': 2**22 + 1})
    # Runs of other controllers cannot be checked.
    assert not is_dead(ANN)


class TestAudit:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        monkeypatch.setattr(audit, 'tell_journal', lambda message, **fields: told.append({'message': message, **fields}))
        return told

    def test_a_line_names_the_operator_and_the_action_and_is_also_in_the_journal(self, run_lock: RunLock, told: list[dict[str, Any]]) -> None:
        run_lock.take(ANN)
        log = Audit(run_lock, run_lock.path.parent / 'audit')
        with mock.patch('os.fsync') as synced:
            log.note('deploy', 'good', release='b', reason=None)
        synced.assert_called_once()
        log.note('restore', 'failed', reason='full\ndisk')
        first, second = [json.loads(line) for line in log.path.read_text().splitlines()]
        assert {name: first[name] for name in ('action', 'outcome', 'who', 'what', 'release')} == {
            'action': 'deploy',
            'outcome': 'good',
            'who': 'ann@desk',
            'what': 'site.yml',
            'release': 'b',
        }
        assert 'reason' not in first
        assert second['reason'] == 'full\ndisk'
        assert told[0]['message'] == 'deploy by ann@desk: good'
        assert oct(log.path.stat().st_mode) == '0o100640'

    def test_names_the_sudo_user_if_there_is_no_run(self, run_lock: RunLock, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('SUDO_USER', 'ann')
        log = Audit(run_lock, run_lock.path.parent / 'audit')
        log.note('restart', 'good')
        assert json.loads(log.path.read_text())['who'] == 'ann'

    def test_a_field_of_several_lines_cannot_add_fields_to_the_journal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[bytes] = []

        class Socket:
            def __init__(self, *_: object) -> None: ...
            def __enter__(self) -> Socket:
                return self

            def __exit__(self, *_: object) -> None: ...
            def sendto(self, data: bytes, _: str) -> None:
                sent.append(data)

        monkeypatch.setattr('socket.socket', Socket)
        audit.tell_journal('x', reason='a\nPRIORITY=0')
        assert sent == [b'MESSAGE=x\nSYSLOG_IDENTIFIER=map-app-audit\nPRIORITY=5\nMAP_APP_REASON=a PRIORITY=0\n']


def test_the_message_names_the_lock_file(run_lock: RunLock) -> None:
    assert str(lock.PATH) in lock.sentence(ANN)
