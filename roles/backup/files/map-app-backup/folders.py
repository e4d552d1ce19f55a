"""Folders and files of postgres. root opens no path in them, because postgres could replace any part of the path by a link meanwhile.

Programs that run as postgres do all work in them.
"""

from __future__ import annotations

import subprocess
import sys

from system import run

# renameat2(2) with RENAME_EXCHANGE, for which coreutils has an option only from 9.5 on.
EXCHANGE = """
import ctypes, os, sys
at_present, swap = -100, 2
if ctypes.CDLL(None, use_errno=True).renameat2(at_present, os.fsencode(sys.argv[1]), at_present, os.fsencode(sys.argv[2]), swap):
    sys.exit(f'{sys.argv[1]}: {os.strerror(ctypes.get_errno())}')
"""


def make(folder):
    """Creates a folder that only postgres may enter, unless it exists."""
    run(['mkdir', '--parents', '--mode=0700', folder], user='postgres')


def remove(path):
    """Removes a file or a whole folder. It need not exist."""
    run(['rm', '--recursive', '--force', '--', path], user='postgres')


def exists(path):
    return run(['test', '-e', path], user='postgres', check=False).returncode == 0


def write(path, content):
    """Writes bytes to a file that only postgres may read."""
    run(['tee', '--', path], user='postgres', binary=True, input=content, umask=0o077, capture_output=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip


def read(path):
    """Returns the bytes of a file."""
    return run(['cat', '--', path], user='postgres', binary=True).stdout


def exchange(one, other):
    """Exchanges two folders atomically, so that each always contains a cluster."""
    make(one)
    run([sys.executable, '-I', '-c', EXCHANGE, one, other], user='postgres')
