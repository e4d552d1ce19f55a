"""Starts processes. The only module of the package that does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .errors import Failure


@dataclass(frozen=True)
class Ended:
    """How a process ended. The status is that of a shell: 128 plus the number of the signal if a signal killed it."""

    status: int
    output: str = ''
    errors: str = ''


class Processes:
    """Runs commands from `/`, as root or as another user."""

    def run(self, command: Sequence[str], *, user: str | None = None, text: str = '', environment: Mapping[str, str] | None = None) -> Ended:
        """Runs a command with `text` as its input and additional environment variables, in the locale C."""
        variables = {**os.environ, 'LC_ALL': 'C', **(environment or {})}
        ended = subprocess.run(
            command, cwd='/', env=variables, input=text, capture_output=True, encoding='utf-8', errors='replace', check=False, **identity(user)
        )
        return Ended(shell_status(ended.returncode), ended.stdout, ended.stderr)

    def require(self, command: Sequence[str], *, user: str | None = None, text: str = '', environment: Mapping[str, str] | None = None) -> str:
        """Runs a command and returns its output. Throws a Failure with the end of its error output if it fails."""
        ended = self.run(command, user=user, text=text, environment=environment)
        if ended.status != 0:
            raise failure(command, ended)
        return ended.output

    def convert(self, command: Sequence[str], data: bytes, *, user: str | None = None, pass_fds: Sequence[int] = (), umask: int = -1) -> bytes:
        """Passes bytes through a command. Throws a Failure with the end of its error output if it fails."""
        ended = subprocess.run(command, cwd='/', input=data, capture_output=True, check=False, pass_fds=pass_fds, umask=umask, **identity(user))
        if ended.returncode != 0:
            raise failure(command, Ended(shell_status(ended.returncode), errors=ended.stderr.decode(errors='replace')))
        return bytes(ended.stdout)

    def start(self, command: Sequence[str], *, user: str, **streams: Any) -> subprocess.Popen[Any]:
        """Starts a command in the background. The caller ends it."""
        return subprocess.Popen(command, cwd='/', **identity(user), **streams)

    def attach(self, command: Sequence[str], on_interrupt: Callable[[], object] | None = None) -> int:
        """
        Runs a command on this process's own input and output and returns its exit status.
        @param on_interrupt: called when an operator or systemd interrupts this process; the command must end because of it
        """
        sys.stdout.flush()
        process = subprocess.Popen(command)

        def interrupt(*_: object) -> None:
            if on_interrupt:
                on_interrupt()
            else:
                process.terminate()

        with handled([signal.SIGINT, signal.SIGTERM], interrupt):
            return shell_status(process.wait())

    def replace(self, command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        """Replaces this process with a command, with additional environment variables. For interactive programs, which own the terminal."""
        sys.stdout.flush()
        os.chdir('/')
        os.execvpe(command[0], list(command), {**os.environ, **environment})

    @contextlib.contextmanager
    def following(self, command: Sequence[str], change: Callable[[bytes], bytes]) -> Iterator[None]:
        """Applies `change` to each line of a command's output and prints it, while the block runs. Terminates the command at the end of the block."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        printer = threading.Thread(target=print_lines, args=(process, change), daemon=True)
        printer.start()
        try:
            yield
        finally:
            process.terminate()
            process.wait()
            printer.join(timeout=5)

    def print_changed(self, command: Sequence[str], change: Callable[[bytes], bytes]) -> None:
        """Applies `change` to each line of a command's output and prints it, until the command ends."""
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            print_lines(process, change)


def identity(user: str | None) -> dict[str, Any]:
    """Returns the arguments with which a process runs as a user, in that user's own group and no other."""
    return {} if user is None else {'user': user, 'group': user, 'extra_groups': []}


def failure(command: Sequence[str], ended: Ended) -> Failure:
    said = ended.errors.strip() or ended.output.strip() or f'it exited with status {ended.status}'
    return Failure(f'{" ".join(command[:2])} failed: {said[-800:]}')


def print_lines(process: subprocess.Popen[bytes], change: Callable[[bytes], bytes]) -> None:
    sys.stdout.flush()
    for line in process.stdout or ():
        sys.stdout.buffer.write(change(line))
        sys.stdout.buffer.flush()


def shell_status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


@contextlib.contextmanager
def handled(signals: Sequence[signal.Signals], handler: Callable[..., None]) -> Iterator[None]:
    """Calls a handler for signals that arrive while the block runs."""
    before = [(one, signal.signal(one, handler)) for one in signals]
    try:
        yield
    finally:
        for one, former in before:
            signal.signal(one, former)
