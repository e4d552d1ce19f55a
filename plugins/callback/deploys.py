"""Print the reasons and phases of a deploy or rollback, and in the last line the serving release of each machine."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: deploys
type: aggregate
short_description: Reasons, phases and a summary of deploys
description:
  - Adds the results of the action C(deploy_release) to the usual output. The output of other plays is unchanged.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'deploys'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.started = time.monotonic()
        self.summaries: list[str] = []

    def v2_runner_on_ok(self, result: Any) -> None:
        self.tell(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.tell(result)

    def tell(self, result: Any) -> None:
        told = result.result
        if result.task.action != 'deploy_release' or 'summary' not in told:
            return
        for reason in told['reasons']:
            self._display.display(f'  because {reason}')
        for phase in told['phases']:
            self._display.display(f'  {phase}')
        for version in told['removed']:
            self._display.display(f'  removed {version}')
        self.summaries.append(f'{result.host.get_name()}: {told["summary"]}')

    def v2_playbook_on_stats(self, stats: Any) -> None:
        for summary in self.summaries:
            self._display.display(f'{summary} ({time.monotonic() - self.started:.1f} s)')
