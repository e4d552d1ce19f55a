#!/usr/bin/python
"""Write a section of the settings file of the map-app command."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_settings
short_description: Write a section of the settings file of the map-app command
description:
  - C(/etc/map-app.json) passes names and paths from the roles to the program that runs on the server. Each role writes the section with its name.
  - All users can read the file, so it must not contain secrets.
options:
  section:
    description: The name of the role.
    required: true
  values:
    description: The settings. They replace the section.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Pass the names of the logs to the map-app command
  machine_settings:
    section: nginx
    values:
      log_files: [/var/log/nginx/access.log, /var/log/nginx/error.log]
      log_units: [nginx]
"""

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PATH = '/etc/map-app.json'


def read(module: Any) -> tuple[str, dict[str, Any]]:
    """Returns the text of the file and its sections. A file that is not valid is replaced."""
    try:
        with open(PATH, encoding='utf-8') as file:
            text = file.read()
        sections = json.loads(text)
    except FileNotFoundError:
        return '', {}
    except ValueError as error:
        module.warn(f'{PATH} was not valid JSON ({error}) and is replaced. Run site.yml without --tags to restore all of its sections.')
        return text, {}
    return text, sections if isinstance(sections, dict) else {}


def main() -> None:
    module = AnsibleModule(
        argument_spec={'section': {'required': True}, 'values': {'type': 'dict', 'required': True}},
        supports_check_mode=True,
    )
    before, sections = read(module)
    after = json.dumps({**sections, module.params['section']: module.params['values']}, indent=2, sort_keys=True) + '\n'
    changed = after != before
    if changed and not module.check_mode:
        new = PATH + '.new'
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 'w', encoding='utf-8') as file:
            file.write(after)
        module.atomic_move(new, PATH)
    # The program rejects a file that users other than root can write.
    if os.path.exists(PATH):
        arguments = module.load_file_common_arguments({'path': PATH, 'owner': 'root', 'group': 'root', 'mode': '0644'})
        changed = module.set_fs_attributes_if_different(arguments, changed)
    module.exit_json(changed=changed, diff={'before': before, 'after': after, 'before_header': PATH, 'after_header': PATH})


if __name__ == '__main__':
    main()
