# shellcheck shell=bash
# Sentences, steps, locks and processes, used by every other file here.

die() {
  printf 'sandbox: %s\n' "$*" >&2
  exit 1
}

# npm_run SCRIPT: prints the command that runs an npm script for this sandbox, even if it is not the default one.
npm_run() {
  local prefix=
  [[ $NAME == map-app ]] || prefix="SANDBOX=$NAME "
  printf '%snpm run %s' "$prefix" "$1"
}

# step TEXT COMMAND...: runs a long command by itself; shows its output only when it fails, and then ends.
step() {
  local text=$1 log started=$SECONDS status
  shift
  log=$(mktemp)
  printf '%s ... ' "$text"
  set +e
  # Without the locks: this process keeps them, and apt's hooks know descriptors of one digit alone.
  (
    set -e
    "$@"
  ) >"$log" 2>&1 </dev/null 8>&- 9>&-
  status=$?
  set -e
  if ((status == 0)); then
    printf '%d s\n' "$((SECONDS - started))"
    rm -f "$log"
    return
  fi
  printf 'failed after %d s:\n' "$((SECONDS - started))"
  tail -n 20 "$log" >&2
  rm -f "$log"
  exit 1
}

# Not below STATE, which the last 'down' removes while another command may just begin. The files are never removed, and gone with a reboot.
LOCKS=/run/lock/map-app-sandbox

# hold: takes the lock on the machine until this process ends, or says who has it.
hold() {
  local file=$LOCKS/$NAME
  mkdir -p "$LOCKS"
  exec 9>>"$file"
  flock --nonblock 9 ||
    die "another command is at work on the machine $NAME ($(cat "$file")). Wait for it or end it, or use a machine of another name: SANDBOX=<name>."
  printf 'process %s, since %s\n' "$$" "$(date +%T)" >"$file"
}

# alone COMMAND...: runs a command while no other sandbox command touches what the machines share (image, bridge, mirror).
alone() {
  exec 8>>"$LOCKS/.shared"
  flock 8
  mkdir -p "$STATE"
  "$@"
  exec 8>&-
}

# background PIDFILE LOG COMMAND...: starts a process that outlives this one; the locks are not handed to it.
background() {
  local pidfile=$1 log=$2 pid
  shift 2
  setsid "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
  pid=$!
  echo "$pid" >"$pidfile"
  # On a busy host it is still a copy of this process for a while, and would not be known for ours.
  while cmp --silent "/proc/$pid/cmdline" "/proc/$$/cmdline" 2>/dev/null; do sleep 0.05; done
}

# running PIDFILE TEXT: that process lives and is ours (its command line holds TEXT), not a stranger who got its number.
running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid && $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$2"* ]]
}

# end PIDFILE TEXT: ends that process and waits until it is gone.
end() {
  local _
  ! running "$1" "$2" || kill "$(cat "$1")"
  for _ in {1..50}; do
    running "$1" "$2" || break
    sleep 0.1
  done
  ! running "$1" "$2" || kill -KILL "$(cat "$1")"
  rm -f "$1"
}

# need_space FOLDER MEGABYTES PURPOSE
need_space() {
  local available
  mkdir -p "$1"
  available=$(df --output=avail --block-size=1M "$1" | tail -n 1 | tr -d ' ')
  ((available >= $2)) ||
    die "no room for $3: $1 needs $2 MB and has $available MB. Free some; 'sandbox/sandbox down --cache' removes the cached images."
}

answers() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# serve ADDRESS PORT PIDFILE TEXT COMMAND...: starts a server in the background and waits until it answers there.
serve() {
  local address=$1 port=$2 pidfile=$3 text=$4 _
  shift 4
  ! answers "$address" "$port" || die "port $port of this host is taken by another program: end it ('ss -tlnp sport = :$port' names it) and try again."
  background "$pidfile" "${pidfile%.pid}.log" "$@"
  for _ in {1..100}; do
    ! answers "$address" "$port" || return 0
    sleep 0.1
    running "$pidfile" "$text" || break
  done
  die "$1 did not start on port $port: $(tail -n 1 "${pidfile%.pid}.log")"
}
