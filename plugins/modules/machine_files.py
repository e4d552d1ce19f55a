#!/usr/bin/python
"""Write the files of a role in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_files
short_description: Write the files, folders and links of a role in one call
description:
  - Brings each entry to the given state, in the given order. One call for all files of a role takes about as long as one M(ansible.builtin.copy).
  - A file is replaced atomically, and only if its content differs.
options:
  files:
    description: The files, folders and links. An element can be a list of them.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The path on the machine.
        type: path
        required: true
      state:
        description: >-
          C(file) has the content of O(files[].src) or O(files[].content). C(directory) is created with its parents. C(link) points to
          O(files[].target). C(absent) removes a file or link. C(owned) only sets owner, group and mode, if the path exists.
        choices: [file, directory, link, absent, owned]
        default: file
      src:
        description: A file of the role in C(files/) or, if its name ends in C(.j2), a template in C(templates/). The action plugin reads it.
        type: str
      vars:
        description: Additional variables for the template.
        type: dict
      content:
        description: The content, if there is no O(files[].src).
        type: str
      target:
        description: The target of the link. It need not exist.
        type: str
      owner:
        description: The owner.
        type: str
        default: root
      group:
        description: The group.
        type: str
        default: root
      mode:
        description: The mode. By default, 0755 for a folder and 0644 for a file.
        type: str
      backup:
        description: A path to which the previous file is copied before it is replaced. Removed if there was no previous file.
        type: path
      secret:
        description: Whether the content is secret. The difference is then not shown.
        type: bool
        default: false
      validate:
        description: A command that rejects invalid content of a file before the file is replaced. C(%s) is the path of the new file.
        type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Configure nginx
  machine_files:
    files:
      - { path: /etc/nginx/nginx.conf, src: nginx.conf.j2, validate: nginx -t -q -c %s }
      - { path: /var/lib/map-app-maintenance, state: directory }
      - { path: /etc/nginx/sites-enabled/default, state: absent }
"""

RETURN = r"""
paths:
  description: The paths that were changed.
  type: list
  elements: str
  returned: always
missing:
  description: The paths with the state C(owned) that do not exist.
  type: list
  elements: str
  returned: always
"""

import os
import shutil
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ABSENT = 'absent'


