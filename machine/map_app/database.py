"""Opens the map's database with psql as the API's role, which reads and writes rows and cannot change the schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from .errors import Failure
from .processes import Processes
from .settings import Commands

# `current_date` and the days are in the machine's time zone (PGTZ).
VISITORS = """
select json_agg(json_build_object('day', day, 'pins', pins) order by day desc), (select count(*) from pin)
from (
  select day, count(pin.id) as pins
  from (select current_date - past as day from generate_series(0, {days} - 1) as past) as days
    left join pin on visited_at >= day and visited_at < day + 1
  group by day
) as counts;
"""


class Database:
    def __init__(self, settings: Commands, processes: Processes) -> None:
        self.settings = settings
        self.processes = processes

    def psql(self, options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """Returns the command that runs psql, and its variables of the environment."""
        if not self.settings.database_is_here:
            raise Failure('The database is not on this machine. Run the command on the machine that has it.')
        address, password = without_password(Path(self.settings.credentials_folder, 'DATABASE_URL').read_text(encoding='utf-8').strip())
        environment = {'PSQL_HISTORY': '/dev/null', 'PGTZ': time_zone(), **({'PGPASSWORD': password} if password else {})}
        return ['runuser', f'--user={self.settings.user}', '--', 'psql', f'--dbname={address}', *options], environment

    def shell(self, options: Sequence[str]) -> NoReturn:
        """Replaces this process with psql, and passes options on to it."""
        command, environment = self.psql(options)
        self.processes.replace(command, environment)

    def visitors(self, days: int) -> tuple[list[tuple[str, int]], int]:
        """Returns the number of pins dropped on each of the last days, today first, and the total number of pins."""
        command, environment = self.psql(['--no-psqlrc', '--quiet', '--tuples-only', '--no-align', '--field-separator=\t', '--set=ON_ERROR_STOP=1', '--file=-'])
        ended = self.processes.run(command, environment=environment, text=VISITORS.format(days=days))
        if ended.status != 0:
            raise Failure(f'The database could not be read: {ended.errors.strip()}')
        counts, total = ended.output.strip().split('\t')
        return [(one['day'], one['pins']) for one in json.loads(counts)], int(total)


def without_password(address: str) -> tuple[str, str | None]:
    """Separates the password from the URL of a database, because any user can read the arguments of a process. Returns both."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    password = query.pop('password', None)
    place = parts.netloc
    if parts.password is not None:
        password = unquote(parts.password)
        place = f'{parts.username}@{place.rpartition("@")[2]}'
    if password is None:
        return address, None
    return parts._replace(netloc=place, query=urlencode(query, safe='/', quote_via=quote)).geturl(), password


def time_zone() -> str:
    """Returns the machine's time zone, such as `Europe/Berlin`."""
    return str(Path('/etc/localtime').resolve()).rpartition('zoneinfo/')[2]
