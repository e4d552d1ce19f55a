#!/usr/bin/env python3
"""
Builds the program that runs on the server: one file, a zip archive that Python runs (PEP 441). The same source gives the same bytes on every controller.

Usage: python3 machine/build.py FILE
"""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parent / 'map_app'
# Isolated: neither the environment nor the working folder of the user who runs it can add modules to those of root.
SHEBANG = b'#!/usr/bin/python3 -I\n'
MAIN = 'import sys\n\nfrom map_app.cli import main\n\nsys.exit(main(sys.argv[1:]))\n'
# The earliest date that a zip archive can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build() -> bytes:
    """Returns the program. Not compressed, because versions of zlib compress differently."""
    files = {'__main__.py': MAIN.encode(), **{f'map_app/{path.relative_to(PACKAGE).as_posix()}': path.read_bytes() for path in PACKAGE.rglob('*.py')}}
    content = io.BytesIO(SHEBANG)
    content.seek(0, io.SEEK_END)
    with zipfile.ZipFile(content, 'w', zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            # Otherwise the system on which it is built is recorded.
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return content.getvalue()


def write(path: Path) -> None:
    """Writes the program at once, so that two runs that write it cannot mix."""
    new = path.with_name(f'{path.name}.{os.getpid()}')
    new.write_bytes(build())
    new.chmod(0o755)
    new.replace(path)


if __name__ == '__main__':
    if len(sys.argv) != 2 or sys.argv[1].startswith('-'):
        sys.exit('usage: python3 machine/build.py FILE')
    write(Path(sys.argv[1]))
