"""Runs a command in a new terminal and types answers to its prompts.

usage: terminal.py PROMPTS COMMAND...
PROMPTS is a JSON list of pairs: the pattern of a prompt, and the text to type whenever it appears. Copies the command's output to standard
output, and exits with its exit status.
"""

import json
import os
import pty
import re
import sys
import time


def main():
    prompts = [(re.compile(pattern), typed) for pattern, typed in json.loads(sys.argv[1])]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    unanswered = ''
    while True:
        try:
            output = os.read(terminal, 65536)
        except OSError:  # The command has closed its terminal.
            break
        sys.stdout.buffer.write(output)
        sys.stdout.flush()
        unanswered += output.decode(errors='replace')
        for pattern, typed in prompts:
            if found := pattern.search(unanswered):
                unanswered = unanswered[found.end() :]
                # Some programs discard pending input just after they have printed the prompt.
                time.sleep(0.5)
                os.write(terminal, typed.encode())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main())
