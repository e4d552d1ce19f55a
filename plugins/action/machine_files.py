"""Write the files of a role in one call: reads and renders their sources on the controller. The module of this name writes them."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        entries = self._task.args['files']
        files = [self.with_content(file, task_vars) for entry in entries for file in (entry if isinstance(entry, list) else [entry])]
        # The machine's journal must not contain the content of the files.
        silent = {**task_vars, 'ansible_no_target_syslog': True}
        result.update(self._execute_module('machine_files', {'files': files}, task_vars=silent))
        # Repeats the content of all files.
        result.pop('invocation', None)
        return result

    def with_content(self, file: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        """Returns the arguments of the module for a file, with the content instead of its source."""
        sent = {name: value for name, value in file.items() if name not in ('src', 'vars')}
        if 'src' in file:
            sent['content'] = self.content(file['src'], {**task_vars, **file.get('vars', {})})
        return sent

    def content(self, name: str, variables: dict[str, Any]) -> str:
        is_template = name.endswith('.j2')
        path = self._find_needle('templates' if is_template else 'files', name)
        text = self._loader.get_text_file_contents(path)
        if not is_template:
            return str(text)
        templar = self._templar.copy_with_new_env(searchpath=[os.path.dirname(path)], available_variables=variables)
        return str(templar.template(trust_as_template(text), escape_backslashes=False))
