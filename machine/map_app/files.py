"""Writes files, and unpacks archives, so that a path always holds the former content or the new one, even after a crash."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .processes import Processes


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces a file atomically. The text is on the disk when this returns."""
    new = path.with_name(f'{path.name}.new')
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), 'w', encoding='utf-8') as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def unpack(processes: Processes, archive: Path, folder: Path, *, strip: int = 0, new_times: bool = False) -> None:
    """
    Unpacks a tar archive, compressed or not. The folder appears atomically, once its content is on the disk. Its files belong to root, and all
    users can read them. It replaces a former folder of this name.
    @param strip: how many leading folders of the names in the archive to omit
    @param new_times: whether files get the current time instead of the one in the archive
    """
    # The same name for each folder, so that the next unpacking removes what a killed one left.
    incoming = folder.with_name('.incoming')
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(mode=0o755, parents=True)
    options = [f'--strip-components={strip}', *(['--touch'] if new_times else [])]
    processes.require(['tar', '--extract', f'--file={archive}', f'--directory={incoming}', '--no-same-owner', *options])
    processes.require(['chmod', '--recursive', 'u=rwX,go=rX', str(incoming)])
    processes.require(['sync', '--file-system', str(incoming)])
    shutil.rmtree(folder, ignore_errors=True)
    incoming.rename(folder)