def kind(path: str) -> str:
    """Returns the kind of a path: file, directory, link, absent or other."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return ABSENT
    kinds = ((stat.S_ISREG, 'file'), (stat.S_ISDIR, 'directory'), (stat.S_ISLNK, 'link'))
    return next((name for fits, name in kinds if fits(mode)), 'other')


def read(path: str) -> str:
    """Returns the content of a file, or '' for anything else."""
    if kind(path) != 'file':
        return ''
    with open(path, encoding='utf-8', errors='surrogateescape', newline='') as file:
        return file.read()


def save(path: str, backup: str) -> None:
    """Copies a file with its mode, or removes the copy if there is no file."""
    if os.path.exists(path):
        shutil.copy2(path, backup)
    elif os.path.exists(backup):
        os.unlink(backup)


class Files:
    def __init__(self, module: Any) -> None:
        self.module = module
        self.changed: list[str] = []
        self.missing: list[str] = []
        self.diffs: list[dict[str, Any]] = []

    def bring(self, entry: dict[str, Any]) -> None:
        """Brings a path to its state."""
        path, state = entry['path'], entry['state']
        before = kind(path)
        if state == 'owned' and before == ABSENT:
            self.missing.append(path)
            return
        changed = getattr(self, state)(entry, before)
        if state != ABSENT and (not self.module.check_mode or before != ABSENT):
            changed = self.own(entry) or changed
        if changed:
            self.changed.append(path)

    def own(self, entry: dict[str, Any]) -> bool:
        """Sets the owner, group and mode of a path. Returns whether they differed."""
        modes = {'file': '0644', 'directory': '0755'}
        mode = entry['mode'] or modes.get(entry['state'])
        arguments = {'path': entry['path'], 'owner': entry['owner'], 'group': entry['group'], 'mode': None if entry['state'] == 'link' else mode}
        diff: dict[str, Any] = {}
        changed = self.module.set_fs_attributes_if_different(self.module.load_file_common_arguments(arguments), False, diff, expand=False)
        if changed:
            self.diffs.append({**diff, 'before_header': entry['path'], 'after_header': entry['path']})
        return bool(changed)

    def compare(self, path: str, before: str, after: str) -> bool:
        """Records a difference for the output. Returns whether there is one."""
        if before != after:
            self.diffs.append({'before': before, 'after': after, 'before_header': path, 'after_header': path})
        return before != after

    def file(self, entry: dict[str, Any], before: str) -> bool:
        path, content = entry['path'], entry['content'] or ''
        if before in ('directory', 'other'):
            self.module.fail_json(msg=f'{path} is not a file. Remove it, then run again.')
        differs = (read(path) != content if entry['secret'] else self.compare(path, read(path), content)) or before != 'file'
        if differs and not self.module.check_mode:
            self.replace(path, content, entry['validate'], entry['backup'])
        return differs

    def replace(self, path: str, content: str, validate: str | None, backup: str | None) -> None:
        descriptor, new = tempfile.mkstemp(dir=self.module.tmpdir)
        with open(descriptor, 'w', encoding='utf-8', errors='surrogateescape', newline='') as file:
            file.write(content)
        if validate:
            status, output, errors = self.module.run_command(validate.replace('%s', new))
            if status != 0:
                self.module.fail_json(msg=f'The new content of {path} is invalid, so the file was not changed: {(errors or output).strip()}')
        if backup:
            save(path, backup)
        # A new file is unreadable for other users until it has its mode.
        umask = os.umask(0o077)
        self.module.atomic_move(new, path)
        os.umask(umask)

    def directory(self, entry: dict[str, Any], before: str) -> bool:
        path = entry['path']
        if os.path.isdir(path):
            return False
        if before != ABSENT:
            self.module.fail_json(msg=f'{path} is not a folder. Remove it, then run again.')
        if not self.module.check_mode:
            self.make(path)
        return self.compare(path, 'absent\n', 'directory\n')

    def make(self, path: str) -> None:
        """Creates a folder with its parents, which get the mode 0755."""
        if not os.path.isdir(path):
            self.make(os.path.dirname(path))
            os.mkdir(path)
            os.chmod(path, 0o755)

    def link(self, entry: dict[str, Any], before: str) -> bool:
        path = entry['path']
        if before == 'directory':
            self.module.fail_json(msg=f'{path} is a folder and not a link. Remove it, then run again.')
        target = os.readlink(path) if before == 'link' else before
        differs = self.compare(path, f'{target}\n', f'{entry["target"]}\n')
        if differs and not self.module.check_mode:
            new = f'{path}.new'
            if os.path.lexists(new):
                os.unlink(new)
            os.symlink(entry['target'], new)
            os.rename(new, path)
        return differs

    def absent(self, entry: dict[str, Any], before: str) -> bool:
        path = entry['path']
        if before == 'directory':
            self.module.fail_json(msg=f'{path} is a folder, which is not removed. Remove it, then run again.')
        if before != ABSENT and not self.module.check_mode:
            os.unlink(path)
        return self.compare(path, f'{before}\n', 'absent\n')

    def owned(self, _entry: dict[str, Any], _before: str) -> bool:
        return False


def main() -> None:
    entry = {
        'path': {'type': 'path', 'required': True},
        'state': {'choices': ['file', 'directory', 'link', 'absent', 'owned'], 'default': 'file'},
        'content': {},
        'target': {},
        'owner': {'default': 'root'},
        'group': {'default': 'root'},
        'mode': {},
        'backup': {'type': 'path'},
        'secret': {'type': 'bool', 'default': False},
        'validate': {},
    }
    module = AnsibleModule(argument_spec={'files': {'type': 'list', 'elements': 'dict', 'required': True, 'options': entry}}, supports_check_mode=True)
    files = Files(module)
    for one in module.params['files']:
        files.bring(one)
    diff = {'diff': files.diffs} if module._diff else {}
    module.exit_json(changed=bool(files.changed), paths=files.changed, missing=files.missing, **diff)


if __name__ == '__main__':
    main()
