"""What is asked of PostgreSQL: through psql, which comes with the server, over its socket."""

from __future__ import annotations

import os
import subprocess

from system import Refusal, run

# This program is a superuser in a database whose objects belong to another role, and must not call any of them. So it resolves names only in the system
# catalog, casts no row (another role may have defined the cast), and limits how long it waits for locks.
os.environ['PGOPTIONS'] = '-c search_path=pg_catalog -c lock_timeout=30s'

# The tables that a backup restores: no views, no temporary tables of others, and no unlogged tables, which a restore empties.
TABLES = """pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""

# A row for each table: its name, how many rows it has, and the sum of their checksums, which the order of the rows does not change.
MEASURE = rf"""
SELECT coalesce(pg_catalog.string_agg(pg_catalog.format(
  'SELECT %L, pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.format(''%%s'', whole_row), 0)::pg_catalog.numeric), 0)::pg_catalog.text '
  'FROM %I.%I AS whole_row', n.nspname || '.' || c.relname, n.nspname, c.relname), ' UNION ALL '), 'SELECT WHERE false')
FROM {TABLES} \gexec
"""

PSQL = ['psql', '--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--field-separator=\t', '--set=ON_ERROR_STOP=1']


class Database:
    """A database of the server whose socket is in a folder, as its superuser or as another role."""

    def __init__(self, name, socket='/run/postgresql', role='postgres'):
        self.name = name
        self.socket = socket
        self.role = role

    @property
    def options(self):
        return [f'--host={self.socket}', f'--dbname={self.name}', f'--username={self.role}']

    def ask(self, sql):
        """Runs statements and returns the rows of the answer, each a list of texts."""
        text = run([*PSQL, *self.options], user='postgres', input=sql).stdout
        return [line.split('\t') for line in text.splitlines()]

    def value(self, sql):
        return self.ask(sql)[0][0]

    def answers(self):
        return run([*PSQL, *self.options, '--command=SELECT'], user='postgres', check=False).returncode == 0

    def holds(self, condition):
        """Whether the server answers and a condition in SQL is true."""
        result = run([*PSQL, *self.options, f'--command=SELECT {condition}'], user='postgres', check=False)
        return result.returncode == 0 and result.stdout.strip() == 't'

    def session(self):
        return Session(self)


class Session:
    """A connection that stays open between statements, for a transaction that others work beside."""

    END = 'map-app-backup: end of answer'

    def __init__(self, database):
        self.process = subprocess.Popen(
            [*PSQL, *database.options],
            user='postgres',
            group='postgres',
            extra_groups=[],
            cwd='/',
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate('')

    def ask(self, sql):
        self.process.stdin.write(f'{sql}\n;\n\\echo {self.END}\n')
        self.process.stdin.flush()
        rows = []
        for line in self.process.stdout:
            if line.rstrip('\n') == self.END:
                return rows
            rows.append(line.rstrip('\n').split('\t'))
        raise Refusal(f'PostgreSQL refuses: {self.process.stderr.read().strip()}')


def measure(connection):
    """Rows and checksum of each table, as a database or a session sees them: reads every row."""
    return {table: {'rows': int(rows), 'checksum': checksum} for table, rows, checksum in connection.ask(MEASURE.rstrip())}
