-- Varying requests and result format of wrk. Arguments: "bodies" or "paths", and a file with one per line, to send in turn (optional).
local kind, lines = nil, {}
local turn

function init(arguments)
  kind = arguments[1]
  if not kind then return end
  for line in io.lines(arguments[2]) do lines[#lines + 1] = line end
  -- Begins anywhere, so that a run does not repeat the requests of the previous one.
  math.randomseed(os.time())
  turn = math.random(#lines)
  if kind == "bodies" then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
  end
end

function request()
  if not kind then return wrk.format() end
  turn = turn % #lines + 1
  if kind == "bodies" then return wrk.format(nil, nil, nil, lines[turn]) end
  return wrk.format(nil, lines[turn])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %f, "p99": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
