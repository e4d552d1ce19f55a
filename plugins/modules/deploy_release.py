#!/usr/bin/python
"""Bring the workers of a machine to a release, or leave the one that serves where it is."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_release
short_description: Bring the workers to a release, or leave the one that serves where it is
description:
  - Unpacks the release, checks that it starts and accepts the configuration, migrates the database, tries the release out on a
    socket of its own, points C(current) to it, restarts the workers one after the other, watches each, and marks the release good.
  - Whatever goes wrong, the release that served before goes on, or is brought back. The failure names the step and the reason, and
    shows the last lines of the journal of the unit that failed.
  - It is one module and not a task for each step, so that going back does not depend on the controller, and costs no connection.
    What C(current) points to and the marks in the releases tell the next run what a killed one left undone.
  - With the release current and good and every worker running, ready and younger than its files, there is nothing to do.
  - A rollback persists until a newer release is built. A deploy of the release that was rolled back is skipped, and the output says so.
  - Before it reports that a release serves, it sends requests to the workers and, if nginx is on this machine, through nginx.
options:
  version:
    description: The release, a folder below releases/ in O(home).
    required: true
  home:
    description: Where the releases are.
    type: path
    default: /opt/map-app
  archive:
    description: The archive to unpack the release from, where it is not there yet. It is removed.
    type: path
  sha256:
    description: What the archive's checksum must be.
  action:
    description: A C(rollback) goes to a release that was good before, and never migrates.
    choices: [deploy, rollback]
    default: deploy
  address:
    description: Where the site is, for the summary.
    required: true
  through_nginx:
    description: Whether nginx on this machine, if any, is in its final state, so that the module checks the site through it.
    type: bool
    default: true
  workers:
    description: How many workers there should be.
    type: int
    required: true
  files:
    description: What the workers read when they start, beside the release. Workers older than these are restarted.
    type: list
    elements: path
    required: true
  pending:
    description: Whether a task of this run changed one of the files. Only read in check mode.
    type: bool
    default: false
  watch_seconds:
    description: How long each restarted worker is watched before the next one is.
    type: float
    default: 2
  limits:
    description: What ends the watch, C(percent) of requests failing, C(milliseconds) of the middle one, C(megabytes) of a worker; and the C(access_log).
    type: dict
    required: true
  kept:
    description: How many good releases, how many that a rollback left, and how many bad ones stay on the machine.
    type: int
    default: 5
attributes:
  check_mode:
    support: full
author:
  - map-app
"""

EXAMPLES = r"""
- name: Go back
  deploy_release:
    version: 1.0.0-0123456789ab
    action: rollback
    address: https://map.example.org
    workers: 2
    files: [/etc/map-app]
    limits: {percent: 1, milliseconds: 500, megabytes: 400, access_log: /var/log/nginx/access.log}
"""

RETURN = r"""
reasons:
  description: Why there was something to do, or is.
  type: list
  elements: str
  returned: always
phases:
  description: What was done, with the seconds it took.
  type: list
  elements: str
  returned: when something was done
removed:
  description: Old releases that were removed.
  type: list
  elements: str
  returned: always
summary:
  description: What serves now, in a line.
  type: str
  returned: always
"""

import hashlib
import os
import shutil
import subprocess
import time
from contextlib import contextmanager, nullcontext

from ansible.module_utils import serving, units, visits
from ansible.module_utils.audit import note, run_under_way, tell_journal
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.flock import locked
from ansible.module_utils.releases import Releases
from ansible.module_utils.workers import READS, Trouble, Watch, last_lines, refusal, replace, restart, socket_of, systemctl, wait_ready

COMMAND = '/usr/local/bin/map-app'
SERVICE = 'map-app.service'
WORKERS = 'map-app@*.service'
METRICS = 'map-app-metrics.service'
TRIAL = 'map-app-trial.service'
TRIAL_SOCKET = '/run/map-app-trial.sock'


