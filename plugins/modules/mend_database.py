#!/usr/bin/python
"""Bring PostgreSQL to a described state with the statements that a comparison returns."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mend_database
short_description: Bring PostgreSQL to a described state
description:
  - Runs a comparison, which is a list of SELECTs. Each row is a statement that corrects one deviation. Then runs exactly these
    statements. A row that starts with C(--) is a remark about a deviation that no statement can correct.
  - Then compares again. Fails if a deviation remains. Returns the remarks.
  - Runs as the superuser C(postgres) over the local socket with psql, which comes with the server. Ansible's own
    modules need a Python driver on the machine and one run for each kind of object, and do not detect other ALTER SYSTEM settings.
options:
  comparison:
    description: The SELECTs, in an order in which their statements can run. They must not change anything themselves.
    type: str
    required: true
  port:
    description: The server's port, which determines the name of its socket.
    type: int
    default: 5432
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Mend the database
  mend_database:
    comparison: SELECT 'CREATE ROLE guest' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'guest')
"""

RETURN = r"""
statements:
  description: The statements that were run, or would be.
  type: list
  elements: str
  returned: always
remarks:
  description: The deviations that remain because no statement can correct them.
  type: list
  elements: str
  returned: always
"""

import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def psql(module: Any, text: str) -> list[str]:
    """Runs SQL and returns the lines that psql prints. Ends the module if a statement fails."""
    command = ['runuser', '--user=postgres', '--', 'psql', '--no-psqlrc', '--quiet', '--tuples-only', '--no-align']
    command += ['--set=ON_ERROR_STOP=1', f'--port={module.params["port"]}', '--dbname=postgres', '--file=-']
    # With this search_path a superuser resolves names only in the system catalog, not among objects that other roles created.
    code, output, error = module.run_command(command, data=text, cwd='/', environ_update={'PGOPTIONS': '-c search_path=pg_catalog'})
    if code:
        module.fail_json(msg=error.strip() or 'psql failed without a message.')
    return output.splitlines()


def compare(module: Any) -> tuple[list[str], list[str]]:
    """Returns the statements and the remarks."""
    rows = [row for row in psql(module, module.params['comparison']) if row]
    return [row for row in rows if not row.startswith('--')], [row for row in rows if row.startswith('--')]


def main() -> None:
    module = AnsibleModule(
        argument_spec={'comparison': {'type': 'str', 'required': True}, 'port': {'type': 'int', 'default': 5432}},
        supports_check_mode=True,
    )
    if module.check_mode and not shutil.which('psql'):
        module.exit_json(changed=True, statements=[], remarks=['-- PostgreSQL is not installed yet'])
    statements, remarks = compare(module)
    if statements and not module.check_mode:
        psql(module, ''.join(f'{statement};\n' for statement in statements))
        left, remarks = compare(module)
        if left:
            module.fail_json(msg='Deviations that remain after the statements: ' + '; '.join(left))
    module.exit_json(
        changed=bool(statements or remarks),
        statements=statements,
        remarks=remarks,
        diff={'before': '', 'after': ''.join(f'{row}\n' for row in statements + remarks)},
    )


if __name__ == '__main__':
    main()
