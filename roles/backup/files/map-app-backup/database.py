"""What is asked of PostgreSQL: through psql, which comes with the server, over its socket."""

from __future__ import annotations

import subprocess

from system import Refusal, run

# A row for each table: its name, how many rows it has, and the sum of their checksums, which the order of the rows does not change.
MEASURE = r"""
SELECT coalesce(string_agg(format(
  'SELECT %L, count(*), coalesce(sum(hashtextextended(row::text, 0)::numeric), 0)::text FROM %I.%I AS row',
  schemaname || '.' || tablename, schemaname, tablename), ' UNION ALL '), 'SELECT WHERE false')
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') \gexec
"""

PSQL = ['psql', '--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--field-separator=\t', '--set=ON_ERROR_STOP=1']


class Database:
    """A database of the server whose socket is in a folder."""

    def __init__(self, name, socket='/run/postgresql'):
        self.name = name
        self.socket = socket

    @property
    def options(self):
        return [f'--host={self.socket}', f'--dbname={self.name}']

    def ask(self, sql):
        """Runs statements and returns the rows of the answer, each a list of texts."""
        text = run([*PSQL, *self.options], user='postgres', input=sql).stdout
        return [line.split('\t') for line in text.splitlines()]

    def value(self, sql):
        return self.ask(sql)[0][0]

    def answers(self):
        return run([*PSQL, *self.options, '--command=SELECT'], user='postgres', check=False).returncode == 0

    def session(self):
        return Session(self)


class Session:
    """A connection that stays open between statements, for a transaction that others work beside."""

    END = 'map-app-backup: end of answer'

    def __init__(self, database):
        self.process = subprocess.Popen(
            [*PSQL, *database.options], user='postgres', group='postgres', extra_groups=[], cwd='/', text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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
