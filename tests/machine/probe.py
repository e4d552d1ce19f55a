"""Tries operations that a service does not need, and prints the results as JSON."""

import ctypes
import glob
import json
import mmap
import os
import socket


def attempt(action):
    """Returns 'done', 'refused' or the error message."""
    try:
        action()
    except PermissionError:
        return 'refused'
    except OSError as error:
        return error.strerror
    return 'done'


def homes():
    try:
        return ' '.join(os.listdir('/home'))
    except PermissionError:
        return ''


def unshare():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


print(
    json.dumps(
        {
            'homes': homes(),
            # Writable for every user, except in the sandbox.
            'write': attempt(lambda: open('/srv/probe/written', 'w').close()),
            # systemd reads runtime units below /run.
            'runtime': 'read-only' if os.statvfs('/run').f_flag & os.ST_RDONLY else 'writable',
            'temporary': 'shared' if os.path.exists('/tmp/not-its-own') else 'its own',
            'internet': attempt(lambda: socket.socket(socket.AF_INET).close()),
            'packets': attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
            'processes': 'its own' if all(os.stat(path).st_uid == os.getuid() for path in glob.glob('/proc/[0-9]*')) else "others'",
            'namespaces': attempt(unshare),
            'code': attempt(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()),
        }
    )
)
