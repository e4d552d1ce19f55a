"""Runs SQL in the database as its superuser: with psql, which comes with the server, over its unix socket."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, TypedDict

from ..errors import Failure
from ..processes import Processes

# This program is a superuser in a database whose objects belong to another role, and must not run any code of that role. So it resolves names only in the
# system catalog, casts no row (another role may have defined the cast), and limits how long it waits for locks.
ENVIRONMENT = {'PGOPTIONS': '-c search_path=pg_catalog -c lock_timeout=30s'}
USER = 'postgres'

# The tables that a backup restores. Excludes views, temporary tables of other sessions, and unlogged tables, which a restore empties.
TABLES = """pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""

# Returns a row per table: its name, its number of rows, and the sum of the rows' checksums, which does not depend on their order.
MEASURE = rf"""
SELECT coalesce(pg_catalog.string_agg(pg_catalog.format(
  'SELECT %L, pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.format(''%%s'', whole_row), 0)::pg_catalog.numeric), 0)::pg_catalog.text '
  'FROM %I.%I AS whole_row', n.nspname || '.' || c.relname, n.nspname, c.relname), ' UNION ALL '), 'SELECT WHERE false')
FROM {TABLES} \gexec
"""

PSQL = ['psql', '--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--field-separator=\t', '--set=ON_ERROR_STOP=1']

Rows = list[list[str]]


class Measured(TypedDict):
    """The number of rows of a table and the checksum of its contents."""

    rows: int
    checksum: str


Measure = dict[str, Measured]


class Connection(Protocol):
    def ask(self, sql: str) -> Rows: ...


class Database:
    """A database of the server whose unix socket is in the folder `socket`. Connects as the superuser or as another role."""

    def __init__(self, processes: Processes, name: str, socket: Path = Path('/run/postgresql'), role: str = 'postgres') -> None:
        self.processes = processes
        self.name = name
        self.options = [f'--host={socket}', f'--dbname={name}', f'--username={role}']

    def ask(self, sql: str) -> Rows:
        """Runs SQL statements and returns the rows of the result, each a list of strings."""
        text = self.processes.require([*PSQL, *self.options], user=USER, text=sql, environment=ENVIRONMENT)
        return [line.split('\t') for line in text.splitlines()]

    def value(self, sql: str) -> str:
        return self.ask(sql)[0][0]

    def answers(self) -> bool:
        return self.holds('true')

    def holds(self, condition: str) -> bool:
        """Returns whether the server responds and an SQL condition is true."""
        ended = self.processes.run([*PSQL, *self.options, f'--command=SELECT {condition}'], user=USER, environment=ENVIRONMENT)
        return ended.status == 0 and ended.output.strip() == 't'

    def session(self) -> Session:
        return Session(self.processes, self.options)


class Session:
    """A connection that stays open between statements, for a transaction that runs while other sessions work."""

    END = 'map-app: end of answer'

    def __init__(self, processes: Processes, options: list[str]) -> None:
        pipe = subprocess.PIPE
        command = ['env', *(f'{name}={value}' for name, value in ENVIRONMENT.items()), *PSQL, *options]
        self.process = processes.start(command, user=USER, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.input: IO[str] = self.process.stdin
        self.output: IO[str] = self.process.stdout
        self.errors: IO[str] = self.process.stderr

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate('')

    def ask(self, sql: str) -> Rows:
        self.input.write(f'{sql}\n;\n\\echo {self.END}\n')
        self.input.flush()
        rows: Rows = []
        for line in self.output:
            if line.rstrip('\n') == self.END:
                return rows
            rows.append(line.rstrip('\n').split('\t'))
        raise Failure(f'PostgreSQL refuses: {self.errors.read().strip()}')


def measure(connection: Connection) -> Measure:
    """Returns the number of rows and the checksum of each table, read through a database or a session. Reads every row."""
    return {table: {'rows': int(rows), 'checksum': checksum} for table, rows, checksum in connection.ask(MEASURE.rstrip())}
