#!/usr/bin/python
"""Look at all that serves the map on a machine, and say what is not well."""

from __future__ import annotations

DOCUMENTATION = r"""
module: machine_status
short_description: Say how the map on a machine does
description:
  - Reads what systemd, the release, the certificate, the disk and the backup say, and changes nothing.
  - O(groups) says which parts of the site the machine carries; the others are not looked for.
options:
  groups:
    description: The inventory's groups of the machine, of C(web), C(app) and C(db).
    type: list
    elements: str
    required: true
  certificate:
    description: The certificate that nginx serves.
    type: path
  site:
    description: The public name of the site, used to request it through nginx as a visitor's browser does.
    default: ""
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Look at the machine
  machine_status:
    groups: [web, app, db]
    certificate: /etc/ssl/map-app/live/fullchain.pem
    site: map.example.org
  register: status
"""

RETURN = r"""
status:
  description: >-
    What each part says: release, workers, units, certificate, since when the site is closed, backup, disk, failed units, pending reboot. Times are seconds since 1970, sizes bytes.
  type: dict
  returned: always
problems:
  description: One sentence for each thing that is not well.
  type: list
  elements: str
  returned: always
outage:
  description: Those of them for which requests of visitors fail; empty while the site is closed for maintenance.
  type: list
  elements: str
  returned: always
"""

import glob
import json
import os
import re
import shutil
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils import serving
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.releases import Releases
from ansible.module_utils.units import seconds, show
from ansible.module_utils.workers import resident_bytes

DAY = 86_400
# Certificates are renewed when a third of their life is left; with half of that left, it has failed for long.
CERTIFICATE_SHARE = 1 / 6
RENEWAL = 'certificates-renew'
DISK_SHARE = 0.1
# What the roles pass to the map-app command.
SETTINGS = '/etc/map-app.json'
COMMAND = '/usr/local/bin/map-app'
UNITS = {
    'web': ['nginx.service'],
    'app': ['map-app.socket', 'map-app.service'],
    'db': ['postgresql.service'],
}
# Whose failure has a sentence of its own.
EXPLAINED = (f'{RENEWAL}.service',)


def since(unit):
    """Since when a unit is in its state, in whole seconds since 1970; None where systemd has no time to tell."""
    moment = seconds(unit['ActiveEnterTimestamp'])
    return moment and int(moment)


