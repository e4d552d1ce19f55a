"""Find the pictures that a CSV file of animals refers to."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import unicodedata
from typing import Any

DOCUMENTATION = """
name: picture_names
short_description: Find the pictures that a CSV file of animals refers to
description:
  - Returns the paths of the files in the column C(animal_images), so that they can be uploaded with the CSV file.
  - As in the import, a name may be in another Unicode form or case than its file, or contain backslashes. An exact match takes precedence.
  - Omits names without a file, and names that lead out of the folder. The import reports them.
  - Returns no paths for a file that is not CSV. The import reports what is wrong with such a file.
options:
  _input:
    description: Content of the file in base64, as C(ansible.builtin.slurp) returns it.
    type: str
    required: true
  folder:
    description: Folder of the CSV file, to which the returned paths are relative.
    type: path
    required: true
"""

COLUMN = 'animal_images'
BYTE_ORDER_MARKS = (b'\xff\xfe', b'\xfe\xff')


def picture_names(content: str, folder: str) -> list[str]:
    found = (matching(folder, name) for name in names_in(content))
    return sorted(set(filter(None, found)))


def names_in(content: str) -> list[str]:
    """Returns what is in the column, with slashes for backslashes."""
    raw = base64.b64decode(content)
    encoding = 'utf-16' if raw.startswith(BYTE_ORDER_MARKS) else 'utf-8-sig'
    text = raw.decode(encoding, errors='replace')
    # Skips blank rows, and the line that declares the separator for Excel.
    text = re.sub(r'^(?:\s|[,;]|sep=.[\r\n])+', '', text)
    header = text.partition('\n')[0]
    separator = max(',;\t', key=header.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=''), delimiter=separator))
    except csv.Error:
        return []
    columns = [column_name(name) for name in rows[0]] if rows else []
    if COLUMN not in columns:
        return []
    index = columns.index(COLUMN)
    return [row[index].strip().replace('\\', '/') for row in rows[1:] if len(row) > index]


def matching(folder: str, name: str) -> str | None:
    """Returns the path of the file that a name means, or None. Paths are relative to the folder."""
    path = ''
    if name.startswith('/'):
        return None
    for part in os.path.normpath(name).split('/'):
        try:
            entries = os.listdir(os.path.join(folder, path))
        except OSError:
            return None
        alike = sorted(entry for entry in entries if plain(entry) == plain(part))
        if not alike:
            return None
        path = os.path.join(path, part if part in alike else alike[0])
    return path if os.path.isfile(os.path.join(folder, path)) else None


def plain(name: str) -> str:
    return unicodedata.normalize('NFC', name).lower()


def column_name(written: str) -> str:
    """Normalizes a column name like the import: "Animal images" is animal_images."""
    return written.strip().lower().replace(' ', '_').replace('-', '_')


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {'picture_names': picture_names}
