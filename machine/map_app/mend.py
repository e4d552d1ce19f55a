"""Brings PostgreSQL to a described state with the statements that a comparison returns."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

from .backups.database import PSQL, USER
from .errors import Failure
from .processes import Processes

# The superuser resolves names only in the system catalog, not among objects that other roles created.
ENVIRONMENT = {'PGOPTIONS': '-c search_path=pg_catalog'}


@dataclass(frozen=True)
class Comparison:
    """What deviates from the described state: statements that repair it, and remarks (`-- …`) on what no statement can repair."""

    statements: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Mend:
    """
    @param comparison: SELECTs, each of whose rows is a statement or a remark, in an order in which the statements can be run. They change nothing.
    @param port: the port of the server, which is part of its socket's name
    """

    def __init__(self, processes: Processes, comparison: str, port: int) -> None:
        self.processes = processes
        self.comparison = comparison
        self.port = port

    def compare(self) -> Comparison:
        rows = [row for row in self.psql(self.comparison).splitlines() if row]
        return Comparison([row for row in rows if not row.startswith('--')], [row for row in rows if row.startswith('--')])

    def run(self, check: bool) -> Comparison:
        """Returns the statements that were run, or would be, and the remarks that remain. Throws if the statements do not repair everything."""
        if check and not shutil.which('psql'):
            return Comparison(remarks=['-- PostgreSQL is not installed yet'])
        found = self.compare()
        if check or not found.statements:
            return found
        self.psql(''.join(f'{statement};\n' for statement in found.statements))
        after = self.compare()
        if after.statements:
            raise Failure('These statements ran without an error, but are still needed: ' + '; '.join(after.statements), changed=True)
        return Comparison(found.statements, after.remarks)

    def psql(self, text: str) -> str:
        """Runs a script as the superuser, up to its first error."""
        ended = self.processes.run([*PSQL, f'--port={self.port}', '--dbname=postgres', '--file=-'], user=USER, text=text, environment=ENVIRONMENT)
        if ended.status != 0:
            raise Failure(ended.errors.strip() or f'psql exited with status {ended.status}.')
        return ended.output
