"""A cluster restored beside the real one, for a drill or until it takes the real one's place: on a socket of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager

import folders
from database import Database
from repository import BESIDE, contents, pgbackrest
from system import Refusal, need_space, run

# For the folder in $1. It runs as postgres, so it can only end processes of postgres.
END_SERVER = 'pid=$(head -n 1 "$1/postmaster.pid") && [ "/proc/$pid/cwd" -ef "$1" ] && kill -KILL "$pid" && sleep 1'


def clear(folder):
    """Removes it, and ends the server that a killed run left in it."""
    run(['sh', '-c', END_SERVER, 'sh', folder], user='postgres', check=False)
    folders.remove(folder)


def fill(folder, *target):
    """Restores the cluster's files into a folder made for it, to be recovered to a target given as options of pgBackRest."""
    clear(folder)
    folders.make(folder)
    pgbackrest('restore', f'--pg1-path={folder}', *target)


def beside(settings, label, name):
    """One of the files that a backup holds beside the cluster's own. The whole backup is fetched for it, to a folder that is then removed."""
    folder = settings.data.with_name('map-app-fetched')
    size = next((backup.size for backup in contents().backups if backup.label == label), None)
    if size is None:
        raise Refusal(f"There is no backup '{label}': map-app-backup list names those there are.")
    need_space(folder.parent, size, 'The backup')
    try:
        fill(folder, f'--set={label}', '--type=none')
        return folders.read(folder / BESIDE / name)
    finally:
        clear(folder)


# The line of history of the backup. Of others there may be abandoned ones: what was restored away, or in vain.
SAME_LINE = '--target-timeline=current'


@contextmanager
def server(settings, folder, **overrides):
    """Runs the cluster in a folder with the real one's settings but for those given, out of everyone's sight. Yields a Server."""
    socket = folder.with_name(folder.name + '-socket')
    folders.remove(socket)
    folders.make(socket)
    # Only postgres can connect to the socket, with any role, so that a dump is loaded as the role that owns its objects.
    folders.write(socket / 'pg_hba.conf', b'local all all trust\n')
    with tempfile.TemporaryFile() as log:
        running = Server(settings, folder, socket, log, overrides)
        try:
            yield running
        finally:
            running.stop()
            folders.remove(socket)


class Server:
    def __init__(self, settings, folder, socket, log, overrides):
        self.socket = socket
        self.log = log
        own = {
            'config_file': settings.configuration / 'postgresql.conf',
            'data_directory': folder,
            'external_pid_file': '',
            'hba_file': socket / 'pg_hba.conf',
            'unix_socket_directories': socket,
            'listen_addresses': '',
            'ssl': 'off',
            'logging_collector': 'off',
            # As SAME_LINE, which pgBackRest does not take with every kind of target.
            'recovery_target_timeline': 'current',
            **overrides,
        }
        self.process = subprocess.Popen(
            [settings.programs / 'postgres', '-D', folder, *(f'--{name}={value}' for name, value in own.items())],
            user='postgres',
            group='postgres',
            extra_groups=[],
            cwd='/',
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def wait(self, condition):
        """Waits until a condition in SQL is true. Refuses when the server ends before, with what it said last."""
        database = Database('postgres', self.socket)
        while self.process.poll() is None:
            # In one query: a server that ends between two would fail the second, and its own reason would be lost.
            if database.holds(condition):
                return
            time.sleep(0.2)
        fatal = [line for line in self.said().splitlines() if 'FATAL' in line or 'PANIC' in line]
        raise Refusal(f'PostgreSQL does not recover: {(fatal or ["it does not say why"])[-1].split(":", 1)[-1].strip()}.')

    def said(self):
        # The server and this program share the file offset, so reading must not move it.
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode(errors='replace')

    def stop(self):
        """A fast shutdown, with its checkpoint."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait()
