#!/usr/bin/python
"""Pack a built web client into one archive and tell what a server has to know of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packed_client
short_description: Pack a built web client into one archive
description:
  - Takes the folder that a build wrote, or an archive of it, looks whether a site can be made of it, and packs it. The same files make the
    same version, whatever they came in.
  - It runs on the controller and writes nothing but the archive, also in check mode, and so never reports C(changed).
options:
  src:
    description: A folder, or an archive of its contents (C(.zip), or C(.tar) compressed in any usual way), with an C(index.html) at its top.
    type: path
    required: true
  dest:
    description: Folder for the archive, which is made.
    type: path
    required: true
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
  delegate_to: localhost
"""

RETURN = r"""
version:
  description: 12 hexadecimal digits, made of the files' names and contents.
  type: str
  returned: success
archive:
  description: Path of the packed files, named after the version.
  type: str
  returned: success
scripts:
  description: The scripts that C(index.html) holds itself, each as the source C('sha256-…') by which a Content-Security-Policy admits it.
  type: list
  elements: str
  returned: success
"""

import base64
import hashlib
import io
import os
import pathlib
import tarfile
import zipfile
from html.parser import HTMLParser

from ansible.module_utils.basic import AnsibleModule


class Unfit(Exception):
    """No site can be made of it; the message says why, after the name of what was given."""


class InlineScripts(HTMLParser):
    """Collects the scripts within a page."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.scripts = []
        self.inside = False

    def handle_starttag(self, tag, attrs):
        self.inside = tag == 'script' and 'src' not in dict(attrs)
        if self.inside:
            self.scripts.append('')

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


def files_of_folder(src):
    for path in sorted(pathlib.Path(src).rglob('*')):
        name = str(path.relative_to(src))
        if path.is_symlink():
            raise Unfit(f'holds the link {name}: put the file itself in its place')
        if path.is_file():
            yield name, path.read_bytes()


def files_of_zip(src):
    with zipfile.ZipFile(src) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                yield entry.filename, archive.read(entry)


def files_of_tar(src):
    with tarfile.open(src) as archive:
        for entry in archive:
            if entry.isfile():
                yield entry.name, archive.extractfile(entry).read()
            elif not entry.isdir():
                raise Unfit(f'holds {entry.name}, which is no file: put a file in its place')


def files_of(src):
    """The contents of what is to be packed, by path."""
    if os.path.isdir(src):
        found = files_of_folder(src)
    elif not os.path.exists(src):
        raise Unfit('does not exist: build the client, or correct the path')
    else:
        found = files_of_zip(src) if zipfile.is_zipfile(src) else files_of_tar(src)
    try:
        return {os.path.normpath(name): content for name, content in found}
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise Unfit('is neither a folder nor a whole .zip or .tar archive: give one of them') from error


def check(files):
    for name in files:
        if name.startswith(('/', '..')):
            raise Unfit(f'holds {name}, which leads outside of it')
    # A project's own index.html is not the one to serve, and its sources and secrets would be served with it.
    if 'package.json' in files:
        raise Unfit('holds package.json, so it is the project and not what was built of it: give the build (often in dist or build)')
    if 'index.html' not in files:
        raise Unfit('has no index.html at its top: give the folder that the build wrote, or an archive of what is in it')


def version_of(files):
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f'{name}\0{len(content)}\0'.encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def pack(files, archive):
    """Beside its place first: where it is, it is whole."""
    os.makedirs(os.path.dirname(archive), exist_ok=True)
    with tarfile.open(f'{archive}.{os.getpid()}', 'w:gz') as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(content))
    os.replace(f'{archive}.{os.getpid()}', archive)


def scripts_of(page):
    parser = InlineScripts()
    # As browsers read it, who hash what they have read.
    parser.feed(page.replace('\r\n', '\n'))
    digests = (hashlib.sha256(script.encode()).digest() for script in parser.scripts)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def main():
    module = AnsibleModule(
        argument_spec={'src': {'type': 'path', 'required': True}, 'dest': {'type': 'path', 'required': True}},
        supports_check_mode=True,
    )
    src = module.params['src']
    try:
        files = files_of(src)
        check(files)
        scripts = scripts_of(files['index.html'].decode())
    except (Unfit, UnicodeDecodeError) as error:
        module.fail_json(msg=f'{src} {error}.' if isinstance(error, Unfit) else f'{src} has an index.html that is not UTF-8.')
    version = version_of(files)
    archive = os.path.join(module.params['dest'], f'{version}.tar.gz')
    if not os.path.exists(archive):
        pack(files, archive)
    module.exit_json(changed=False, version=version, archive=archive, scripts=scripts)


if __name__ == '__main__':
    main()