class Machine:
    def __init__(self, module):
        self.module = module
        self.problems = []

    def trouble(self, sentence):
        self.problems.append(sentence)

    def run(self, *command):
        return self.module.run_command(list(command), environ_update={'LC_ALL': 'C'})[1]

    def units(self, groups):
        names = [unit for group in groups for unit in UNITS.get(group, [])]
        if 'db' in groups:
            names += serving.database_units()
        units = {}
        for name, unit in show(names, 'ActiveState', 'ActiveEnterTimestamp', 'NRestarts').items():
            units[name] = {'state': unit['ActiveState'], 'since': since(unit)}
            if unit['ActiveState'] != 'active':
                self.trouble(f'{name} is {unit["ActiveState"]}{self.why(name, unit)}: see journalctl --unit={name}.')
        return units

    def why(self, name, unit):
        """Returns the number of restarts and the last error in the journal, in brackets."""
        tried = int(unit.get('NRestarts') or 0)
        words = [f'restarted {tried} times'] if tried and unit['ActiveState'] != 'inactive' else []
        if unit['ActiveState'] != 'inactive' and (last := serving.last_words(name)):
            words.append(f'its journal says "{last}"')
        return f' ({"; ".join(words)})' if words else ''

    def workers(self):
        try:
            with open(SETTINGS, encoding='utf-8') as file:
                names = json.load(file)['map_app']['workers']
        except (OSError, ValueError, KeyError):
            self.trouble(f'{SETTINGS} does not name the workers: run site.yml.')
            return {}
        workers = {}
        for name, unit in show(names, 'ActiveState', 'ActiveEnterTimestamp', 'NRestarts', 'MainPID', 'StatusText').items():
            workers[name] = {
                'says': unit.get('StatusText') or None,
                'state': unit['ActiveState'],
                'since': since(unit),
                'bytes': resident_bytes(unit['MainPID']),
                'restarts': int(unit['NRestarts'] or 0),
            }
            if unit['ActiveState'] != 'active':
                self.trouble(f'{name} is {unit["ActiveState"]}: see journalctl --unit={name}.')
        for sentence in serving.worker_faults(names):
            self.trouble(sentence)
        return workers

    def release(self):
        releases = Releases('/opt/map-app')
        version = releases.pointed()
        if version is None:
            self.trouble('There is no release: run site.yml.')
            return None
        return {**releases.manifest(version), 'since': int(releases.written('current'))}

    def certificate(self, path):
        if not os.path.exists(path):
            self.trouble(f'There is no certificate at {path}: run site.yml.')
            return None
        text = self.run('openssl', 'x509', '-in', path, '-noout', '-dates', '-issuer', '-subject')
        fields = dict(line.split('=', 1) for line in text.splitlines() if '=' in line)
        begin, end = (datetime.strptime(fields[name], '%b %d %H:%M:%S %Y GMT').replace(tzinfo=UTC).timestamp() for name in ('notBefore', 'notAfter'))
        placeholder = fields['issuer'].strip() == fields['subject'].strip()
        days = int((end - time.time()) // DAY)
        renewed = show([f'{RENEWAL}.timer'], 'ActiveState')[f'{RENEWAL}.timer']['ActiveState'] == 'active'
        remedy = f'see journalctl --unit={RENEWAL}.service' if renewed else 'bring another (certificates_own_chain) and run site.yml'
        if not self.serves(path):
            self.trouble('nginx does not serve the newest certificate: systemctl reload nginx, and see journalctl --unit=nginx.service.')
        if days < 0:
            self.trouble(f'The certificate has expired: {remedy}.')
        elif placeholder and renewed:
            self.trouble(f'The authority has not issued a certificate yet: {self.asked() or remedy + "."}')
        elif end - time.time() < (end - begin) * CERTIFICATE_SHARE:
            self.trouble(f'The certificate has {days} days left: {self.asked() or remedy + "."}')
        elif renewed and serving.last_try().get('kind') in ('limited', 'paused'):
            self.trouble(f'The certificate cannot be renewed: {self.asked()}')
        return {
            'days': days,
            'placeholder': placeholder,
            'names': re.findall(r'DNS:([^,\s]+)', self.run('openssl', 'x509', '-in', path, '-noout', '-ext', 'subjectAltName')),
        }

    def asked(self):
        """Returns the authority's last refusal, the time of the next request and the remedy, or None if there is no refusal."""
        tried = serving.last_try()
        if tried.get('kind', 'good') == 'good':
            return None
        again = datetime.fromtimestamp(tried['next'], UTC).strftime('%Y-%m-%d %H:%M UTC')
        said = ' '.join(tried['said'].split())[-400:]
        if tried['kind'] == 'paused':
            where = tried.get('url') or "the authority's site"
            return f'it has paused these names after too many failures. Correct the cause, lift the pause at {where}, then sudo systemctl start {RENEWAL}. Its response: "{said}"'
        if tried['kind'] == 'limited':
            return f'its rate limit holds until {again}, when the machine retries automatically; earlier requests prolong the limit. Its response: "{said}"'
        return f'{tried["failures"]} tries have failed, and the next one is at {again}. Correct the cause, then run site.yml, which retries at once. Its response: "{said}"'

    def serves(self, path):
        """Whether nginx serves the certificate in this file; an nginx that does not answer is another trouble."""
        name = re.search(r'DNS:([^*,\s]+)', self.run('openssl', 'x509', '-in', path, '-noout', '-ext', 'subjectAltName'))
        if not name:
            # A wildcard alone does not tell which name is served.
            return True
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with (
                socket.create_connection(('127.0.0.1', 443), timeout=5) as connection,
                context.wrap_socket(connection, server_hostname=name[1]) as shown,
            ):
                served = shown.getpeercert(binary_form=True)
        except OSError:
            return True
        with open(path, encoding='ascii') as file:
            first = re.search('-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----', file.read(), re.DOTALL)
        return served == ssl.PEM_cert_to_DER_cert(first[0])

    def firewall(self):
        others, faults = serving.firewall()
        self.problems += faults
        return {'others': others}

    def strays(self):
        harmless, faults = serving.strays()
        self.problems += faults
        return harmless

    def visit(self, site, closed):
        """Requests the site through nginx on this machine. @returns the response of /readyz, and a sentence for each failure"""
        ready, sentence = serving.visit_here(site, closed)
        outage = [sentence] if sentence else []
        self.problems += outage
        # Ready, but with a warning.
        warning = ready['message'] if ready['status'] == 200 else None
        if warning and not any(warning in problem for problem in self.problems):
            self.trouble(warning)
        return ready, outage

    def closed(self):
        try:
            since = int(os.stat(serving.CLOSED).st_mtime)
        except FileNotFoundError:
            return None
        self.trouble('The site is closed for maintenance: playbooks/maintenance.yml -e state=off opens it.')
        return {'since': since}

    def disk(self):
        volumes = {}
        for path in ('/', '/var', '/opt', '/var/lib/postgresql'):
            if not os.path.exists(path):
                continue
            device = os.stat(path).st_dev
            if device not in [volume['device'] for volume in volumes.values()]:
                total, _used, free = shutil.disk_usage(path)
                volumes[path] = {'device': device, 'bytes': total, 'free': free}
                if free < total * DISK_SHARE:
                    self.trouble(f'{path} has {free // 1_000_000} MB left of {total // 1_000_000}: make room.')
        for volume in volumes.values():
            del volume['device']
        return volumes

    def backup(self):
        if not os.path.exists(COMMAND):
            return None
        status = json.loads(self.run(COMMAND, 'backups', 'status', '--json'))
        if status.get('failed'):
            self.trouble(status['message'])
            return None
        self.problems += status.pop('problems')
        return status

    def failed(self):
        names = [line.split()[0] for line in self.run('systemctl', 'list-units', '--failed', '--plain', '--no-legend').splitlines()]
        for name in set(names) - set(EXPLAINED):
            self.trouble(f'{name} has failed: see journalctl --unit={name}; systemctl reset-failed {name} forgets it.')
        return names


def pending_reboot():
    """Why the machine waits for a reboot: a sentence, or None."""
    if os.path.exists('/run/reboot-required') or os.path.exists('/var/run/reboot-required'):
        packages = '/run/reboot-required.pkgs'
        names = Path(packages).read_text(encoding='utf-8').split() if os.path.exists(packages) else []
        return 'for ' + ', '.join(sorted(set(names))) if names else 'for an upgrade'
    # Debian leaves no such note: a kernel was taken away, or a newer one came.
    modules = glob.glob('/lib/modules/*')
    if modules and f'/lib/modules/{os.uname().release}' not in modules:
        return f'the kernel that runs ({os.uname().release}) is no longer installed'
    return None


def main():
    module = AnsibleModule(
        argument_spec={
            'groups': {'type': 'list', 'elements': 'str', 'required': True},
            'certificate': {'type': 'path'},
            'site': {'default': ''},
        },
        supports_check_mode=True,
    )
    groups, site = module.params['groups'], module.params['site']
    machine = Machine(module)
    outage = []
    status = {'now': int(time.time()), 'units': machine.units(groups)}
    if 'app' in groups:
        status['release'] = machine.release()
        status['workers'] = machine.workers()
        machine.problems += serving.socket_faults()
    machine.problems += serving.other_modes()
    status['firewall'] = machine.firewall()
    status['strays'] = machine.strays()
    if 'web' in groups:
        status['certificate'] = machine.certificate(module.params['certificate'])
        status['closed'] = machine.closed()
        if site and os.path.exists(serving.SITE):
            status['visit'], outage = machine.visit(site, status['closed'])
    if 'db' in groups:
        status['backup'] = machine.backup()
    status['disk'] = machine.disk()
    status['failed'] = machine.failed()
    status['reboot'] = pending_reboot()
    module.exit_json(changed=False, status=status, problems=machine.problems, outage=outage)


if __name__ == '__main__':
    main()
