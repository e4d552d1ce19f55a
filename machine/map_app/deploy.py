"""Deploys a release, or keeps the serving one if anything fails."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import audit, worker
from .files import unpack
from .release_command import TRIAL, TRIAL_SOCKET, ReleaseCommand
from .releases import Releases
from .serving import Serving
from .visits import ended
from .worker import READS, Trouble, Watch, refusal, wait_ready

TRIAL_UNIT = f'{TRIAL}.service'


@dataclass(frozen=True)
class Wanted:
    """
    The release to deploy.
    @param action: `deploy`, or `rollback` to a release that was good before, which never migrates
    @param archive: the archive to unpack the release from, if it is not on the machine
    @param sha256: the expected checksum of the archive, if known
    @param through_nginx: whether nginx on this machine, if any, is in its final state, so that the site can be checked through it
    @param pending: whether the files that the workers read would change; for a check
    """

    version: str
    action: str = 'deploy'
    archive: Path | None = None
    sha256: str | None = None
    through_nginx: bool = True
    pending: bool = False


@dataclass
class Report:
    """The result of a deploy, or of its check."""

    changed: bool
    # One line with the serving release.
    summary: str
    # Why the release was deployed, or would be.
    reasons: list[str]
    # The phases, with their duration in seconds.
    phases: list[str] = field(default_factory=list)
    # Old releases that were removed.
    removed: list[str] = field(default_factory=list)
    failure: str | None = None


class Deploy:
    def __init__(self, serving: Serving, log: audit.Audit, wanted: Wanted) -> None:
        self.serving = serving
        self.app, self.processes, self.units = serving.settings.app(), serving.processes, serving.units
        self.log = log
        self.wanted = wanted
        self.releases = Releases(Path(self.app.home))
        self.before = self.releases.pointed()
        self.version, self.left = self.choose(wanted.version)
        self.was_good = self.releases.is_good(self.version)
        self.moved = False
        self.files = [*self.app.files, str(self.releases.link('current'))]
        self.action = 'restart' if self.version == self.before and self.was_good else wanted.action
        self.began = time.time()
        self.step = ''
        self.phases: list[str] = []

    def choose(self, version: str) -> tuple[str, str | None]:
        """Returns the release to deploy, and None. If a rollback has replaced the requested release, returns the current and the requested one instead."""
        before = self.before
        if before and self.wanted.action == 'deploy' and version != before and self.releases.is_left(version) and self.releases.is_good(before):
            return before, version
        return version, None

    def run(self, check: bool) -> Report:
        reasons = list(self.reasons())
        failure = self.attempt(reasons) if reasons and not check else None
        summary = self.summary(reasons, failure, check)
        removed = self.releases.superfluous(self.app.kept)
        if not check:
            for version in removed:
                self.releases.remove(version)
        return Report(bool(reasons or removed), summary, reasons, self.phases, removed, failure)

    @contextmanager
    def phase(self, step: str) -> Iterator[None]:
        """Records a step in the journal, in the result and in the message of a failure."""
        self.step = step
        audit.tell_journal(f'{self.action}, release {self.version}: {step}', phase=step, release=self.version)
        start = time.monotonic()
        yield
        self.phases.append(f'{step}: {time.monotonic() - start:.1f} s')

    def reasons(self) -> Iterator[str]:
        """Yields the reasons for a deploy, one sentence each."""
        if self.before != self.version:
            yield f'current points to {self.before or "no release"}'
        elif not self.was_good:
            yield f'{self.version} is not marked good yet'
        if not self.serves():
            yield 'map-app does not run'
        if not self.units.is_enabled(self.app.service):
            yield 'map-app is not started at boot'
        if self.wanted.pending:
            yield 'the files that the workers read would change'
        yield from self.units.stale(self.app.workers, self.files).values()
        running = self.units.running([self.app.worker_pattern])
        for unit in sorted(running.keys() ^ set(self.app.workers)):
            yield f'{unit} runs, but is not configured' if unit in running else f'{unit} does not run'
        for unit in sorted(running.keys() & set(self.app.workers)):
            if problem := refusal(self.app.worker_socket(unit), worker.READY):
                yield f'{unit}: {problem}'

    def serves(self) -> bool:
        return bool(self.units.running([self.app.service]))

    def attempt(self, reasons: list[str]) -> str | None:
        """Deploys the release. If that fails, rolls back and returns sentences with the reasons."""
        try:
            self.bring()
        # Any error, such as a full disk: no deploy may stay half-finished.
        except Exception as trouble:
            sentences = [f'Release {self.version} failed to "{self.step}": {trouble}']
            if unit := getattr(trouble, 'unit', None):
                sentences.append(f'The last lines of the journal of {unit}:\n{self.units.journal.last_lines(unit, 20, self.began)}')
            try:
                sentences.insert(1, self.undo())
            except Exception as another:
                sentences.insert(1, f'The rollback failed, too: {another}')
            self.note('failed', step=self.step, reason=str(trouble))
            return '\n'.join(sentences)
        self.note('good', reasons=reasons)
        return None

    def bring(self) -> None:
        if not self.releases.exists(self.version):
            with self.phase('unpack it'):
                self.unpack()
        self.prove()
        with self.phase('point current to it'):
            self.point()
        self.serve()
        with self.phase('clear up'):
            self.finish()

    def prove(self) -> None:
        """Tries the release before it serves. The trial worker starts while the check and the migration run, which saves its starting time."""
        try:
            with self.phase('check that it starts and accepts the configuration'):
                self.begin_trial()
                self.command('check')
            if self.wanted.action == 'deploy':
                with self.phase('migrate the database'):
                    self.command('migrate')
            with self.phase('start a trial worker on a private socket'):
                self.try_out()
        finally:
            self.stop_trial()

    def unpack(self) -> None:
        """Unpacks the release atomically: its folder appears complete and synced to disk, or not at all."""
        archive = self.wanted.archive
        if archive is None:
            raise Trouble('it is not on this machine, and no archive was given')
        # Copies the archive first, so that only root can change it between the check and the unpacking.
        copy = self.releases.folder / '.incoming.tar.gz'
        shutil.copyfile(archive, copy)
        try:
            with copy.open('rb') as file:
                arrived = hashlib.file_digest(file, 'sha256').hexdigest()
            if self.wanted.sha256 not in (None, arrived):
                raise Trouble('its archive does not match its checksum: run again')
            unpack(self.processes, copy, self.releases.path(self.version))
        finally:
            copy.unlink(missing_ok=True)

    def release_command(self) -> ReleaseCommand:
        return ReleaseCommand(self.app, self.processes, self.units, {'MAP_APP_RELEASE': str(self.releases.path(self.version))})

    def command(self, name: str) -> None:
        """Runs a command of the release, as its user and in its sandbox."""
        ended_with = self.release_command().capture(name)
        if ended_with.status != 0:
            said = ended_with.errors.strip() or ended_with.output.strip() or f'it exited with status {ended_with.status}'
            raise Trouble('\n'.join(said.splitlines()[-20:]))

    def begin_trial(self) -> None:
        """Starts the release as a trial worker, which differs from a real one only in that it receives no requests from visitors."""
        self.stop_trial()
        self.command('serve')
        self.units.begin_start(TRIAL_UNIT)

    def try_out(self) -> None:
        """Waits until the trial worker is ready, and sends it requests."""
        # Starts it again if it ended because the migration took longer than a trial may.
        if not self.units.try_start(TRIAL_UNIT):
            raise Trouble('it does not start', TRIAL_UNIT)
        try:
            wait_ready(TRIAL_SOCKET, TRIAL_UNIT)
        except Trouble as trouble:
            raise Trouble(f'{trouble} (its schema is {self.releases.manifest(self.version).get("schema")})', TRIAL_UNIT) from trouble
        for call in READS:
            if problem := refusal(TRIAL_SOCKET, call):
                raise Trouble(problem, TRIAL_UNIT)

    def stop_trial(self) -> None:
        self.units.try_stop(f'{TRIAL}.socket', TRIAL_UNIT)
        self.units.reset_failed(TRIAL_UNIT)

    def point(self) -> None:
        if self.before == self.version:
            return
        # `fallback` must always point to a good release, so it does not move if the current release is not known to be good.
        if self.before and self.releases.is_good(self.before):
            moment = self.releases.written('current')
            self.releases.point('fallback', self.before)
            self.releases.date('fallback', moment)
        self.releases.point('current', self.version)
        self.moved = True

    def serve(self) -> None:
        """Restarts the workers that do not serve the release yet, and watches them."""
        workers = self.app.workers
        # A release that already serves is only restarted because of changed files.
        seconds = self.app.watch_seconds if self.moved or not self.was_good else 0
        watch = Watch(self.units, self.app, self.app.watched)
        if not self.serves():
            with self.phase('start all workers, and watch them'):
                self.start_service()
                watch.stand(workers, seconds)
            return
        running, stale = self.units.running(workers), self.units.stale(workers, self.files)
        left = [unit for unit in workers if unit not in running or unit in stale]
        for unit in left:
            with self.phase(f'restart {unit}, and watch it'):
                worker.restart(self.units, self.app, unit)
                watch.stand([unit], seconds)
        if seconds and left != workers:
            with self.phase('watch the workers that an earlier run restarted'):
                watch.stand(workers, seconds)

    def start_service(self) -> None:
        if not self.units.restart([self.app.service]):
            raise Trouble('map-app does not start', self.app.workers[0])
        for unit in self.app.workers:
            wait_ready(self.app.worker_socket(unit), unit)

    def finish(self) -> None:
        surplus = sorted(self.units.running([self.app.worker_pattern]).keys() - set(self.app.workers))
        if surplus:
            self.units.try_stop(*surplus)
        self.stop_metrics()
        for unit in self.app.workers:
            wait_ready(self.app.worker_socket(unit), unit)
        if not self.units.is_enabled(self.app.service):
            self.units.change('enable', self.app.service)
        if self.wanted.action == 'deploy' and (self.moved or not self.was_good):
            self.releases.mark(self.version, 'good', **self.log.lock.run_under_way())
        if self.action == 'rollback':
            self.releases.go_back(self.version, self.before)

    def stop_metrics(self) -> None:
        """Stops an outdated metrics service. The next request for metrics starts it with the current release."""
        if self.units.stale([self.app.metrics], [str(self.releases.link('current'))]):
            self.units.try_stop(self.app.metrics)

    def undo(self) -> str:
        """Rolls back if this run or an interrupted one has changed the current release. Returns one sentence with the serving release."""
        current, fallback = self.releases.pointed(), self.releases.pointed('fallback') or self.before
        if fallback is None:
            return self.stop()
        if not self.moved and current is not None and (self.releases.is_good(current) or current == fallback):
            return self.verdict(current, f'serves as before{", except on that worker" if self.step.startswith("restart") else ""}')
        since = self.releases.written('current') if current != fallback else 0.0
        self.releases.point('current', fallback)
        if self.serves():
            running = self.units.running(self.app.workers)
            for unit in self.app.workers:
                # An interrupted run may have left workers on the previous release although that one was never marked as good.
                if running.get(unit, since) >= since or not self.releases.is_good(self.before):
                    worker.replace(self.units, self.app, unit)
        else:
            self.start_service()
        self.stop_metrics()
        # Last, so that the next run restarts the workers if this one is interrupted.
        if self.releases.pointed('fallback'):
            self.releases.date('current', self.releases.written('fallback'))
        return self.verdict(fallback, 'serves again')

    def stop(self) -> str:
        if self.moved:
            self.units.try_stop(self.app.service)
            self.releases.link('current').unlink()
        return 'There is no earlier release to roll back to, so no release serves.'

    def unserved(self) -> str | None:
        """
        Returns why visitors are not served, or None. Requests the site through nginx or, if nginx is on another machine, on the workers' socket.
        """
        if not self.serves():
            return 'map-app does not run'
        if faults := self.serving.socket_faults():
            return faults[0]
        if self.wanted.through_nginx and self.serving.has_site():
            return self.serving.visit_here()[1]
        return next((problem for call in READS if (problem := refusal(self.app.socket_path, call))), None)

    def verdict(self, version: str, serves: str) -> str:
        """Returns a sentence about the release that is current after a failure."""
        problem = self.unserved()
        if problem is None:
            return f'{version} {serves}.'
        return ended(f'{version} is the current release, but visitors are not served: {problem}')

    def summary(self, reasons: list[str], failure: str | None, check: bool) -> str:
        """Returns one line with the serving release."""
        current = self.releases.pointed() or 'none'
        problem = self.unserved()
        serves = f'{self.app.address} ' + (f'does not serve visitors ({problem.rstrip(".")}); its release is' if problem else 'serves release')
        kept = (
            f'. It is kept because a rollback replaced {self.left}; to end this, deploy a newer release or run rollback.yml -e release={self.left}'
            if self.left
            else ''
        )
        if failure:
            return f'{serves} {current}, because {self.version} failed to "{self.step}"{kept}'
        if check and reasons:
            return f'{serves} {current}, and would serve {self.version}{kept}'
        if not reasons:
            return f'{serves} {self.version} as before: there was nothing to do{kept}'
        return f'{serves} {self.version} ({self.action}; before it {self.before or "none"}){kept}'

    def note(self, outcome: str, **fields: object) -> None:
        """Adds an entry to the audit log. Also marks a release as bad if it failed and was never good."""
        seconds = round(time.time() - self.began, 1)
        if outcome == 'failed' and self.releases.exists(self.version) and not self.was_good:
            self.releases.mark(self.version, 'bad', **self.log.lock.run_under_way(), **fields)
        commit = self.releases.manifest(self.version).get('commit')
        self.log.note(self.action, outcome, release=self.version, commit=commit, before=self.before, seconds=seconds, **fields)


def choose_rollback(releases: Releases, wanted: str) -> tuple[str | None, str | None]:
    """Returns the release to roll back to, or None and the reason. It must have been good, even if it is given by name."""
    version = wanted or releases.good_before_current()
    if version is None:
        return None, f'No good release was deployed before {releases.pointed() or "any that serves"}, so there is none to roll back to.'
    if not releases.exists(version):
        return None, f'There is no release {version} on this machine.'
    state = releases.describe(version)['state']
    if state in ('good', 'left'):
        return version, None
    state = 'is marked bad' if state == 'bad' else 'was never marked good'
    return None, f'Release {version} {state}, so it cannot be the target of a rollback. To try it again, run deploy.yml.'
