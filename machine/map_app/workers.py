"""Starts, reloads and stops the workers: what `map-app.service` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import journal
from .errors import Failure
from .settings import Service
from .units import Units


@dataclass(frozen=True)
class Plan:
    """The units that an action restarts (or starts), and those that it stops, in order."""

    restarts: list[str]
    stops: list[str]


class Workers:
    def __init__(self, settings: Service, units: Units) -> None:
        self.settings = settings
        self.units = units

    def plan(self, action: str) -> Plan:
        """Returns what `start`, `reload` or `stop` does now, without doing it."""
        if action != 'stop':
            # Workers beyond the configured number remain from a larger one.
            return Plan(self.settings.workers, sorted(set(self.loaded()) - set(self.settings.workers)))
        # A restart of the service stops it first. The socket stays, so that clients wait instead of being refused.
        if self.units.has_restart_job(self.settings.service):
            return Plan([], [])
        return Plan([], [self.settings.socket, *self.loaded()])

    def loaded(self) -> list[str]:
        return self.units.loaded(self.settings.worker_pattern)

    def run(self, action: str, plan: Plan) -> None:
        """Executes the plan of an action."""
        actions: dict[str, Callable[[Plan], None]] = {'start': self.start, 'reload': self.reload, 'stop': self.stop}
        actions[action](plan)

    def start(self, plan: Plan) -> None:
        """Starts all workers at once. Restarts those that run, because a restart of the service has not stopped them."""
        self.stop_surplus(plan)
        if not self.units.restart(plan.restarts):
            reason = journal.command([self.settings.worker_pattern])
            raise Failure(f'Not every worker started, so systemd stops the others. For the reason, run: {reason}')

    def reload(self, plan: Plan) -> None:
        """Restarts one worker after the other while the others serve. Ends at the first failure, before a bad release reaches all workers."""
        for unit in plan.restarts:
            if not self.units.restart([unit]):
                reason = journal.command([unit])
                raise Failure(f'{unit} did not start again, and the workers after it were not restarted. For the reason, run: {reason}')
        self.stop_surplus(plan)

    def stop(self, plan: Plan) -> None:
        """Stops the socket and the workers, also after a start that failed."""
        if not plan.stops:
            return
        # The socket first: while no worker accepts, a connection would start the service again.
        # Without its dependents, because the service is one of them, and each would wait for the other.
        self.units.stop([self.settings.socket], with_dependents=False)
        # The glob, because another worker may have been loaded since.
        self.units.stop([self.settings.worker_pattern])

    def stop_surplus(self, plan: Plan) -> None:
        if plan.stops:
            self.units.stop(plan.stops)
