"""Real processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from unittest import mock

import pytest
from map_app.errors import Failure
from map_app.processes import Processes

from .waiting import until_printed


def test_run_returns_the_status_and_both_outputs() -> None:
    ended = Processes().run(['sh', '-c', 'echo out; echo err >&2; pwd; cat; exit 3'])
    assert (ended.status, ended.output, ended.errors) == (3, 'out\n/\n', 'err\n')


def test_another_user_keeps_no_group_of_root() -> None:
    with mock.patch('subprocess.run', return_value=mock.Mock(returncode=0)) as run:
        Processes().run(['true'], user='postgres')
    options = run.call_args.kwargs
    assert (options['user'], options['group'], options['extra_groups']) == ('postgres', 'postgres', [])


def test_a_signal_gives_the_status_of_a_shell() -> None:
    assert Processes().run(['sh', '-c', 'kill -TERM $$']).status == 128 + signal.SIGTERM


def test_binary_output_is_not_an_error() -> None:
    assert Processes().run(['printf', r'\377']).output == '\ufffd'


def test_require_fails_with_the_message_of_the_command() -> None:
    with pytest.raises(Failure, match=r'^sh -c failed: no disk$'):
        Processes().require(['sh', '-c', 'echo no disk >&2; exit 1'])
    with pytest.raises(Failure, match=r'^sh -c failed: it exited with status 4$'):
        Processes().require(['sh', '-c', 'exit 4'])


def test_run_writes_to_the_input_and_adds_to_the_environment() -> None:
    ended = Processes().run(['sh', '-c', 'cat; echo $MORE'], environment={'MORE': 'more'}, text='text\n')
    assert ended.output == 'text\nmore\n'


def test_attach_returns_the_status() -> None:
    assert Processes().attach(['sh', '-c', 'exit 5']) == 5


def terminate_once_handled() -> None:
    """Terminates this process as soon as it handles the signal, which would end the tests before."""
    before = signal.getsignal(signal.SIGTERM)

    def terminate() -> None:
        while signal.getsignal(signal.SIGTERM) == before:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()


def test_an_interrupt_runs_the_callback_and_waits_for_the_command(tmp_path: os.PathLike[str]) -> None:
    stop = os.path.join(tmp_path, 'stop')
    called = []

    def interrupted() -> None:
        called.append(True)
        open(stop, 'w').close()

    terminate_once_handled()
    assert Processes().attach(['sh', '-c', f'until [ -e {stop} ]; do sleep 0.02; done; exit 7'], interrupted) == 7
    assert called == [True]


def test_without_a_callback_an_interrupt_ends_the_command() -> None:
    terminate_once_handled()
    assert Processes().attach(['sleep', '30']) == 128 + signal.SIGTERM


def test_signal_handlers_are_restored_after_the_command() -> None:
    before = signal.getsignal(signal.SIGTERM)
    Processes().attach(['true'])
    assert signal.getsignal(signal.SIGTERM) == before


def test_print_changed_changes_each_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Processes().print_changed(['printf', r'a\nb\n'], bytes.upper)
    assert capfdbinary.readouterr().out == b'A\nB\n'


def test_following_ends_with_the_block(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with Processes().following(['sh', '-c', 'echo first; exec sleep 30'], bytes.upper):
        printed = until_printed(lambda: capfdbinary.readouterr().out)
    assert printed + capfdbinary.readouterr().out == b'FIRST\n'
