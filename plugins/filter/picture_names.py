"""List the pictures that a CSV file of animals names."""

from __future__ import annotations

import base64
import csv
import io
import re

DOCUMENTATION = """
name: picture_names
short_description: List the pictures that a CSV file of animals names
description:
  - Returns the paths in the column C(animal_images), so that the pictures can be uploaded with the file.
  - Returns no paths for a file that is not CSV. The import says what is wrong with such a file.
options:
  _input:
    description: Content of the file in base64, as C(ansible.builtin.slurp) returns it.
    type: str
    required: true
"""

COLUMN = 'animal_images'
BYTE_ORDER_MARKS = (b'\xff\xfe', b'\xfe\xff')


def picture_names(content):
    raw = base64.b64decode(content)
    encoding = 'utf-16' if raw.startswith(BYTE_ORDER_MARKS) else 'utf-8-sig'
    text = raw.decode(encoding, errors='replace')
    # Blank rows, and the line that tells Excel the separator.
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
    names = (row[index].strip().replace('\\', '/') for row in rows[1:] if len(row) > index)
    return sorted(set(filter(None, names)))


def column_name(written):
    """As the import reads it: people write "Animal images"."""
    return written.strip().lower().replace(' ', '_').replace('-', '_')


class FilterModule:
    def filters(self):
        return {'picture_names': picture_names}
