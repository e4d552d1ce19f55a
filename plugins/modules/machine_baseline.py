#!/usr/bin/python
"""Remember how a run left a machine's files, and tell later which of them differ."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_baseline
short_description: Tell which files of a machine differ from how the last run left them
description:
  - Records a digest, the mode and the owner of each file of the configuration, and compares them later. What was changed by
    hand shows up whoever manages the file; so do new files and missing ones.
  - The record belongs to the run and not to the machine, and is therefore never reported as a change.
options:
  state:
    description: C(recorded) at the end of a run, C(compared) to look.
    choices: [recorded, compared]
    required: true
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Compare the machine with how the last run left it
  machine_baseline:
    state: compared
  register: drift
"""

RETURN = r"""
recorded:
  description: When the record was made (UTC); null where there is none.
  type: str
  returned: when compared
differs:
  description: A path for each difference, and whether it was C(changed), is C(missing) or is C(new).
  type: dict
  returned: when compared
"""

import hashlib
import json
import os
import stat
from datetime import UTC, datetime
from fnmatch import fnmatch

from ansible.module_utils.basic import AnsibleModule

RECORD = '/var/lib/map-app-baseline.json'
FOLDERS = ('/etc', '/usr/local')
# What changes by itself: certificates and who renewed them, name servers as the network hands them out, and what tools of the system keep in /etc.
BY_ITSELF = (
    '/etc/letsencrypt*',
    '/etc/ssl/map-app*',
    '/etc/resolv.conf',
    '/etc/mtab',
    '/etc/adjtime',
    '/etc/ld.so.cache',
    '/etc/.pwd.lock',
    '/etc/*.lock',
    '/etc/*-',
    '*/__pycache__*',
)


def describe(path):
    """What is compared of one file: owner and mode, and where a link leads or what is in a file."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return 'link to ' + os.readlink(path)
    content = ''
    if stat.S_ISREG(found.st_mode):
        with open(path, 'rb') as file:
            content = hashlib.sha256(file.read()).hexdigest()
    return f'{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid} {content}'


def walk():
    for top in FOLDERS:
        for folder, folders, files in os.walk(top):
            for name in folders + files:
                yield os.path.join(folder, name)


def describe_all():
    found = {}
    for path in walk():
        if not any(fnmatch(path, pattern) for pattern in BY_ITSELF):
            try:
                found[path] = describe(path)
            except FileNotFoundError:
                # Gone while the others were read.
                continue
    return found


def read():
    try:
        with open(RECORD, encoding='utf-8') as file:
            return json.load(file)
    except FileNotFoundError:
        return {'recorded': None, 'files': {}}


def write(record):
    """Put the record in place whole, so that a killed run leaves no half of it."""
    with open(os.open(RECORD + '.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w', encoding='utf-8') as file:
        json.dump(record, file)
    os.rename(RECORD + '.new', RECORD)


def difference(before, now):
    kinds = {path: 'new' if path not in before else 'changed' for path in now if now[path] != before.get(path)}
    kinds.update({path: 'missing' for path in before if path not in now})
    return dict(sorted(kinds.items()))


def main():
    module = AnsibleModule(
        argument_spec={
            'state': {'choices': ['recorded', 'compared'], 'required': True},
        },
        supports_check_mode=True,
    )
    now = describe_all()
    if module.params['state'] == 'recorded':
        if not module.check_mode:
            write({'recorded': datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC'), 'files': now})
        module.exit_json(changed=False)
    before = read()
    differs = difference(before['files'], now) if before['recorded'] else {}
    module.exit_json(changed=False, recorded=before['recorded'], differs=differs)


if __name__ == '__main__':
    main()