class Deploy:
    def __init__(self, options):
        self.options = options
        self.releases = Releases(options['home'])
        self.before = self.releases.pointed()
        self.version, self.left = self.choose(options['version'])
        self.was_good = self.releases.is_good(self.version)
        self.moved = False
        self.workers = [f'map-app@{number}.service' for number in range(1, options['workers'] + 1)]
        self.files = [*options['files'], self.releases.link('current')]
        self.action = 'restart' if self.version == self.before and self.was_good else options['action']
        self.began = time.time()
        self.step = ''
        self.phases = []

    def choose(self, version):
        """@returns the release to deploy, and the requested one if a rollback has left it"""
        if self.options['action'] == 'deploy' and version != self.before and self.releases.is_left(version) and self.releases.is_good(self.before):
            return self.before, version
        return version, None

    @contextmanager
    def phase(self, step):
        """Names the step in the journal, in the result and in what is said of a failure."""
        self.step = step
        tell_journal(f'{self.action}, release {self.version}: {step}', phase=step, release=self.version)
        start = time.monotonic()
        yield
        self.phases.append(f'{step}: {time.monotonic() - start:.1f} s')

    def reasons(self):
        """Why there is something to do: a sentence each."""
        if self.before != self.version:
            yield f'current points to {self.before or "no release"}'
        elif not self.was_good:
            yield f'{self.version} has not yet been seen to serve well'
        if not units.running([SERVICE]):
            yield 'map-app does not run'
        if systemctl('is-enabled', '--quiet', SERVICE) != 0:
            yield 'map-app is not started at boot'
        if self.options['pending']:
            yield 'the files that the workers read would change'
        yield from units.stale(self.workers, self.files).values()
        running = units.running([WORKERS])
        for unit in sorted(running.keys() ^ set(self.workers)):
            yield f'{unit} runs and should not' if unit in running else f'{unit} does not run'
        for unit in sorted(running.keys() & set(self.workers)):
            if problem := refusal(socket_of(unit), '/readyz'):
                yield f'{unit}: {problem}'

    def bring(self):
        if not self.releases.exists(self.version):
            with self.phase('unpack it'):
                self.unpack()
        with self.phase('check that it starts and accepts the configuration'):
            self.run('check')
        if self.options['action'] == 'deploy':
            with self.phase('migrate the database'):
                self.run('migrate')
        with self.phase('try it out on a socket of its own'):
            self.try_out()
        with self.phase('point current to it'):
            self.point()
        self.serve()
        with self.phase('clear up'):
            self.finish()

    def unpack(self):
        """The release appears under its name complete, on the disk, or not at all."""
        archive, path = self.options['archive'], self.releases.path(self.version)
        incoming = os.path.join(self.releases.folder, '.incoming')
        with open(archive, 'rb') as file:
            arrived = hashlib.file_digest(file, 'sha256').hexdigest()
        if arrived != self.options['sha256']:
            os.unlink(archive)
            raise Trouble('its archive arrived damaged: run again')
        for folder in (incoming, path):
            shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(incoming, 0o755)
        subprocess.run(['tar', '--extract', '--file', archive, '--directory', incoming, '--no-same-owner'], check=True)
        subprocess.run(['sync', '--file-system', incoming], check=True)
        os.rename(incoming, path)
        os.unlink(archive)

    def run(self, command):
        """A command of the release, as its user and in its fence."""
        environment = {**os.environ, 'MAP_APP_RELEASE': self.releases.path(self.version)}
        ended = subprocess.run([COMMAND, command], env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if ended.returncode != 0:
            said = ended.stderr.strip() or ended.stdout.strip() or f'it ended with {ended.returncode}'
            raise Trouble('\n'.join(said.splitlines()[-20:]))

    def try_out(self):
        """The release as a worker, with all that one has but requests of visitors."""
        stop_trial()
        try:
            self.run('serve')
            if systemctl('start', TRIAL) != 0:
                raise Trouble('it does not start', TRIAL)
            try:
                wait_ready(TRIAL_SOCKET, TRIAL)
            except Trouble as trouble:
                raise Trouble(f'{trouble} (its schema is {self.releases.manifest(self.version).get("schema")})', TRIAL) from trouble
            for call in READS:
                if problem := refusal(TRIAL_SOCKET, call):
                    raise Trouble(problem, TRIAL)
        finally:
            stop_trial()

    def point(self):
        if self.before == self.version:
            return
        # What is not known to be good is nothing to go back to; the link then still names what is.
        if self.releases.is_good(self.before):
            moment = self.releases.written('current')
            self.releases.point('fallback', self.before)
            self.releases.date('fallback', moment)
        self.releases.point('current', self.version)
        self.moved = True

    def serve(self):
        """Restart the workers that do not serve it yet, and watch how they do."""
        # A release that serves already is restarted for its files alone.
        seconds = self.options['watch_seconds'] if self.moved or not self.was_good else 0
        watch = Watch(self.options['limits'])
        if not units.running([SERVICE]):
            with self.phase('start all workers, and watch them'):
                start_service(self.workers)
                watch.stand(self.workers, seconds)
            return
        running, stale = units.running(self.workers), units.stale(self.workers, self.files)
        left = [unit for unit in self.workers if unit not in running or unit in stale]
        for unit in left:
            with self.phase(f'restart {unit}, and watch it'):
                restart(unit)
                watch.stand([unit], seconds)
        if seconds and left != self.workers:
            with self.phase('watch the workers that a run before has restarted'):
                watch.stand(self.workers, seconds)

    def finish(self):
        surplus = sorted(units.running([WORKERS]).keys() - set(self.workers))
        if surplus:
            systemctl('stop', *surplus)
        self.stop_metrics()
        for unit in self.workers:
            wait_ready(socket_of(unit), unit)
        if systemctl('is-enabled', '--quiet', SERVICE) != 0:
            systemctl('enable', '--quiet', SERVICE)
        if self.options['action'] == 'deploy' and (self.moved or not self.was_good):
            self.releases.mark(self.version, 'good', **run_under_way())
        if self.action == 'rollback':
            self.releases.go_back(self.version, self.before)

    def undo(self):
        """Back to what served well before, where this run or one that was cut short has moved on. Says what serves now."""
        current, fallback = self.releases.pointed(), self.releases.pointed('fallback') or self.before
        if fallback is None:
            return self.stop()
        if not self.moved and (self.releases.is_good(current) or current == fallback):
            return self.verdict(current, f'serves as before{", but for that worker" if self.step.startswith("restart") else ""}')
        since = self.releases.written('current') if current != fallback else 0
        self.releases.point('current', fallback)
        if units.running([SERVICE]):
            running = units.running(self.workers)
            for unit in self.workers:
                if running.get(unit, since) >= since:
                    replace(unit)
        else:
            start_service(self.workers)
        self.stop_metrics()
        # Only now, so that another run restarts them if this one is cut short.
        if self.releases.pointed('fallback'):
            self.releases.date('current', self.releases.written('fallback'))
        return self.verdict(fallback, 'serves again')

    def unserved(self):
        """Returns why visitors are not served, or None. Requests the site through nginx or, if nginx is on another machine, on the workers' socket."""
        if not units.running([SERVICE]):
            return 'map-app does not run'
        if faults := serving.socket_faults():
            return faults[0]
        if self.options['through_nginx'] and os.path.exists(serving.SITE):
            return serving.visit_here(self.options['address'].removeprefix('https://'), os.path.exists(serving.CLOSED))[1]
        return next((problem for call in READS if (problem := refusal(serving.SOCKET, call))), None)

    def verdict(self, version, serves):
        """Returns a sentence about the release that is current after a failure."""
        problem = self.unserved()
        if problem is None:
            return f'{version} {serves}.'
        return visits.ended(f'{version} is the current release, but visitors are not served: {problem}')

    def stop_metrics(self):
        """Whoever asks for metrics next starts it again, with the release that serves."""
        if units.stale([METRICS], [self.releases.link('current')]):
            systemctl('stop', METRICS)

    def stop(self):
        if self.moved:
            systemctl('stop', SERVICE)
            os.unlink(self.releases.link('current'))
        return 'No release has served here yet, and none does now.'

    def attempt(self, reasons):
        """Bring the workers to the release. Where that fails, go back and return what there is to say; None where it succeeds."""
        try:
            self.bring()
        # Whatever it is, a full disk for instance: nothing may stay half-way.
        except Exception as trouble:
            sentences = [f'Release {self.version} failed to "{self.step}": {trouble}']
            if unit := getattr(trouble, 'unit', None):
                sentences.append(f'The last lines of the journal of {unit}:\n{last_lines(unit, self.began)}')
            try:
                sentences.insert(1, self.undo())
            except Exception as another:
                sentences.insert(1, f'Going back failed, too: {another}')
            self.note('failed', step=self.step, reason=str(trouble))
            return '\n'.join(sentences)
        self.note('good', reasons=reasons)
        return None

    def summary(self, reasons, failure, check):
        """What serves now, in a line."""
        current = self.releases.pointed() or 'none'
        problem = self.unserved()
        serves = f'{self.options["address"]} ' + (f'does not serve visitors ({problem.rstrip(".")}); its release is' if problem else 'serves release')
        kept = f', kept since a rollback left {self.left}: a newer release ends that, and so does rollback.yml -e release={self.left}' if self.left else ''
        if failure:
            return f'{serves} {current}, because {self.version} failed to "{self.step}"{kept}'
        if check and reasons:
            return f'{serves} {current}, and would serve {self.version}{kept}'
        if not reasons:
            return f'{serves} {self.version} as before: there was nothing to do{kept}'
        return f'{serves} {self.version} ({self.action}; before it {self.before or "none"}){kept}'

    def note(self, outcome, **fields):
        """In the audit log and, where it tells something new, in the release itself."""
        seconds = round(time.time() - self.began, 1)
        if outcome == 'failed' and self.releases.exists(self.version) and not self.was_good:
            self.releases.mark(self.version, 'bad', **run_under_way(), **fields)
        commit = self.releases.manifest(self.version).get('commit')
        note(self.action, outcome, release=self.version, commit=commit, before=self.before, seconds=seconds, **fields)


def start_service(workers):
    if systemctl('restart', SERVICE) != 0:
        raise Trouble('map-app does not start', workers[0])
    for unit in workers:
        wait_ready(socket_of(unit), unit)


def stop_trial():
    systemctl('stop', TRIAL.replace('.service', '.socket'), TRIAL)
    systemctl('reset-failed', TRIAL)


def main():
    module = AnsibleModule(
        argument_spec={
            'version': {'required': True},
            'home': {'type': 'path', 'default': '/opt/map-app'},
            'archive': {'type': 'path'},
            'sha256': {},
            'action': {'choices': ['deploy', 'rollback'], 'default': 'deploy'},
            'workers': {'type': 'int', 'required': True},
            'files': {'type': 'list', 'elements': 'path', 'required': True},
            'pending': {'type': 'bool', 'default': False},
            'address': {'required': True},
            'through_nginx': {'type': 'bool', 'default': True},
            'watch_seconds': {'type': 'float', 'default': 2},
            'limits': {'type': 'dict', 'required': True},
            'kept': {'type': 'int', 'default': 5},
        },
        supports_check_mode=True,
    )
    options = {**module.params, 'pending': module.check_mode and module.params['pending']}
    if not module.check_mode and not os.path.exists(COMMAND):
        module.fail_json(msg='map-app is not set up on this machine: run site.yml first.')
    # The module of an earlier run may still work on this machine after its controller died.
    with nullcontext() if module.check_mode else locked(options['home']):
        apply(module, options)


def apply(module, options):
    deploy = Deploy(options)
    reasons = list(deploy.reasons())
    failure = deploy.attempt(reasons) if reasons and not module.check_mode else None
    summary = deploy.summary(reasons, failure, module.check_mode)
    removed = deploy.releases.superfluous(options['kept'])
    if not module.check_mode:
        for version in removed:
            deploy.releases.remove(version)
    result = {'reasons': reasons, 'phases': deploy.phases, 'removed': removed, 'summary': summary}
    if failure:
        module.fail_json(msg=failure, **result)
    module.exit_json(changed=bool(reasons or removed), **result)


if __name__ == '__main__':
    main()
