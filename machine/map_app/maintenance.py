"""Closes the site to visitors for maintenance, or opens it again. nginx serves the files written here."""

from __future__ import annotations

import html
import json
from pathlib import Path

from .audit import Audit
from .errors import Failure
from .files import write_atomically
from .settings import Nginx

PAGE = """\
<!doctype html>
<!-- Written by map-app maintenance. -->
<html lang="en">
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width" />
  <title>Back soon</title>
  <style>
    body {{
      font: 1.5rem/1.5 system-ui, sans-serif;
      display: grid;
      min-height: 90vh;
      place-items: center;
      text-align: center;
      color: #123;
      background: #e8f2f7;
    }}
  </style>
  <p>{text}</p>
</html>
"""


class Maintenance:
    def __init__(self, settings: Nginx, audit: Audit) -> None:
        self.folder = Path(settings.maintenance)
        self.closed = Path(settings.closed)
        self.audit = audit

    def close(self, text: str, check: bool) -> bool:
        """Closes the site, or changes the text for visitors. Returns whether that is a change."""
        text = text.strip()
        if not text:
            raise Failure('The text for visitors is empty. Give one with --text, or omit it for the default.')
        if not self.folder.is_dir():
            raise Failure('nginx on this machine has no maintenance mode yet. Run site.yml first.')
        contents = {'answer.json': json.dumps({'success': False, 'message': text}, ensure_ascii=False) + '\n', 'page.html': PAGE.format(text=html.escape(text))}
        outdated = [name for name, content in contents.items() if read(self.folder / name) != content]
        closes = not self.closed.exists()
        if check or not (outdated or closes):
            return bool(outdated or closes)
        # Before the file that closes the site, so that every visitor of a closed site sees the text. The files are kept, because a request may arrive while the site opens.
        for name in outdated:
            write_atomically(self.folder / name, contents[name])
        if closes:
            write_atomically(self.closed, '')
        self.audit.note('maintenance on', 'good', reason=text)
        return True

    def open(self, check: bool) -> bool:
        """Opens the site. Returns whether it was closed."""
        opens = self.closed.exists()
        if opens and not check:
            self.closed.unlink()
            self.audit.note('maintenance off', 'good')
        return opens


def read(path: Path) -> str | None:
    try:
        return path.read_text(encoding='utf-8')
    except FileNotFoundError:
        return None
