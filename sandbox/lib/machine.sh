# shellcheck shell=bash
# One machine: a folder with its files, its ssh key, its address and its processes.

machine_exists() { [[ -e $FOLDER/made ]]; }
machine_runs() { running "$FOLDER/supervise.pid" "$FOLDER"; }

machine_ssh() {
  ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=5 \
    -i "$FOLDER/key" "root@$(cat "$FOLDER/address")" "$@"
}

machine_network() {
  local root=$FOLDER/root address
  address=$(cat "$FOLDER/address")
  echo "$NAME" >"$root/etc/hostname"
  # The last line stands in for the public DNS record.
  printf '%s\n' '127.0.0.1 localhost' "127.0.1.1 $NAME" '::1 localhost' "$address $DOMAIN" >"$root/etc/hosts"
  # The machine cannot reach a stub resolver on the host's loopback address, so it gets the upstream resolvers.
  cat /run/systemd/resolve/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || cat /etc/resolv.conf >"$root/etc/resolv.conf"
  printf '%s\n' '[Match]' 'Name=host0' '[Network]' "Address=$address/24" "Gateway=$HOST_ADDRESS" >"$root/etc/systemd/network/10-host0.network"
}

# Gives the machine the host's CA certificates and pip configuration, so that it can reach the package registries.
machine_trust() {
  local root=$FOLDER/root
  cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
  chroot "$root" update-ca-certificates
  [[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$root/etc/pip.conf"
}

# As on a cloud image: root and a user with sudo, both with key authentication only.
machine_users() {
  local root=$FOLDER/root
  chroot "$root" ssh-keygen -A
  ssh-keygen -q -t ed25519 -N '' -C "sandbox $NAME" -f "$FOLDER/key"
  chroot "$root" useradd --gid operator --create-home --shell /bin/bash operator
  echo 'operator ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/operator"
  install -D -m 600 "$FOLDER/key.pub" "$root/root/.ssh/authorized_keys"
  install -D -m 600 "$FOLDER/key.pub" "$root/home/operator/.ssh/authorized_keys"
  chroot "$root" chown -R operator: /home/operator/.ssh
}

machine_files() {
  mkdir "$FOLDER/root"
  tar -C "$FOLDER/root" --numeric-owner --xattrs --xattrs-include='*' -xf "$(image_path)"
  machine_network
  machine_trust
  machine_users
  echo "$SUITE" >"$FOLDER/suite"
  touch "$FOLDER/made"
}

# Reserves the address first, so that no other machine gets it.
machine_reserve() {
  image_ensure
  need_space "$STATE" 2500 "the machine"
  rm -rf "$FOLDER"
  mkdir -m 700 "$FOLDER"
  network_free_address >"$FOLDER/address"
}

# The root of a copy is an overlay on the files of its source: creating it takes no time and no space.
machine_mount() {
  [[ -e $FOLDER/source ]] || return 0
  ! mountpoint --quiet "$FOLDER/root" || return 0
  # redirect_dir: without it, a folder of the source cannot be renamed.
  mount -t overlay "sandbox-$NAME" "$FOLDER/root" \
    -o "lowerdir=$(cat "$FOLDER/source")/root,upperdir=$FOLDER/changes,workdir=$FOLDER/work,redirect_dir=on"
}

machine_unmount() { ! mountpoint --quiet "$FOLDER/root" || umount "$FOLDER/root"; }

# machine_copy_files FOLDER: like machine_files, but from the machine in FOLDER, with its keys and secrets.
machine_copy_files() {
  local source=$1
  mkdir "$FOLDER/root" "$FOLDER/changes" "$FOLDER/work"
  find "$source" -maxdepth 1 -type f ! -name address ! -name made ! -name '*.pid' ! -name '*.log' -exec cp --preserve=mode -t "$FOLDER" {} +
  echo "$source" >"$FOLDER/source"
  machine_mount
  machine_network
  touch "$FOLDER/made"
}

# Starts the shared resources, then reserves the machine's folder and address. A failure leaves nothing behind.
machine_prepare() {
  trap shared_remove_unused EXIT
  network_up
  mirror_up
  machine_exists || machine_reserve
  trap - EXIT
}

machine_boot() {
  local unit=()
  machine_mount
  # If the host runs systemd, systemd must create the control group.
  [[ ! -d /run/systemd/system ]] || unit=(systemd-run --quiet --collect --pipe --wait "--unit=map-app-sandbox-$NAME" --property=Delegate=yes)
  background "$FOLDER/supervise.pid" "$FOLDER/console.log" "${unit[@]}" "$HERE/supervise" "$NAME" "$FOLDER" "$BRIDGE"
  machine_wait
}

machine_wait() {
  local until=$((SECONDS + 60))
  while ((SECONDS < until)) && machine_runs; do
    sleep 0.2
    ! machine_ssh -o BatchMode=yes true 2>/dev/null || return 0
  done
  tail -n 20 "$FOLDER/console.log"
  return 1
}

# Creates the machine if it does not exist, and boots it if it is not running.
machine_up() {
  if machine_exists; then
    [[ -z $SUITE_WANTED || $SUITE == $(cat "$FOLDER/suite") ]] ||
      die "the machine $NAME is Debian $(cat "$FOLDER/suite"), not $SUITE. Remove it first (sandbox/sandbox down), or use another name: SANDBOX=<name>."
  fi
  with_host_lock machine_prepare
  machine_exists || step "Create the machine $NAME (Debian $SUITE)" machine_files
  machine_runs && return
  machine_need_no_copies
  machine_stop
  step "Boot $NAME" machine_boot
}

# machine_copy SOURCE: creates the machine as a copy of another one, which must be stopped, and boots it.
machine_copy() {
  local source=$STATE/$1
  [[ -e $source/made ]] || die "there is no machine $1 to copy."
  ! running "$source/supervise.pid" "$source" || die "the machine $1 is running. Stop it first: SANDBOX=$1 sandbox/sandbox stop."
  ! machine_exists || die "the machine $NAME exists already. Remove it first: SANDBOX=$NAME sandbox/sandbox down."
  with_host_lock machine_prepare
  step "Create the machine $NAME as a copy of $1" machine_copy_files "$source"
  step "Boot $NAME" machine_boot
}

# The files of a machine must not change while others are copies of it.
machine_need_no_copies() {
  local source copies=
  for source in "$STATE"/*/source; do
    [[ ! -e $source || $(cat "$source") != "$FOLDER" ]] || copies+=" $(basename "$(dirname "$source")")"
  done
  [[ -z $copies ]] || die "the machine $NAME has copies, which use its files:$copies. Remove them first (sandbox/sandbox down)."
}

# Shuts the machine down and keeps its files.
machine_shut_down() {
  local until=$((SECONDS + 60))
  machine_ssh systemctl poweroff || true
  while ((SECONDS < until)); do
    machine_runs || return 0
    sleep 0.2
  done
  tail -n 20 "$FOLDER/console.log"
  return 1
}

machine_boot_id() { machine_ssh -o BatchMode=yes cat /proc/sys/kernel/random/boot_id 2>/dev/null; }

machine_reboot() {
  local before after until=$((SECONDS + 120))
  before=$(machine_boot_id)
  machine_ssh systemctl reboot || true
  while ((SECONDS < until)); do
    sleep 0.2
    after=$(machine_boot_id) || continue
    [[ $after == "$before" ]] || return 0
  done
  tail -n 20 "$FOLDER/console.log"
  return 1
}

# Kills all processes of the machine. nspawn then cleans up and exits, and the supervisor exits with it.
machine_stop() {
  local process _
  for _ in {1..25}; do
    for process in /proc/[0-9]*; do
      [[ ! $process/root -ef $FOLDER/root ]] || kill -KILL "${process#/proc/}" 2>/dev/null || true
    done
    machine_runs || break
    sleep 0.2
  done
  stop_process "$FOLDER/supervise.pid" "$FOLDER"
  find /sys/fs/cgroup -depth -type d -path "*/map-app-sandbox-$NAME*" -exec rmdir {} + 2>/dev/null || true
}

machine_remove() {
  if [[ -e $FOLDER ]]; then
    machine_need_no_copies
    machine_stop
    machine_unmount
    pebble_stop
    # Left by nspawn when it is killed.
    rm -rf "/run/systemd/nspawn/propagate/$NAME" "/run/systemd/nspawn/locks/inode-$(stat --format %d:%i "$FOLDER/root" 2>/dev/null)"
    rm -rf "$FOLDER"
    echo "Removed the machine $NAME. The image is kept in $CACHE (sandbox/sandbox down --cache removes it)."
  else
    echo "There is no machine $NAME."
  fi
  shared_remove_unused
}

# Removes the shared resources when no machine is left.
shared_remove_unused() {
  ! compgen -G "$STATE/*/address" >/dev/null || return 0
  mirror_down
  network_down
  rm -rf "$STATE"
}

machine_list() {
  local made
  compgen -G "$STATE/*/made" >/dev/null || echo "There are no machines."
  for made in "$STATE"/*/made; do
    [[ ! -e $made ]] || (cd "${made%/made}" && printf '%-20s %-10s %s\n' "${PWD##*/}" "$(cat suite)" "$(cat address)")
  done
}
