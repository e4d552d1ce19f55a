#!/usr/bin/python
"""Pack a built web client into one archive and return what its server needs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packed_client
short_description: Pack a built web client into one archive
description:
  - Checks and packs the folder that a build wrote, or an archive of it. The same files have the
    same version, in a folder or an archive.
  - Rejects a build whose pages would not work under the Content-Security-Policy that the options allow, and prints the lines to add. It reads
    what pages, style sheets and scripts load. A host that a script only mentions leads to a warning, because the text does not show whether it is loaded.
  - It runs on the controller and writes only the archive, also in check mode, so it never reports C(changed).
options:
  src:
    description: A folder, or an archive of its contents (C(.zip), or C(.tar) compressed in any usual way), with an C(index.html) at its top.
    type: path
    required: true
  dest:
    description: Folder for the archive. It is created.
    type: path
    required: true
  sources:
    description: Other sites from which the client's pages may load, as source expressions of a Content-Security-Policy.
    type: list
    elements: str
    default: []
  blocked_sources:
    description: Sites that the build mentions and that its pages do not need. They stay blocked, without an error or warning.
    type: list
    elements: str
    default: []
  unsafe_eval:
    description: Whether its scripts may evaluate strings as code. Required for a build with such code.
    type: bool
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Pack the kiosk
  packed_client:
    src: ../kiosk/build
    dest: dist/clients
    unsafe_eval: true
    sources: [https://fonts.googleapis.com, https://fonts.gstatic.com]
  delegate_to: localhost
"""

RETURN = r"""
version:
  description: 12 hexadecimal digits, derived from the files' names and contents.
  type: str
  returned: success
archive:
  description: Path of the packed files, named after the version.
  type: str
  returned: success
scripts:
  description: The inline scripts of C(index.html), each as the source expression C('sha256-…') that allows it.
  type: list
  elements: str
  returned: success
"""

import base64
import hashlib
import io
import json
import os
import pathlib
import tarfile
import zipfile
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.client_needs import Needs, admits, page_of

# The role allows these for every client, for the button of Google's sign-in.
GOOGLE = ['https://accounts.google.com', 'https://apis.google.com']


class Unfit(Exception):
    """The source cannot be served. The message follows the name of the source."""


# A path and its content.
Files = Iterator[tuple[str, bytes]]


def files_of_folder(src: str) -> Files:
    for path in sorted(pathlib.Path(src).rglob('*')):
        name = str(path.relative_to(src))
        if path.is_symlink():
            raise Unfit(f'holds the link {name}: replace it with the file itself')
        if path.is_file():
            yield name, path.read_bytes()


def files_of_zip(src: str) -> Files:
    with zipfile.ZipFile(src) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                yield entry.filename, archive.read(entry)


def files_of_tar(src: str) -> Files:
    with tarfile.open(src) as archive:
        for entry in archive:
            if entry.isfile():
                file = archive.extractfile(entry)
                yield entry.name, file.read() if file else b''
            elif not entry.isdir():
                raise Unfit(f'holds {entry.name}, which is not a file: replace it with a file')


def files_of(src: str) -> dict[str, bytes]:
    """Returns the contents of the files to pack, by path."""
    if os.path.isdir(src):
        found = files_of_folder(src)
    elif not os.path.exists(src):
        raise Unfit('does not exist: build the client, or correct the path')
    else:
        found = files_of_zip(src) if zipfile.is_zipfile(src) else files_of_tar(src)
    try:
        return {os.path.normpath(name): content for name, content in found}
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise Unfit('is neither a folder nor a whole .zip or .tar archive: use one of them') from error


def check(files: dict[str, bytes]) -> None:
    for name in files:
        if name.startswith(('/', '..')):
            raise Unfit(f'holds {name}, which leads outside of it')
    # A project's own index.html is not meant to be served, and its sources and secrets would be served, too.
    if 'package.json' in files:
        raise Unfit('holds package.json, so it is the project and not its build: use the build (often in dist or build)')
    if 'index.html' not in files:
        raise Unfit('has no index.html at its top level: use the folder that the build wrote, or an archive of its content')


def version_of(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f'{name}\0{len(content)}\0'.encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def pack(files: dict[str, bytes], archive: str) -> None:
    """Writes a temporary file and renames it, so that an archive at its path is complete."""
    os.makedirs(os.path.dirname(archive), exist_ok=True)
    with tarfile.open(f'{archive}.{os.getpid()}', 'w:gz') as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(content))
    os.replace(f'{archive}.{os.getpid()}', archive)


def scripts_of(page: str) -> list[str]:
    digests = (hashlib.sha256(script.encode()).digest() for script in page_of(page).scripts)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def among(origins: dict[str, str], sources: list[str]) -> dict[str, str]:
    return {origin: name for origin, name in origins.items() if not any(admits(source, origin) for source in sources)}


def refusal(needs: Any, missing: dict[str, str], sources: list[str], unsafe_eval: bool) -> str | None:
    """Returns what the policy would block, with the lines that allow or refuse it. None if it blocks nothing that the pages load."""
    undecided = needs.evaluates if unsafe_eval is None else None
    if not missing and not undecided:
        return None
    faults = [f'load from {origin} ({name})' for origin, name in missing.items()]
    lines = [f'    sources: {json.dumps([*sources, *missing])}'] if missing else []
    if undecided:
        faults.insert(0, f'evaluate strings as code ({undecided})')
        lines.insert(0, '    unsafe_eval: true')
    return '\n'.join(
        [
            'needs more than the Content-Security-Policy of its pages allows, and would be a blank or broken page. Its pages',
            *(f'  - {fault}' for fault in faults),
            'Add to its entry in nginx_clients:',
            *lines,
            'If its pages work without them, '
            + ' and '.join(['set unsafe_eval: false'] * bool(undecided) + ['list the sites under blocked_sources'] * bool(missing)),
        ]
    )


def main() -> None:
    sites = {'type': 'list', 'elements': 'str', 'default': []}
    module = AnsibleModule(
        argument_spec={
            'src': {'type': 'path', 'required': True},
            'dest': {'type': 'path', 'required': True},
            'sources': sites,
            'blocked_sources': sites,
            'unsafe_eval': {'type': 'bool'},
        },
        supports_check_mode=True,
    )
    src, sources = module.params['src'], module.params['sources']
    known = [*sources, *module.params['blocked_sources'], *GOOGLE]
    try:
        files = files_of(src)
        check(files)
        scripts = scripts_of(files['index.html'].decode())
        needs = Needs(files)
        refused = refusal(needs, among(needs.loads, known), sources, module.params['unsafe_eval'])
        if refused:
            raise Unfit(refused)
    except (Unfit, UnicodeDecodeError) as error:
        module.fail_json(msg=f'{src} {error}.' if isinstance(error, Unfit) else f'{src} has an index.html that is not UTF-8.')
    for origin, name in among(needs.mentions, known).items():
        module.warn(f'{src}: the script {name} names {origin}. If pages load from it, add it to sources, otherwise to blocked_sources.')
    version = version_of(files)
    archive = os.path.join(module.params['dest'], f'{version}.tar.gz')
    if not os.path.exists(archive):
        pack(files, archive)
    module.exit_json(changed=False, version=version, archive=archive, scripts=scripts)


if __name__ == '__main__':
    main()
