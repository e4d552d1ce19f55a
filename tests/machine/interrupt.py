"""
Runs a command of the program map-app, and interrupts it just before it starts its program number NUMBER.

usage: interrupt.py NUMBER kill|power-failure COMMAND...

kill: kills only this process. power-failure: ends all processes of the machine at once. The file /root/interrupted then contains the program that did
not start. Exits with the status of the command if it starts fewer programs.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

# The program is a zip archive.
sys.path.insert(0, '/usr/local/bin/map-app')

from map_app.cli import main
from map_app.processes import Processes

INTERRUPTED = Path('/root/interrupted')


class Interrupting(Processes):
    def __init__(self, number, how):
        self.left = number
        self.how = how

    def run(self, command, **options):
        self.count(command)
        return super().run(command, **options)

    def convert(self, command, *arguments, **options):
        self.count(command)
        return super().convert(command, *arguments, **options)

    def start(self, command, **options):
        self.count(command)
        return super().start(command, **options)

    def count(self, command):
        self.left -= 1
        if self.left == 0:
            INTERRUPTED.write_text(' '.join(command)[:200])
            if self.how == 'power-failure':
                subprocess.run(['systemctl', 'reboot', '--force', '--force'], check=True)
                signal.pause()
            os.kill(os.getpid(), signal.SIGKILL)


with contextlib.suppress(FileNotFoundError):
    INTERRUPTED.unlink()
sys.exit(main(sys.argv[3:], Interrupting(int(sys.argv[1]), sys.argv[2])))
