# shellcheck shell=bash
# Messages, steps, locks and processes, used by all other files here.

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

# step TEXT COMMAND...: runs a long command. If it fails, prints its output and exits.
step() {
  local text=$1 log started=$SECONDS status
  shift
  log=$(mktemp)
  printf '%s ... ' "$text"
  set +e
  # Closes the file descriptors of the locks: this process holds the locks, and the descriptors confuse apt's hooks.
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

# Not below STATE, because the last 'down' removes STATE while another command may be starting. The lock files disappear at the next reboot.
LOCKS=/run/lock/map-app-sandbox

# lock_machine: takes the machine's lock until this process exits. Fails with a message if another process holds it.
lock_machine() {
  local file=$LOCKS/$NAME
  mkdir -p "$LOCKS"
  exec 9>>"$file"
  flock --nonblock 9 ||
    die "another command is using the machine $NAME ($(cat "$file")). Wait for it, or use a machine with another name: SANDBOX=<name>."
  printf 'process %s, since %s\n' "$$" "$(date +%T)" >"$file"
}

# with_host_lock COMMAND...: runs a command with an exclusive lock on the resources that all machines share (image, bridge, mirror).
with_host_lock() {
  exec 8>>"$LOCKS/.shared"
  flock 8
  mkdir -p "$STATE"
  "$@"
  exec 8>&-
}

# background PIDFILE LOG COMMAND...: starts a process that outlives this one and does not inherit the locks.
background() {
  local pidfile=$1 log=$2 pid
  shift 2
  setsid "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
  pid=$!
  echo "$pid" >"$pidfile"
  # Waits for the exec: until then, the command line is that of this shell, and running() would not recognize the process.
  while cmp --silent "/proc/$pid/cmdline" "/proc/$$/cmdline" 2>/dev/null; do sleep 0.05; done
}

# running PIDFILE TEXT: whether the process is running. Checks that its command line contains TEXT, because process ids are reused.
running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid && $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$2"* ]]
}

# stop_process PIDFILE TEXT: stops the process and waits until it has exited.
stop_process() {
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
    die "not enough disk space for $3: $1 has $available MB, but $2 MB are needed. Free some space; 'sandbox/sandbox down --cache' removes the cached images."
}

is_listening() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# serve ADDRESS PORT PIDFILE TEXT COMMAND...: starts a server in the background and waits until it accepts connections.
serve() {
  local address=$1 port=$2 pidfile=$3 text=$4 _
  shift 4
  ! is_listening "$address" "$port" || die "another program uses port $port of this host. Find it with 'ss -tlnp sport = :$port', stop it and try again."
  background "$pidfile" "${pidfile%.pid}.log" "$@"
  for _ in {1..100}; do
    ! is_listening "$address" "$port" || return 0
    sleep 0.1
    running "$pidfile" "$text" || break
  done
  die "$1 did not start on port $port: $(tail -n 1 "${pidfile%.pid}.log")"
}
