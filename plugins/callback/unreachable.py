"""Explain in one sentence why ssh cannot reach a machine, and what to do."""

from __future__ import annotations

import re
from typing import Any

from ansible import constants as C
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: unreachable
type: aggregate
short_description: Explains why a machine is unreachable
description:
  - Adds a sentence to what ssh itself prints, for the failures that operators meet most often. It is the last line of the output.
"""

# Patterns of ssh's output, and their explanations. The first match counts.
EXPLANATIONS = (
    (
        'REMOTE HOST IDENTIFICATION HAS CHANGED',
        '{host} does not show the host key that this computer has recorded for it. If the machine was rebuilt, playbooks/rebuild.yml '
        'replaces the key. Otherwise an attacker may be intercepting the connection, so do not log in.',
    ),
    (
        'Host key verification failed',
        "This computer has not recorded a host key for {host} yet. Run 'ssh {address}' once, compare the fingerprint with the one in the "
        "provider's console (or that of 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' on the machine), and type yes if they are the same.",
    ),
    (
        r'Could not resolve hostname \S*\bexample\.(org|com|net)\b',
        'The inventory still contains the example machine {host}. Replace it by the name of your server in hosts.yml.',
    ),
    (
        'Could not resolve hostname',
        "The name {address} cannot be resolved on this computer. Correct it in the inventory's hosts.yml, or set HostName for it in ~/.ssh/config.",
    ),
    (
        'waiting for privilege escalation prompt',
        'sudo on {host} asks for the password in a way that Ansible does not recognise, as sudo-rs does. Install the classic sudo too: '
        'ssh -t {address} sudo apt-get install sudo',
    ),
    (
        'Permission denied',
        "{host} refuses the user or the key of this computer. 'ssh {address}' must log in without a password: set User and IdentityFile for it "
        'in ~/.ssh/config.',
    ),
)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'unreachable'

    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def v2_runner_on_unreachable(self, result: Any) -> None:
        # A play that continues without the machine reports it itself.
        if result.task.ignore_unreachable:
            return
        said = str(result.result.get('msg', ''))
        host = result.host.get_name()
        address = result.host.get_vars().get('ansible_host', host)
        for pattern, explanation in EXPLANATIONS:
            if re.search(pattern, said):
                self.sentences.append(explanation.format(host=host, address=address))
                return

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for sentence in self.sentences:
            self._display.display(sentence, color=C.COLOR_ERROR, stderr=True)
