"""Ansible's default output, reduced to messages for plays that set C(speaks)."""

from __future__ import annotations

from typing import Any

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as Default

DOCUMENTATION = """
    name: readable
    type: stdout
    short_description: Ansible's default output, reduced to messages for plays that set C(speaks)
    description:
      - In a play with the variable C(speaks) set to true, prints only the messages of C(debug), unchanged, and failures, each as a sentence.
        So the status fits one screen, and scripts receive pure JSON.
      - The output of other plays is unchanged, except that the failure of a deploy is printed only once.
    extends_documentation_fragment:
      - default_callback
      - result_format_callback
    requirements:
      - set as stdout in configuration
"""


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'readable'

    speaks = False

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.speaks = bool(play.get_vars().get('speaks'))
        if not self.speaks:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if not self.speaks:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_runner_on_ok(self, result: Any) -> None:
        if not self.speaks:
            super().v2_runner_on_ok(result)
        elif result.task.action == 'ansible.builtin.debug':
            self._display.display(str(result.result.get('msg', '')))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        # The message of a failed deploy is complete; the callback `deploys` prints the rest.
        if (self.speaks or result.task.action == 'deploy_release') and not self._display.verbosity:
            self.complain(result)
        else:
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not self.speaks or self._display.verbosity:
            super().v2_runner_on_unreachable(result)
        elif not result.task.ignore_unreachable:
            self.complain(result)

    def complain(self, result: Any) -> None:
        sentence = str(result.result.get('msg') or result.result).strip()
        self._display.display(f'{result.host.get_name()}: {sentence}', color=C.COLOR_ERROR, stderr=True)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        if not self.speaks:
            super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if not self.speaks:
            super().v2_playbook_on_stats(stats)
