"""Finds what a built web client needs from the Content-Security-Policy of its pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

# Evaluation of strings as code. HARMLESS has well-known forms that catch the failure and work without it.
EVALUATION = re.compile(r'(?<![\w$.])(?:eval|Function(?:\.apply|\.call)?)\(|\(0,\s*eval\)\(|(?:globalThis|window|self)\.eval\(')
HARMLESS = re.compile(r"""(?:new\s+)?Function\((?:(["'`])return this\1\)|(["'])r\2,\s*(["'])regeneratorRuntime ?= ?r\3\)|(["'])\4\s*\+)""")

ADDRESS = re.compile(r'(?P<scheme>https?:|wss?:)//(?P<host>[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,}(?::\d+)?)')
IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])(?P<address>(?:https?:)?//[^"')\s]+)""")
# The text before an address that a script loads.
LOADS = re.compile(
    r"""(?:\b(?:fetch|importScripts|import|WebSocket|EventSource|Worker|getJSON|ajax)\(\s*["'`]"""
    r"""|\.open\(\s*["'`]\w+["'`],\s*["'`]"""
    r"""|\.src\s*=\s*["'`]"""
    r"""|url\(\s*(?:\\?["'])?|@import\s+\\?["']"""
    r"""|<(?:script|link|iframe)\b[^<>]{0,80}\b(?:src|href)=\\?["'])$"""
)
# Hosts that only serve parts of pages. A script that contains such a name loads from it.
ASSETS = re.compile(
    r'^(?:fonts\.googleapis\.com|fonts\.gstatic\.com|use\.typekit\.net|use\.fontawesome\.com'
    r'|(?:[\w-]+\.)*worldwind[\w-]*\.arc\.nasa\.gov|api\.mapbox\.com|maps\.googleapis\.com)$'
)
# Hosts from which style sheets of another host load.
COMPANIONS = {'fonts.googleapis.com': 'fonts.gstatic.com', 'use.typekit.net': 'p.typekit.net'}
# Hosts in XML namespaces and links to documentation, which libraries contain and pages do not load.
UNLOADED = re.compile(
    r'(?:^|\.)(?:w3\.org|reactjs\.org|react\.dev|fb\.me|github\.com|github\.io|npmjs\.com|mozilla\.org|json-schema\.org|schema\.org|opengis\.net|google\.com'
    r'|wikipedia\.org|stackoverflow\.com|vega\.github\.io|purl\.org|example\.(?:com|org|net)|apache\.org|opensource\.org|ecma-international\.org'
    r'|material-ui\.com|mui\.com|emotion\.sh|styled-components\.com|redux\.js\.org|reactrouter\.com|vuejs\.org|angular\.io|bit\.ly|goo\.gl)$'
)
# Pages may show pictures from any site over https.
PICTURE = re.compile(r'\.(?:png|jpe?g|gif|svg|webp|avif|ico|cur)(?:[?#]|$)', re.IGNORECASE)


class Page(HTMLParser):
    """Collects the scripts and styles within a page, and the addresses from which it loads others."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.loaded: list[str] = []
        self.inside: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or '' for name, value in attrs}
        self.inside = None
        if tag == 'script' and 'src' not in attributes:
            self.inside = self.scripts
        elif tag == 'style':
            self.inside = self.styles
        if self.inside is not None:
            self.inside.append('')
        if tag in ('script', 'iframe', 'video', 'audio', 'source', 'track'):
            self.loaded.append(attributes.get('src', ''))
        relations = attributes.get('rel', '').lower().split()
        if tag == 'link' and {'stylesheet', 'preload', 'modulepreload', 'manifest'} & set(relations):
            self.loaded.append(attributes.get('href', ''))
        self.styles.append(attributes.get('style', ''))

    def handle_endtag(self, tag: str) -> None:
        self.inside = None

    def handle_data(self, data: str) -> None:
        if self.inside is not None:
            self.inside[-1] += data


def page_of(text: str) -> Any:
    page = Page()
    # Browsers normalize line endings before they hash scripts.
    page.feed(text.replace('\r\n', '\n'))
    page.close()
    return page


class Needs:
    """The needs of a client, each with a file that has it: `evaluates`, `loads` by origin, and `mentions`: origins it may load."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.evaluates: str | None = None
        self.loads: dict[str | None, str] = {}
        self.mentions: dict[str | None, str] = {}
        for name, content in sorted(files.items()):
            self.read(name, content)
        self.mentions = {origin: name for origin, name in self.mentions.items() if origin not in self.loads}

    def read(self, name: str, content: bytes) -> None:
        kind = name.lower().rpartition('.')[2]
        text = content.decode('utf-8', 'replace') if kind in ('html', 'htm', 'css', 'js', 'mjs') else ''
        if kind in ('html', 'htm'):
            page = page_of(text)
            for address in page.loaded:
                self.load(address, name)
            for style in page.styles:
                self.read_style(style, name)
            for script in page.scripts:
                self.read_script(script, name)
        elif kind == 'css':
            self.read_style(text, name)
        elif text:
            self.read_script(text, name)

    def read_style(self, text: str, name: str) -> None:
        for found in IN_STYLE.finditer(text):
            self.load(found['address'], name)

    def read_script(self, text: str, name: str) -> None:
        if self.evaluates is None and EVALUATION.search(HARMLESS.sub('', text)):
            self.evaluates = name
        for found in ADDRESS.finditer(text):
            host = found['host'].lower()
            if LOADS.search(text, max(0, found.start() - 120), found.start()) or ASSETS.match(host):
                address = re.match(r"""[^"'`\s\\)]*""", text[found.start() : found.start() + 500])
                self.load(address[0] if address else '', name)
            elif not UNLOADED.search(host):
                self.mentions.setdefault(origin_of(found), name)

    def load(self, address: str, name: str) -> None:
        found = ADDRESS.match(f'https:{address}' if address.startswith('//') else address)
        if not found or PICTURE.search(address):
            return
        self.loads.setdefault(origin_of(found), name)
        companion = COMPANIONS.get(found['host'].lower())
        if companion:
            self.loads.setdefault(f'https://{companion}', name)


def origin_of(found: Any) -> str | None:
    """Returns an origin for a Content-Security-Policy. Replaces http by https, because https pages load nothing over http."""
    secure = {'http:': 'https:', 'ws:': 'wss:'}.get(found['scheme'], found['scheme'])
    return f'{secure}//{found["host"].lower()}'


def admits(source: str, origin: str) -> bool:
    """Returns whether a source expression (https://www.w3.org/TR/CSP3/#match-url-to-source-expression) covers an origin."""
    scheme, host = origin.split('://')
    wanted_scheme, separator, rest = source.rpartition('://')
    if not separator and source.endswith(':'):
        return source == f'{scheme}:'
    wanted_host = rest.split('/')[0].lower()
    if wanted_scheme and wanted_scheme != scheme:
        return False
    if wanted_host.startswith('*.'):
        return host.endswith(wanted_host[1:])
    return wanted_host in ('*', host)
