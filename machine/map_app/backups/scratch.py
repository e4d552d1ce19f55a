"""Runs a restored cluster next to the real one, on a separate socket: for a drill, or until it replaces the real one."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import Failure
from .repository import COMPANIONS
from .site import Site, need_space

# Kills the server of the folder in $1. It runs as postgres, so it can only end processes of postgres.
END_SERVER = 'pid=$(head -n 1 "$1/postmaster.pid") && [ "/proc/$pid/cwd" -ef "$1" ] && kill -KILL "$pid" && sleep 1'
# Follows the timeline of the backup. Other timelines in the archive may be abandoned, because a restore replaced them or failed.
SAME_LINE = '--target-timeline=current'


def clear(site: Site, folder: Path) -> None:
    """Removes a cluster, and the server and the socket that an interrupted run left."""
    site.processes.run(['sh', '-c', END_SERVER, 'sh', str(folder)], user='postgres')
    site.folders.remove(socket_of(folder))
    site.folders.remove(folder)


def socket_of(folder: Path) -> Path:
    """Returns the folder with the socket of the cluster in `folder`."""
    return folder.with_name(folder.name + '-socket')


def fill(site: Site, folder: Path, *target: str) -> None:
    """Restores the cluster's files to a new folder. `target` contains pgBackRest's options for the recovery target."""
    clear(site, folder)
    site.folders.make(folder)
    site.repository.pgbackrest('restore', f'--pg1-path={folder}', *target)


def fetch(site: Site, label: str, name: str) -> bytes:
    """Returns one of a backup's companion files. Restores the whole backup to a temporary folder for it."""
    folder = site.data.with_name('map-app-fetched')
    size = next((backup.size for backup in site.repository.contents().backups if backup.label == label), None)
    if size is None:
        raise Failure(f"There is no backup '{label}': to list the backups, run map-app backups.")
    need_space(folder.parent, size, 'The backup')
    try:
        fill(site, folder, f'--set={label}', '--type=none')
        return site.folders.read(folder / COMPANIONS / name)
    finally:
        clear(site, folder)


@contextmanager
def server(site: Site, folder: Path, **overrides: str) -> Iterator[Server]:
    """Runs the cluster in a folder with the real one's settings, except `overrides`. Only this program can connect to it."""
    socket = socket_of(folder)
    site.folders.make(socket)
    # Only the user postgres can reach the socket, and it may use any role, so that a dump is loaded as the role that owns its objects.
    site.folders.write(socket / 'pg_hba.conf', b'local all all trust\n')
    with tempfile.TemporaryFile() as log:
        running = Server(site, folder, socket, log, overrides)
        try:
            yield running
        finally:
            running.stop()
            site.folders.remove(socket)


class Server:
    def __init__(self, site: Site, folder: Path, socket: Path, log: IO[bytes], overrides: dict[str, str]) -> None:
        self.site = site
        self.socket = socket
        self.log = log
        own = {
            'config_file': f'{site.settings.configuration}/postgresql.conf',
            'data_directory': str(folder),
            'external_pid_file': '',
            'hba_file': f'{socket}/pg_hba.conf',
            'unix_socket_directories': str(socket),
            'listen_addresses': '',
            'ssl': 'off',
            'logging_collector': 'off',
            # The same as SAME_LINE, which pgBackRest does not accept with every kind of target.
            'recovery_target_timeline': 'current',
            **overrides,
        }
        command = [f'{site.programs}/postgres', '-D', str(folder), *(f'--{name}={value}' for name, value in own.items())]
        self.process = site.processes.start(command, user='postgres', stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self, condition: str) -> None:
        """Waits until an SQL condition is true. If the server exits first, throws with its last error message."""
        database = self.site.on(self.socket, 'postgres')
        while self.process.poll() is None:
            # One query only: a server that exits between two queries would make the second one fail, and its own error message would be lost.
            if database.holds(condition):
                return
            time.sleep(0.2)
        fatal = [line for line in self.said().splitlines() if 'FATAL' in line or 'PANIC' in line]
        raise Failure(f'PostgreSQL did not recover: {(fatal or ["it logged no error"])[-1].split(":", 1)[-1].strip()}.')

    def said(self) -> str:
        # The server and this program share the file offset, so reading must not move it.
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode(errors='replace')

    def stop(self) -> None:
        """Stops the server with a fast shutdown, which writes a checkpoint."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait()
