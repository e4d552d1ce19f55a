import type { Mutation } from './mutation.ts';

/** The mutations of the program on the machine, by file, for its unit tests. */
export const machineMutations: Record<string, Mutation[]> = {
  'machine/map_app/deploy.py': [
    // The order and the guards of a deploy.
    [
      'if self.wanted.sha256 not in (None, arrived):',
      'if self.wanted.sha256 not in (None, self.wanted.sha256):',
    ],
    ["                self.command('check')\n", '                pass\n'],
    ["                    self.command('migrate')\n", '                    pass\n'],
    [
      "            if self.wanted.action == 'deploy':\n                with self.phase('migrate",
      "            if True:\n                with self.phase('migrate",
    ],
    ['                self.begin_trial()\n', ''],
    ['                self.try_out()\n', '                pass\n'],
    ['        if not self.units.try_start(TRIAL_UNIT):\n', '        if False:\n'],
    [
      '        if self.before and self.releases.is_good(self.before):\n            moment',
      '        if self.before:\n            moment',
    ],
    ['self.app.watch_seconds if self.moved or not self.was_good else 0', '0'],
    ['if unit not in running or unit in stale]', 'if unit not in running]'],
    [
      '                worker.restart(self.units, self.app, unit)\n                watch.stand([unit], seconds)',
      '                worker.restart(self.units, self.app, unit)',
    ],
    ['if seconds and left != workers:', 'if False:'],
    [
      "            self.releases.mark(self.version, 'good', **self.log.lock.run_under_way())",
      '            pass',
    ],
    [
      "self.note('failed', step=self.step, reason=str(trouble))",
      "self.note('good', step=self.step, reason=str(trouble))",
    ],
    [
      "        self.releases.point('current', fallback)\n        if self.serves():",
      '        if self.serves():',
    ],
    [
      'or not self.releases.is_good(self.before):\n                    worker.replace',
      ':\n                    worker.replace',
    ],
    ["            self.releases.date('current', self.releases.written('fallback'))", '            pass'],
    [
      'failure = self.attempt(reasons) if reasons and not check else None',
      'failure = self.attempt(reasons) if reasons else None',
    ],
    [
      '        if not check:\n            for version in removed:',
      '        if True:\n            for version in removed:',
    ],
    ["            yield 'map-app is not started at boot'", '            pass'],
    ['        finally:\n            self.stop_trial()', '        finally:\n            pass'],
  ],
  'machine/map_app/releases.py': [
    ['return version if self.exists(version) else None', 'return version'],
    ['        for other in {*KINDS} - {kind}:\n            self.unmark(version, other)', '        pass'],
    [
      "self.describe(version)['when'] < self.describe(before)['when']:",
      "self.describe(version)['when'] > self.describe(before)['when']:",
    ],
    ["one['state'] == 'good' and one['when'] < now)", "one['when'] < now)"],
    ["one['state'] == 'good' and one['when'] < now)", "one['state'] == 'good')"],
    ["stay = {self.pointed('current'), self.pointed('fallback')}", "stay = {self.pointed('current')}"],
    ["if one['state'] == kind][:kept])", "if one['state'] == kind][: kept - 1])"],
    ['        (self.path(version) / PROGRAM).unlink()\n', ''],
    ["(f'  {one[\"reason\"].splitlines()[0]}' if one.get('reason') else '')", "''"],
  ],
  'machine/map_app/worker.py': [
    ['if errors > max(2, requests * allowed):', 'if errors > max(3, requests * allowed):'],
    ['if requests >= 20 and middle > slow:', 'if requests >= 200 and middle > slow:'],
    ['self.limits.milliseconds / 1000, 2 * self.traffic.middle_before', 'self.limits.milliseconds / 1000, 0'],
    ['self.errors += status in (500, 502, 504)', 'self.errors += status in (502, 504)'],
    [
      "!= process:\n            raise Trouble(f'{unit} exited', unit)",
      "== '0':\n            raise Trouble(f'{unit} exited', unit)",
    ],
    ['if memory > self.limits.megabytes:', 'if memory > self.limits.megabytes * 1024:'],
    ['os.O_PATH | os.O_NOFOLLOW', 'os.O_PATH'],
    ['        if answer.length and len(body) < LARGEST:', '        if False:'],
    ['body = answer.read(LARGEST)', 'body = answer.read()'],
    ['        if self.size() < self.offset:\n            self.offset = 0', '        pass'],
    ["whole = text[: text.rfind(b'\\n') + 1]", 'whole = text'],
    [".replace(':', ',').split(',')[-1]", ".replace(':', ',').split(',')[0]"],
    ['        units.kill(unit)\n', '        pass\n'],
  ],
  'machine/map_app/workers.py': [
    ['Plan(self.settings.workers, sorted(', 'Plan(self.settings.workers[:1], sorted('],
    ['            return Plan([], [])\n', '            pass\n'],
    ['        self.units.stop([self.settings.socket], with_dependents=False)\n', ''],
    [
      "                raise Failure(f'{unit} did not start again",
      "                Failure(f'{unit} did not start again",
    ],
  ],
  'machine/map_app/lock.py': [
    ["for key in ('controller', 'pid', 'started'))", "for key in ('controller', 'pid'))"],
    [
      'and not same(holder, record) and not same(holder, dead):',
      'and not same(holder, record) and dead is None:',
    ],
    [
      '            if same(self.holder(), record) and not check:\n                self.path.unlink()',
      '            self.path.unlink(missing_ok=True)',
    ],
    ["holder['controller'] == os.uname().nodename and started", 'started'],
    ["started(int(holder['pid'])) != holder['started']", "started(int(holder['pid'])) == ''"],
    ['            if not check and not same', '            if not same'],
  ],
  'machine/map_app/exclusive.py': [
    ['if holder is not None and is_dead(holder):', 'if holder is not None:'],
    ['        lock.free(record)', '        pass'],
  ],
  'machine/map_app/drift.py': [
    ["'new' if path not in before else 'changed'", "'changed'"],
    ["    kinds.update({path: 'missing' for path in before if path not in now})\n", ''],
    [
      "return f'{stat.filemode(found.st_mode)} {found.st_uid}:{found.st_gid} {content}'",
      "return f'{found.st_uid}:{found.st_gid} {content}'",
    ],
    ["return 'link to ' + os.readlink(path)", "return 'link'"],
    ['json.dumps(record), 0o600)', 'json.dumps(record))'],
  ],
  'machine/map_app/renewal.py': [
    ['FIRST_PAUSE << min(failures - 1, 10)', 'FIRST_PAUSE << min(failures, 10)'],
    ['due = max(due, until or now + UNKNOWN_LIMIT)', 'due = now + UNKNOWN_LIMIT'],
    ["command = [*self.command, '--force-renewal']", 'command = [*self.command]'],
    ["if ended.status == 0 or 'nonce' not in said.lower():", 'if ended.status == 0:'],
    [
      "return state.get('kind') in ('limited', 'paused') and time.time() < state['next']",
      "return state.get('kind') in ('limited', 'paused')",
    ],
    ['    except (FileNotFoundError, ValueError):', '    except FileNotFoundError:'],
  ],
  'machine/map_app/certificate_verbs.py': [
    ["if 'TRIGGER_UNIT' in os.environ and not renewal.is_due():", 'if not renewal.is_due():'],
    ['    if options.check:\n', '    if False:\n'],
  ],
  'machine/map_app/status.py': [
    ['CERTIFICATE_SHARE = 1 / 6', 'CERTIFICATE_SHARE = 1 / 3'],
    ['DISK_SHARE = 0.1', 'DISK_SHARE = 0.01'],
    ['    if days < 0:', '    if days < -1:'],
    ['if modules and str(root', 'if not modules and str(root'],
    ["            self.trouble(f'{name} has failed:", "            str(f'{name} has failed:"],
    [
      "if unit['ActiveState'] != 'active':\n                self.trouble(f'{name} is {unit[\"ActiveState\"]}{self.why",
      "if unit['ActiveState'] == 'failed':\n                self.trouble(f'{name} is {unit[\"ActiveState\"]}{self.why",
    ],
  ],
  'machine/map_app/files.py': [
    ['        os.fchmod(file.fileno(), mode)\n', ''],
    ["'--no-same-owner', ", ''],
    ["    processes.require(['sync', '--file-system', str(incoming)])\n", ''],
    ['    shutil.rmtree(incoming, ignore_errors=True)\n', ''],
  ],
  'machine/map_app/backups/restore.py': [
    ['    serves = undo_interrupted(site) or site.serves()', '    serves = site.serves()'],
    ['        if serves:\n            site.stop_service()', '        site.stop_service()'],
    [
      '        site.folders.exchange(site.data, site.restored)\n        site.units.start(site.settings.unit)\n        site.migrate()',
      '        site.folders.exchange(site.data, site.restored)\n        site.units.start(site.settings.unit)',
    ],
    ['    site.folders.remove(site.data / MARK)\n', ''],
    ["    site.state.forget('moment')\n", ''],
    [
      "    if not with_certificates:\n        site.state.write('restored'",
      "    if True:\n        site.state.write('restored'",
    ],
    [
      '        put_back(site)\n        if serves:\n            site.start_service()\n        raise',
      '        put_back(site)\n        raise',
    ],
    ['    if site.folders.exists(site.data / MARK):', '    if False:'],
    ["        database.ask('SELECT pg_current_xact_id()')\n", '        pass\n'],
    ["        cluster.ask('ALTER SYSTEM RESET ALL')\n", ''],
    ["    need_space(site.data.parent, target.backup.size, 'The restore')\n    try:", '    try:'],
  ],
  'machine/map_app/backups/target.py': [
    [
      '[backup for backup in backups if backup.at <= moment]',
      '[backup for backup in backups if backup.at >= moment]',
    ],
    ['if moment > state.now():', 'if False:'],
    ['moment.replace(tzinfo=UTC)', 'moment.astimezone()'],
    ['target.since is None or target.since > gap', 'target.since is not None and target.since > gap'],
    ['    if version != site.settings.version:', '    if version > site.settings.version:'],
    ["backups[-1], [f'--set={backups[-1].label}'", "backups[0], [f'--set={backups[0].label}'"],
  ],
  'machine/map_app/backups/drill.py': [
    [
      "            compare(moment['tables'], measure(site.on(server.socket, site.settings.database)), 'The restored database')\n",
      '',
    ],
    ['            drill_dump(site, folder / COMPANIONS, server)\n', ''],
    ['        site.certificates.members(site.folders.read(folder / COMPANIONS / CERTIFICATES))\n', ''],
    ["or backups[-1].label != moment['label']:", 'or False:'],
    ['        scratch.clear(site, folder)\n', '        pass\n'],
  ],
  'machine/map_app/backups/take.py': [
    ['            if waited > 150:', '            if waited > 1500:'],
    ['        if waited > 120:', '        if waited > 12:'],
    ['        site.folders.remove(folder)\n\n\ndef dump', '        pass\n\n\ndef dump'],
    ["    site.repository.pgbackrest('check')\n", ''],
    ['        hold_writers(writers)\n', '        pass\n'],
  ],
  'machine/map_app/backups/state.py': [
    ["'last_good': self.read(name).get('last_good')}", "'last_good': None}"],
    ["record.update(work(), ok=True, last_good=record['at'])", 'record.update(work(), ok=True)'],
    ['fcntl.LOCK_EX | fcntl.LOCK_NB)', 'fcntl.LOCK_SH | fcntl.LOCK_NB)'],
  ],
  'machine/map_app/backups/status.py': [
    ["'backup': timedelta(days=2)", "'backup': timedelta(days=20)"],
    ["    elif archive['failed']:", "    elif archive['failed'] and not archive['last']:"],
    ["        yield 'There is no backup yet.'", '        return'],
    ["'^[0-9:. -]*P[0-9]+ +WARN", "'WARN"],
  ],
  'machine/map_app/unit_states.py': [
    ['        if not self.check:\n            self.units.read_files()', '        self.units.read_files()'],
    [
      '                if not self.check:\n                    self',
      '                if True:\n                    self',
    ],
    ['self.pending = pending if check else ()', 'self.pending = pending'],
    ["path.startswith(f'{read}/')", 'path.startswith(read)'],
    ["if stale and unit.stale != 'reported':", 'if stale:'],
    ["'restart' if unit.stale == 'restarted' else 'stop'", "'restart'"],
    ['(changes.unread if unit.since else changes.stale)', '(changes.stale)'],
    ['reloaded = newest([unit.since] if unit.since else [])[0]', 'reloaded = 0.0'],
    ["'unmask')", "'enable')"],
    ["active not in (*RUNNING, 'activating')", 'active not in RUNNING'],
    ["active not in ('inactive', 'failed')", "active != 'inactive'"],
    ['if wanted.enabled is False and', 'if not wanted.enabled and'],
    ['        if unit.state not in STATES or', '        if'],
  ],
  'machine/map_app/units.py': [
    ['if newest([UNIT_FILES])[0] > ', 'if newest([UNIT_FILES])[0] < '],
    ["            self.processes.require(['systemctl', 'daemon-reload'])", '            pass'],
  ],
  'machine/map_app/settings.py': [
    ['if earlier.keys() <= sections.keys():', 'if True:'],
    ['            former.unlink(missing_ok=True)', '            pass'],
    ['{**earlier, **sections}', '{**sections, **earlier}'],
  ],
};
