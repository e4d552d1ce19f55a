"""Extract the hosts and ports from URLs of services."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

DOCUMENTATION = """
name: endpoints
short_description: Extract hosts and ports from URLs
description: Returns a list of C(host) and C(port), one for each URL of a network service. Passwords are left out.
options:
  _input:
    description: Addresses such as C(smtp://user:password@mail.example.org:587). Empty ones and unix sockets are skipped.
    type: list
    elements: str
    required: true
"""

PORTS = {'http': 80, 'https': 443, 'smtp': 587, 'smtps': 465, 'postgres': 5432, 'postgresql': 5432}


def endpoints(addresses: list[str]) -> list[dict[str, Any]]:
    found = []
    for address in filter(None, addresses):
        try:
            parts = urlsplit(address)
            host = parts.hostname or parse_qs(parts.query).get('host', [''])[0]
            endpoint = {'host': host, 'port': parts.port or PORTS.get(parts.scheme, 443)}
        except ValueError:
            # Not reported here, because the message may quote a password that contains a slash. The API rejects such a URL by the variable's name.
            continue
        if host and not host.startswith('/') and endpoint not in found:
            found.append(endpoint)
    return found


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {'endpoints': endpoints}
