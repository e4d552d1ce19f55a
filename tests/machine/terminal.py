"""Runs a command in a terminal of its own and answers its prompts, as a person at a keyboard does.

usage: terminal.py PROMPTS COMMAND...
PROMPTS is JSON: a list of pairs, the pattern of a prompt and what is typed then, each as often as the prompt comes. The command's
output goes to standard output. Ends with the command's exit status.
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
                # Programs discard what was typed before their prompt, some just after they printed it.
                time.sleep(0.5)
                os.write(terminal, typed.encode())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


sys.exit(main())
