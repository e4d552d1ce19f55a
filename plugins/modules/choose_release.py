#!/usr/bin/python
"""List the releases on a machine, and choose the one to go back to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: choose_release
short_description: List the releases on a machine, and choose the one to go back to
description:
  - Only a release that served well is chosen. One that was bad, or was never seen to serve well, is refused even by its name.
  - It changes nothing.
options:
  home:
    description: Where the releases are.
    type: path
    default: /opt/map-app
  wanted:
    description: The release to choose. Without it, the last good one that was deployed before the current one and that no rollback has left. One that was left is chosen by its name.
    default: ""
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Choose the release to go back to
  choose_release:
  register: choice
"""

RETURN = r"""
version:
  description: The release that was chosen.
  type: str
  returned: success
releases:
  description: A line for each release, the one that was deployed last first.
  type: list
  elements: str
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.releases import Releases, utc


def line(one):
    """One release in words: which, how it did, when it was deployed, of which commit, by whom."""
    what = f'{one["version"]}  {one["state"]:8}  {utc(one["when"])}  commit {commit(one)}  by {one.get("who", "unknown")}'
    return what + (f'  {one["reason"].splitlines()[0]}' if one.get('reason') else '') + ('  <- current' if one['current'] else '')


def commit(one):
    """Returns the first digits of the commit, and whether uncommitted files were built into the release (-modified)."""
    digits, dash, modified = one['commit'].partition('-')
    return (digits[:12] or 'unknown') + dash + modified


def choose(releases, wanted):
    """The release to go back to, and why not, of which one is None."""
    version = wanted or releases.good_before_current()
    if version is None:
        return None, f'No good release was deployed before {releases.pointed() or "any that serves"}, so there is none to go back to.'
    if not releases.exists(version):
        return None, f'There is no release {version} on this machine.'
    state = releases.describe(version)['state']
    if state in ('good', 'left'):
        return version, None
    return (
        None,
        f'Release {version} {"was bad" if state == "bad" else "was never seen to serve well"}, so nothing goes back to it: deploy.yml may try it again.',
    )


def main():
    module = AnsibleModule(
        argument_spec={'home': {'type': 'path', 'default': '/opt/map-app'}, 'wanted': {'default': ''}},
        supports_check_mode=True,
    )
    releases = Releases(module.params['home'])
    lines = [line(one) for one in releases.all()]
    version, problem = choose(releases, module.params['wanted'])
    if problem:
        module.fail_json(msg='\n'.join([problem, 'Those that are there:', *lines]))
    module.exit_json(changed=False, version=version, releases=lines)


if __name__ == '__main__':
    main()
