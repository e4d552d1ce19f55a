#!/usr/bin/python
"""Request a site from this computer as a visitor's browser does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: visit_site
short_description: Request a site from this computer as a visitor's browser does
description:
  - Requests C(/readyz) and a read over HTTPS by the site's public name, and judges the certificate. Run it on the controller.
  - If the name does not resolve, or resolves to a server that does not respond or has another certificate than the machine, it also requests
    the machine's own address.
    That distinguishes a fault of the machine from a fault of the DNS.
options:
  name:
    description: The public name of the site.
    required: true
  machine:
    description: The machine's address, name or alias in C(~/.ssh/config), as for ssh.
    required: true
  certificate:
    description: SHA-256 of the certificate that the machine serves, from a request on the machine itself.
  fronts:
    description:
      - Addresses that lead to the machine and may serve another certificate, such as those of a load balancer.
      - If one does, the result has a note instead of a problem, and the module also requests the machine's own address.
    type: list
    elements: str
    default: []
  closed:
    description: Whether the site is closed for maintenance. If so, only C(/readyz) is requested.
    type: bool
    default: false
  private:
    description: Whether a private authority issued the certificate. This computer need not trust it.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Request the site as a visitor does
  visit_site:
    name: map.example.org
    machine: map.example.org
  delegate_to: localhost
"""

RETURN = r"""
problems:
  description: One sentence for each reason why a visitor's request fails.
  type: list
  elements: str
  returned: always
outage:
  description: The problems that are faults of the machine, not of the DNS or of the certificate's issuer.
  type: list
  elements: str
  returned: always
notes:
  description: Problems that matter for a real site but not for a trial under a reserved name.
  type: list
  elements: str
  returned: always
addresses:
  description: The addresses to which requests were sent.
  type: list
  elements: str
  returned: always
seconds:
  description: The duration of the slower request.
  type: float
  returned: always
"""

import errno
import socket
import subprocess
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.map_app import visits

# Errors of this computer rather than the site, such as a missing IPv6 route.
UNREACHABLE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def resolve(name: str) -> list[str]:
    """Returns the addresses of a name to which this computer has a route."""
    try:
        found = socket.getaddrinfo(name, visits.PORT, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return [address for address in dict.fromkeys(str(one[4][0]) for one in found) if has_route(address)]


def has_route(address: str) -> bool:
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Connecting a datagram socket sends nothing.
            probe.connect((address, visits.PORT))
    except OSError as error:
        return error.errno not in UNREACHABLE
    return True


def ssh_address(machine: str) -> str:
    """Returns the host name that ssh uses for the machine, after it has resolved aliases in its configuration."""
    try:
        shown = subprocess.run(['ssh', '-G', machine], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return machine
    return next((line.split(' ', 1)[1] for line in shown.splitlines() if line.startswith('hostname ')), machine)


class Visitor:
    def __init__(self, options: dict[str, Any]) -> None:
        self.name, self.options = options['name'], options
        self.paths = [visits.READY] if options['closed'] else [visits.READY, visits.READ]
        self.problems: list[str] = []
        self.outage: list[str] = []
        self.notes: list[str] = []
        self.seconds = 0.0

    def tell(self, sentence: str) -> None:
        """Adds a problem for a real site, and a note for a trial under a reserved name."""
        (self.notes if visits.is_reserved(self.name) else self.problems).append(sentence)

    def ask(self, address: str) -> tuple[list[str], str | None]:
        """@returns the sentence for the first request that fails, in a list, and the certificate that was served"""
        served = None
        for path in self.paths:
            seen = visits.visit(self.name, address, path)
            served = served or seen['certificate']
            self.seconds = max(self.seconds, seen['seconds'])
            if sentence := visits.fault(self.name, path, seen, f'from this computer (address {address})'):
                return [visits.ended(sentence)], served
        return [], served

    def is_ours(self, served: str | None) -> bool:
        wanted = self.options['certificate']
        return wanted is None or served is None or served == wanted

    def visit(self) -> list[str]:
        addresses = resolve(self.name)
        own = resolve(ssh_address(self.options['machine']))
        if not addresses:
            self.tell(f'{self.name} has no address in the DNS, so visitors cannot find it: create its record.')
        elsewhere, silent, fronts = [], [], []
        for address in addresses:
            faults, served = self.ask(address)
            if address in self.options['fronts'] and not self.is_ours(served):
                fronts.append(address)
                self.problems += faults
            elif served is None and own and address not in own:
                silent.append((address, faults))
            elif self.is_ours(served):
                self.outage += faults
                self.judge(address, served)
            else:
                elsewhere.append(address)
        if elsewhere:
            self.problems.append(
                f'{self.name} resolves to {", ".join(elsewhere)}, where another server responds (it serves another certificate): correct the DNS record.'
            )
        if fronts:
            self.notes.append(
                f'{self.name} resolves to {", ".join(fronts)}, which preflight_public_addresses lists and which serves another certificate than this machine: '
                'correct for a load balancer, but not for a machine that this one has replaced.'
            )
        asked = addresses
        if (not addresses or elsewhere or silent or fronts) and own:
            faults, served = self.ask(own[0])
            self.outage += faults
            self.judge(own[0], served)
            asked = [*addresses, own[0]]
            self.blame(silent, own[0], served)
        self.problems += self.outage
        return asked

    def blame(self, silent: list[tuple[str, list[str]]], own: str, served: str | None) -> None:
        """Unreachable addresses of the name are a fault of the DNS if the machine responds at another address, for example after a rebuild."""
        if served is None:
            self.outage += [fault for _, faults in silent for fault in faults]
        elif silent:
            addresses = ', '.join(address for address, _ in silent)
            self.problems.append(f'{self.name} resolves to {addresses}, where no server responds, but the machine responds at {own}: correct the DNS record.')

    def judge(self, address: str, served: str | None) -> None:
        if served is None:
            return
        kind, sentence = visits.judge_certificate(self.name, address)
        if kind == 'wrong':
            self.outage.append(f'https://{self.name} fails in browsers: {sentence}.')
        elif kind == 'untrusted' and not self.options['private']:
            self.tell(f'https://{self.name} is not trusted: {sentence}. Set certificates_acme_enabled, or supply a certificate (certificates_own_chain).')


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            'name': {'required': True},
            'machine': {'required': True},
            'certificate': {},
            'fronts': {'type': 'list', 'elements': 'str', 'default': []},
            'closed': {'type': 'bool', 'default': False},
            'private': {'type': 'bool', 'default': False},
        },
        supports_check_mode=True,
    )
    visitor = Visitor(module.params)
    addresses = visitor.visit()
    unique = {name: list(dict.fromkeys(getattr(visitor, name))) for name in ('problems', 'outage', 'notes')}
    module.exit_json(changed=False, addresses=addresses, seconds=visitor.seconds, **unique)


if __name__ == '__main__':
    main()
