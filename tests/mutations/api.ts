import type { Mutation } from './mutation.ts';

/** The mutations of the API, by file. */
export const apiMutations: Record<string, Mutation[]> = {
  'api/src/pins/routes.ts': [
    ['body.lat === 0 && body.long === 0', 'body.lat === 0'],
    ["return { success: false, city: '', state: ''", "return { success: true, city: '', state: ''"],
    ['const distance = milesFromHome(lat, long);', 'const distance = milesFromHome(long, lat);'],
    ['country !== undefined && state !== undefined;', 'country !== undefined;'],
    ['unqiue_countries: totals.unique_countries', 'unqiue_countries: totals.unique_states'],
    ['if (!(await store.remove(params.id))) throw noPin();', 'await store.remove(params.id);'],
    ['names: hasNames ? names : undefined', 'names'],
    ['if (!place) throw unprocessable(water);\n    return', 'if (!place) return undefined;\n    return'],
  ],
  'api/src/collections/store.ts': [
    ['first && first.matching <= mostSorted ? first', 'first ? first'],
    ['found > limit ? withoutLast(features) : features', 'features'],
    ['features.get(index + 1)', 'features.get(index)'],
    ["feature('asked.pictures')", "feature(':pictures[1]')"],
  ],
  'api/src/database/statements.ts': [
    ['...(isPrepared && { name })', '...{}'],
    ['parameters.map((parameter) => values[parameter])', 'Object.values(values)'],
  ],
  'api/src/pins/store.ts': [
    ['if (names) await marks', 'if (move) await marks'],
    ['else await marks.where({ pin_id: id }).delete();', ''],
    ["state is not null and country = 'United States of America'", 'state is not null'],
    ['where city is null and total > 0`', 'where city is null`'],
    ["orderBy('id').limit(limit).select(columns)", "orderBy('visited_at').limit(limit).select(columns)"],
    ['(state is null or state = ?)', '(state = ?)'],
  ],
  'api/src/pins/distance.ts': [
    ['const earthRadius = 6371;', 'const earthRadius = 6378;'],
    ['Math.cos(radians(latitude)) * haversine', 'haversine'],
    ['milesPerKilometre = 0.621371', 'milesPerKilometre = 0.539957'],
  ],
  'api/src/pins/schema.ts': [
    [".and('lat', 'long')\n", '\n'],
    ['const placeName = storable(longestName);', 'const placeName = storable(10 * longestName);'],
  ],
  'api/src/survey/store.ts': [
    [".where('option.active', true)\n      .where('question.active', true)", ".where('option.active', true)"],
    ["db('question').where('active', true).select({ qid", "db('question').select({ qid"],
    [".whereIn('question_id', db('question').where('active', true).select('id'))\n", '\n'],
    [
      'where({ id, active: true }).update(change)) === 1;\n  const changeOption',
      'where({ id }).update(change)) === 1;\n  const changeOption',
    ],
    ['option.active and question.active as open', 'option.active as open'],
    ['select id from chosen where open', 'select id from chosen'],
    ["return chosen.open ? 'recorded' : 'deleted';", "return 'recorded';"],
    [".where('question.active', false)\n", '\n'],
    ["activeOptions().orderBy('option.id')", "activeOptions().orderBy('option.text')"],
  ],
  'api/src/survey/routes.ts': [
    ["if (outcome === 'deleted') throw unprocessable('This option is no longer offered.');", ''],
    [
      "if (outcome === 'unknown') throw noOption();",
      "if (outcome === 'unknown') throw unprocessable('No.');",
    ],
  ],
  'api/src/counts/routes.ts': [
    [
      'if (!(await store.set(params.name, body.new_total)))',
      'if (await store.set(params.name, body.new_total) === undefined)',
    ],
  ],
  'api/src/counts/store.ts': [[".orderBy('name')", ".orderBy('total')"]],
  'api/src/donations/routes.ts': [
    ['if (!isHead && !isPrefetch(headers))', 'if (!isPrefetch(headers))'],
    ['!isHead && !isPrefetch(headers)', '!isHead'],
    ["[headers['sec-purpose'], headers.purpose]", "[headers['sec-purpose']]"],
    ['/\\bprefetch\\b/i.test', '/^prefetch$/i.test'],
  ],
  'api/src/staff/token.ts': [
    ["maxTokenAge: '1 day'", "maxTokenAge: '100 days'"],
    ["clockTolerance: '30 s'", "clockTolerance: '30 minutes'"],
    ["algorithms: ['RS256']", "algorithms: ['RS256', 'HS256', 'ES256', 'RS512']"],
    ["issuer: ['https://accounts.google.com', 'accounts.google.com'],", ''],
    ['...demands, audience: clientId,', '...demands,'],
    ['if (verified !== true)', 'if (verified === false)'],
    [
      '(hd === domain || hostedDomains.has(hd))',
      '(hd === domain || hostedDomains.size === 0 || hostedDomains.has(hd))',
    ],
    [
      "domain === 'gmail.com' || isHosted || listed.has(address)",
      "domain.endsWith('gmail.com') || isHosted || listed.has(address)",
    ],
  ],
  'api/src/staff/key-set.ts': [
    ['if (mayFetch) renew()', 'renew()'],
    ["redirect: 'error'", "redirect: 'follow'"],
    ['fetched + longestLife', 'fetched + 1000 * longestLife'],
    ['|| isRecent) throw error;', ') throw error;'],
    ["- Number(headers.get('age') ?? 0)", ''],
    ['const pause = 10_000;', 'const pause = 10;'],
    ['AbortSignal.timeout(patience)', 'AbortSignal.timeout(100 * patience)'],
  ],
  'api/src/staff/gate.ts': [
    ['if (!isStaff) throw forbidden(', 'if (!email) throw forbidden('],
    ['isStaff: await store.isStaff(email)', 'isStaff: true'],
    ['/^Bearer +(\\S+)$/i', '/^Bearer +(\\S+)$/'],
  ],
  'api/src/staff/store.ts': [
    ['and expires_at > now()`', '`'],
    ['isStaff: session.listed || fixed.has(session.email)', 'isStaff: true'],
    ['with ended as (delete from session where expires_at <= now())\n', 'with ended as (select 1)\n'],
    ['with ended as (delete from session where email = ?)', 'with ended as (select ? as email)'],
    ['sessionHours = 12', 'sessionHours = 1200'],
    ["await db('session').where({ id }).delete();", ''],
  ],
  'api/src/staff/session.ts': [
    ['HttpOnly; Secure', 'Secure'],
    ['SameSite=Lax', 'SameSite=None'],
    ['Max-Age=0;', 'Max-Age=1;'],
  ],
  'api/src/staff/same-site.ts': [
    ["site !== 'same-origin' && site !== 'none'", "site === 'cross-site'"],
    ['if (origin === undefined) return false;', 'if (origin === undefined) return true;'],
    ['!safe.has(method) && sealedIn', 'sealedIn'],
    ["['GET', 'HEAD', 'OPTIONS']", "['GET', 'HEAD', 'OPTIONS', 'DELETE']"],
  ],
  'api/src/staff/sign-in.ts': [
    ['!cookie || !same(token, cookie)', '!cookie'],
    ['if (cookie === null) throw forbidden(', 'if (email === null) throw forbidden('],
    ['await disk.demand();\n', ''],
    ['maximumForm = 20_000;', 'maximumForm = 20_000_000;'],
  ],
  'api/src/staff/routes.ts': [
    ['if (id) await store.end(id);', ''],
    ['cookies.revoke()', "'x=y'"],
    ['{ status: 403 }', '{ status: 401 }'],
  ],
  'api/src/retention/retention.ts': [
    ['make_interval(days => ?) as limit', 'make_interval(days => ? + 1) as limit'],
    ["await db('idempotency').where('expires_at', '<', db.fn.now()).delete();", ''],
    ["answers: await deleteBefore(db, 'visitor_response', 'answered_at', limit)", 'answers: 0'],
    [
      'await retrying(db, async () =>',
      'await ((_: unknown, work: () => Promise<{ id: number }[]>) => work())(db, async () =>',
    ],
    ['Math.max(...deleted.map(({ id }) => id))', 'undefined'],
  ],
  'api/src/removal/store.ts': [
    [".where('id', '<=', last_id)", ''],
    ['if (removed !== count)', 'if (removed < count)'],
    ["query.where(time, '<', new Date(before))", "query.where(time, '<=', new Date(before))"],
    ["query.where(time, '>=', new Date(from))", "query.where(time, '>', new Date(from))"],
    ['if (west <= east)', 'if (west !== east)'],
    ['if (country !== undefined) void query.where({ country });', ''],
    ["orderBy('id', 'desc').limit(sampleSize)).map(pinOf)", "orderBy('id').limit(sampleSize)).map(pinOf)"],
  ],
  'api/src/removal/routes.ts': [['log.info(`${what} removed`, { email, removed: total });', '']],
  'api/src/removal/command.ts': [
    ['if (!order.dryRun) await demandRoom(disk);', ''],
    ['if (dryRun) {', 'if (dryRun && yes) {'],
    ['if (!yes && !process.stdin.isTTY)', 'if (!process.stdin.isTTY)'],
    ["text.replace(/\\p{Cc}/gu, '?')", 'text'],
  ],
  'api/src/reports/mail.ts': [
    ['const most = 7_000_000;', 'const most = 70_000_000;'],
    ['left -= chunk.length;', ''],
  ],
  'api/src/reports/store.ts': [[".orderBy('answer.id')", ".orderBy('answer.answered_at')"]],
  'api/src/database/pages.ts': [
    ['rows.length < size ? undefined', 'rows.length <= size ? undefined'],
    ['rows.at(-1)?.id', 'rows.at(0)?.id'],
  ],
  'api/src/database/retry.ts': [
    ["['40001', '40P01']", "['40001']"],
    ['attempt === 3', 'attempt === 1'],
    ['db.isTransaction || ', ''],
  ],
  'api/src/database/disk.ts': [
    ['const ampleAgain = 1.1;', 'const ampleAgain = 1;'],
    ['if (!isNews) return;', ''],
    ['>= pause) refresh();', '>= 0) refresh();'],
    ['return bavail * bsize;', 'return bavail;'],
    ['if (free < disk.reserve * megabyte) throw', 'if (free < 0) throw'],
    ['free = Number.NaN;\n    }', '}'],
  ],
  'api/src/database/migrate.ts': [
    ['if (added.length === 0) return;', ''],
    ['if (locked && attempt < attempts) await wait(pause);', 'if (false) await wait(pause);'],
    ['revoke create on schema public from "${appRole}", public;', ''],
    ['execute format(\'revoke insert, update, delete on %s from "${appRole}"\', read_only);', 'null;'],
    [
      'execute format(\'revoke execute on function %s from public, "${appRole}"\', callable.signature);',
      'null;',
    ],
    ["message.split(' - ').at(-1)", 'message'],
    ["await transaction.raw('lock table schema_migration in share row exclusive mode');", ''],
  ],
  'api/src/database/trouble.ts': [
    ["if (name === 'KnexTimeoutError') return 'The database does not respond in time.';", ''],
    ["'25006': 'The database is read-only',", ''],
    ["'53': 'The database is out of resources", "'54': 'The database is out of resources"],
  ],
  'api/src/cache/cache.ts': [
    ['tagOf(version, name, body?.state ?? state);', 'tagOf(name, body?.state ?? state);'],
    [' && check.isRecent()', ''],
    ['!bodies.has(name) && !hasTags(request.headers) &&', '!hasTags(request.headers) &&'],
    ['!bodies.has(name) && !hasTags(request.headers) &&', '!bodies.has(name) &&'],
    ['if (length > largestHeld) return null;', ''],
    ["'Cache-Control': 'no-cache',", "'Cache-Control': 'max-age=60',"],
    ['if (length <= largestHeld) areFew();', ''],
    ['body.text.length < smallestCompressed ? null : accepted', 'accepted'],
    ['`${String(vary)}, Accept-Encoding`', "'Accept-Encoding'"],
  ],
  'api/src/cache/state.ts': [
    ['pins: `${run} ${snapshot}`', "pins: `${run} ${snapshot.split(':')[0]}`"],
    ['animals: `${run} ${revisions.animals}`', 'animals: `${revisions.animals}`'],
    ['survey: `${run} ${revisions.survey}`', 'survey: `${run} ${revisions.animals}`'],
    [
      "`pg_postmaster_start_time() || ' ' || pg_stat_get_bgwriter_stat_reset_time()`",
      "'pg_stat_get_bgwriter_stat_reset_time()::text'",
    ],
    ["`${run} || ' ' || pg_current_snapshot()`", 'run'],
  ],
  'api/src/cache/bodies.ts': [
    ['if (total <= most) break;', ''],
    ['place.state === wanted.state && place.body', 'place.body'],
    ['const state = newest();\n      empty(place);', 'const state = newest();'],
    ['if (places.get(name) !== place) return;', ''],
    ['release(name);\n        throw error;', 'throw error;'],
  ],
  'api/src/cache/shared.ts': [
    ['next ??= underway.then(begin);\n    return next;', 'return underway as Promise<Result>;'],
  ],
  'api/src/metrics/metrics.ts': [
    [
      "if (request.url !== '/metrics') return listener(request, response);",
      "if (!request.url?.startsWith('/metrics')) return listener(request, response);",
    ],
    ['resolve(cause === null ? 1 : 0)', 'resolve(1)'],
    ['(await disk.trouble()) === null ? 1 : 0', '1'],
  ],
  'api/src/metrics/requests.ts': [
    ['- (this[begun] ?? 0)) / 1_000', '- (this[begun] ?? 0))'],
    ["this.writableFinished ? this.statusCode : 'aborted'", 'this.statusCode'],
    ['underway--;', ''],
    ['seconds <= bound', 'seconds < bound / 2'],
  ],
  'api/src/metrics/gather.ts': [
    ['text === null ? 0 : 1', '1'],
    ['if (response.statusCode === 200) text(response)', 'if (response.statusCode) text(response)'],
    ['signal: AbortSignal.timeout(patience)', 'signal: AbortSignal.timeout(100 * patience)'],
  ],
  'api/src/serve/serve.ts': [
    ['supervisor.stopping();\n', ''],
    [
      'const own = metrics.telling(detailedReadiness(app, readiness, disk));',
      'const own = detailedReadiness(app, readiness, disk);',
    ],
    ['const app = metrics.counting(api);', 'const app = metrics.telling(metrics.counting(api));'],
    ['supervisor.ready();\n', ''],
  ],
  'api/src/serve/stop.ts': [
    ["if (stopping) response.setHeader('Connection', 'close');", ''],
    [
      'const idle = setInterval(() => server.closeIdleConnections(), sweep);',
      'const idle = setInterval(() => undefined, sweep);',
    ],
    ['net.Server.prototype.close.call(server);', 'server.closeAllConnections();\n    server.close();'],
  ],
  'api/src/serve/systemd.ts': [
    ["env['LISTEN_PID'] !== String(process.pid) || ", ''],
    ['watchdog / 2', 'watchdog * 2'],
    ['/ 1_000 : 0;', ': 0;'],
    ["stopping: () => tell('STOPPING=1')", 'stopping: () => undefined'],
  ],
  'api/src/serve/parser-errors.ts': [
    ['HPE_HEADER_OVERFLOW: [431', 'HPE_HEADER_OVERFLOW: [400'],
    ['if (!socket.writable || isAnswering) socket.destroy();', 'if (!socket.writable) socket.destroy();'],
  ],
  'api/src/health/readiness.ts': [
    ['if (state.recovering) return', 'if (state.recovering === null) return'],
    ['if (state.reading) return', 'if (state.reading === null) return'],
    ['|| cause === known) return cause;', ') return cause;'],
    ['if (known === null) void check().then(', 'void check().then('],
    ['return step ? null :', 'return true ? null :'],
  ],
  'api/src/health/routes.ts': [
    ['if (cause !== null) throw unavailable(cause);', ''],
    ["if (request.url !== '/readyz') return listener(request, response);\n", ''],
  ],
  'api/src/http/errors.ts': [
    ["'23505': [409, 'This already exists.']", "'23505': [500, 'This already exists.']"],
    ['createError.isHttpError(error) && error.expose', 'createError.isHttpError(error)'],
    [
      "throw (error as { code?: unknown }).code === '23505' ? conflict(message) : error;",
      'throw conflict(message);',
    ],
  ],
  'api/src/log.ts': [['return { cause: error.message,', 'return { ...error, cause: error.message,']],
  'api/src/geocoder/geocoder.ts': [
    ['const coastKm = 1.5;', 'const coastKm = 0.2;'],
    ['const coastKm = 1.5;', 'const coastKm = 6;'],
    ['const cityKm = 50;', 'const cityKm = 5;'],
    ['const longitude = wrapped(degreesEast);', 'const longitude = degreesEast;'],
    ['countryOf[state] === country) return state;', 'country) return state;'],
    ['return regionOf[place] === region || regionOf[place] === country;', 'return true;'],
    ['longitude >= -180 && longitude < 180', 'longitude >= -180 && longitude <= 180'],
    ['if (shores.length > 0 && !isLake) return true;', 'if (shores.length > 0) return true;'],
  ],
  'api/src/geocoder/nearby.ts': [
    ['if (longitude - dx < -180) return [0, 360];', ''],
    ['if (longitude + dx > 180) return [0, -360];', ''],
    ['Math.cos((furthest * Math.PI) / 180)', 'Math.cos((latitude * Math.PI) / 180)'],
    ['const useful = Math.min(maxKm, (least * reach) / 1000);', 'const useful = Math.min(maxKm, least);'],
    ['proportion < least && filter(first + item)', 'proportion < least'],
  ],
  'api/src/geocoder/outlines.ts': [
    ['if (!inside.delete(ring.region)) inside.add(ring.region);', 'inside.add(ring.region);'],
    ['if (fromY > pointY === toY > pointY) continue;', 'if (fromY >= pointY === toY > pointY) continue;'],
    ['Math.max(0, Math.min(1, -(fromX', 'Math.max(0, Math.min(9, -(fromX'],
  ],
  'api/src/http/request-id.ts': [
    ['{1,64}$/', '{1,64}/'],
    ['isGood ? given : randomUUID()', 'randomUUID()'],
  ],
  'api/src/http/failure.ts': [
    ['if (status === 503) suspect(error);', ''],
    ["if (status === 503) response.setHeader('Retry-After', '1');", ''],
    ["if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer');", ''],
  ],
  'api/src/http/idempotency.ts': [
    ['key: digest([call, key])', 'key: digest([key])'],
    ['.max(255)', '.max(2550)'],
  ],
  'api/src/http/session-cookie.ts': [["'__Host-session'", "'session'"]],
  'api/src/http/mount.ts': [['work(route.makeStore(transaction))', 'work((void transaction, pooled))']],
  'api/src/database/claim.ts': [['if (kept !== request)', 'if (kept === undefined)']],
  'api/src/addresses/remote.ts': [
    ['{ cause: error.message });', '{ cause: error.message, address });'],
    ['({ lat, long: lon, name: display_name })', '({ lat: lon, long: lat, name: display_name })'],
    ['seconds: 5, bytes', 'seconds: 500, bytes'],
  ],
  'api/src/addresses/gazetteer.ts': [
    ['const sameKm = 30;', 'const sameKm = 300;'],
    ['else if (others.length > 0) throw ambiguous([...others, ...narrow]);', ''],
    ['return isLargest(inStates, found) ? inStates : found;', 'return found;'],
  ],
  'api/src/addresses/countries.ts': [
    ['!codes.some((other) => territories[other]?.includes(code))', 'code !== undefined'],
  ],
  'api/src/addresses/parts.ts': [[".replace(/(\\p{L}) \\d{1,2}\\s*$/u, '$1')", '']],
  'api/src/animals/routes.ts': [
    ['if (!(await store.remove(params.id))) throw notFound(noAnimal);', 'await store.remove(params.id);'],
    ['.catch(onDuplicate(taken))', ''],
    ['animal_images === undefined ? undefined : picture', 'picture'],
  ],
  'api/src/animals/store.ts': [
    ['await removeUnused(transaction, before.picture_id);', ''],
    ['if (removed) await removeUnused(transaction, removed.picture_id);', ''],
  ],
  'api/src/app.ts': [
    ['app.use(refuseOtherSites);\n', ''],
    ['app.use(normalizePath);\n', ''],
    ['app.use(unknownPreflight);\n', ''],
    ['openapi(routes, version)', "openapi(routes, '1.0.0')"],
  ],
  'api/src/cache/encoding.ts': [
    [') ?? 0) > weightOf(best)', ') ?? 0) >= weightOf(best)'],
    ["weights.get(encoding) ?? weights.get('*') ?? 0", 'weights.get(encoding) ?? 0'],
  ],
  'api/src/cache/static-file.ts': [
    ['if (made.size === mostBases) made.clear();', ''],
    ['if (isUnchanged(request.headers, body.state)) return unchanged(response, body.state);', ''],
  ],
  'api/src/cities/look-up.ts': [
    ["replaceAll('{city}', encodeURIComponent(city))", "replaceAll('{city}', city)"],
    ['if (/^\\.+$/.test(city)) return null;', ''],
    ['{ cause: error.message });', '{ cause: error.message, city });'],
  ],
  'api/src/cities/store.ts': [
    ["is null and city_picture.looked_up_at < now() - interval '1 hour'", 'is null'],
    ['where exists (select from pin where city = ?)', 'where ?::text is not null'],
    ['looked_up_at desc offset ?', 'looked_up_at offset ?'],
    ['if (rows.length > 0) await makeRoom(db);', ''],
  ],
  'api/src/cities/routes.ts': [
    ['(await disk.trouble()) !== null || ', ''],
    ['max-age=600', 'max-age=604800'],
  ],
  'api/src/collections/bbox.ts': [
    ['longitude === 180 ? 180 : wrapped(longitude)', 'wrapped(longitude)'],
    ['index % 3 !== 2', 'index % 3 !== 1'],
    ['...range(first, 180)', '...range(first, 179)'],
    ['Math.floor(east)]', 'Math.floor(east) - 1]'],
  ],
  'api/src/collections/datetime.ts': [
    ['? 86_400_000 : 1', '? 86_400_001 : 1'],
    ['? 86_400_000 : 1', '? 86_400_000 : 1_000'],
  ],
  'api/src/collections/grid.ts': [
    ['longitude < :east', 'longitude <= :east'],
    ['const mostCells = 4_096;', 'const mostCells = 40_960;'],
  ],
  'api/src/collections/sort.ts': [["text.startsWith('-')", "text.startsWith('+')"]],
  'api/src/commands.ts': [
    [
      'await demandRoom(disk);\n  const database = await openForCommand(place);',
      'const database = await openForCommand(place);',
    ],
    [
      'await demandRoom(disk);\n  const database = await openDatabase(place);',
      'const database = await openDatabase(place);',
    ],
    ["await pictureOf(shippedPicture('sea-lion.png'));\n", ''],
  ],
  'api/src/config.ts': [
    ["protocol === 'http:' && hostname === '127.0.0.1'", "protocol === 'http:'"],
    [".with('GEOCODER_KEY', 'GEOCODER_URL')\n", '\n'],
  ],
  'api/src/csv/read.ts': [
    ['if (open) throw neverClosed(open.line);', ''],
    ["values.slice(width).some((value) => value.trim() !== '')", 'values.length > width'],
  ],
  'api/src/csv/write.ts': [
    ['bom: isFirst', 'bom: false'],
    [`.replace(/^(?=[\\t\\r])/, "'")`, ''],
  ],
  'api/src/database/batched.ts': [['waiting.splice(0, most)', 'waiting.splice(0)']],
  'api/src/database/embedded.ts': [
    ['if (existsSync(unfinished)) rmSync(data, { recursive: true, force: true });', ''],
    ['database.close().finally(unlock)', 'database.close()'],
    ['await demandRoom(disk);\n', ''],
  ],
  'api/src/docs/docs.ts': [
    ['servers: [{ url: base }]', "servers: [{ url: '/' }]"],
    ["{ 'Content-Security-Policy': policy }", '{}'],
  ],
  'api/src/docs/page.ts': [['  validatorUrl: null,\n', '']],
  'api/src/http/accept.ts': [['Number(weight.slice(2)) || 0', 'Number(weight.slice(2)) || 1']],
  'api/src/http/conditions.ts': [["!tag.startsWith('W/') && ", '']],
  'api/src/http/cors.ts': [
    ["if (!any) response.setHeader('Vary', 'Origin');", ''],
    ['Retry-After, X-Request-Id', 'Retry-After'],
  ],
  'api/src/http/json-body.ts': [
    ['inflate: false', 'inflate: true'],
    ["if (!isUtf8(bytes)) throw badRequest('The body is not valid UTF-8.');", ''],
  ],
  'api/src/http/output.ts': [
    ["if (access === 'staff') response.setHeader('Cache-Control', 'no-store');", ''],
  ],
  'api/src/http/outside.ts': [
    ['at.origin !== url.origin', 'at.protocol !== url.protocol'],
    ['if (length > most)', 'if (chunk.length > most)'],
  ],
  'api/src/http/reply.ts': [
    ['await iterator.return?.();\n', ''],
    ['source.destroy();\n', ''],
  ],
  'api/src/import/command.ts': [['await demandRoom(disk);\n', '']],
  'api/src/import/import.ts': [
    ['await transaction.raw(`select pg_advisory_xact_lock(${lockKey})`);', ''],
    ["orderBy('id').pluck('id')", "orderBy('text').pluck('id')"],
  ],
  'api/src/import/fields.ts': [
    ["zone = 'Z'", "zone = ''"],
    ["Number(field.replace(',', '.'))", 'parseFloat(field)'],
  ],
  'api/src/import/options.ts': [['Number(number) < 1 || ', '']],
  'api/src/import/picture.ts': [
    ['if (!isWithin(await realpath(folder), file)) throw new BadField(outside(path));', ''],
  ],
  'api/src/import/pins.ts': [
    ['where nth > coalesce(stored, 0)', 'where stored is null'],
    [
      'if (problems.length === 0) await stage(db, batch);',
      'if (batch.length === batchSize) await stage(db, batch);',
    ],
  ],
  'api/src/mail/mailer.ts': [
    ['requireTLS: !/', 'requireTLS: /'],
    ['...(!responseCode && { cause: message })', 'cause: message'],
    ['responseCode >= 500', 'responseCode >= 400'],
    ["secure: protocol === 'smtps:'", 'secure: false'],
  ],
  'api/src/pictures/isolated.ts': [
    ["env: { MALLOC_ARENA_MAX: '2' },\n", ''],
    ['ulimit -t ${mostSeconds} && ', ''],
    ['} finally {\n    child.kill();\n  }', '} finally {\n  }'],
  ],
  'api/src/pictures/child.ts': [["oom_score_adj', '1000'", "oom_score_adj', '0'"]],
  'api/src/pictures/make.ts': [
    ['.autoOrient()\n', '\n'],
    [".flatten({ background: '#ffffff' })\n", '\n'],
  ],
  'api/src/pictures/pictures.ts': [
    ['.finally(() => void uploads--)', ''],
    ['last = mine.catch(() => undefined);', 'last = mine;'],
    ['uploads === mostUploads', 'uploads > mostUploads'],
  ],
  'api/src/pictures/store.ts': [
    [
      ".whereNotExists((other) => void other.from('city_picture').whereRaw('picture_id = picture.id'))\n",
      '\n',
    ],
  ],
  'api/src/pictures/routes.ts': [
    ["const askEachTime = 'no-cache';", "const askEachTime = 'public, max-age=31536000, immutable';"],
    ["width ?? 'whole', ", ''],
  ],
  'api/src/pictures/complete.ts': [
    ["await transaction('city_picture').where({ picture_id: id }).update({ picture_id });\n", '\n'],
  ],
  'api/src/pins/command.ts': [
    ["change.replace(/\\p{Cc}/gu, '?')", 'change'],
    ['if (!order.isTrial) await demandRoom(disk);', ''],
  ],
  'api/src/pins/rename.ts': [
    ['and pin.latitude = new.latitude and pin.longitude = new.longitude', ''],
    ['and not exists (${correction})', ''],
  ],
  'api/src/reports/routes.ts': [['stores: false,\n', '']],
  'api/src/serve/listen.ts': [['const backlog = 4096;', 'const backlog = 511;']],
  'api/src/serve/metrics-command.ts': [
    ['timer.refresh();\n', ''],
    ["'text/plain; version=0.0.4; charset=utf-8'", "'text/plain'"],
  ],
  'api/src/staff/command.ts': [['if (fixed.has(email)) {', 'if (fixed.has(email) && !removed) {']],
};
