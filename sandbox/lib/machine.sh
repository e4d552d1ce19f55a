# shellcheck shell=bash
# One machine: a folder with its files, its key, its address, and the processes that run it.

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
  # The last line is what public DNS says of a real machine.
  printf '%s\n' '127.0.0.1 localhost' "127.0.1.1 $NAME" '::1 localhost' "$address $DOMAIN" >"$root/etc/hosts"
  # A stub resolver on the host's own loopback does not answer in there.
  cat /run/systemd/resolve/resolv.conf >"$root/etc/resolv.conf" 2>/dev/null || cat /etc/resolv.conf >"$root/etc/resolv.conf"
  printf '%s\n' '[Match]' 'Name=host0' '[Network]' "Address=$address/24" "Gateway=$HOST_ADDRESS" >"$root/etc/systemd/network/10-host0.network"
}

# What lets the host reach the package registries lets the machine.
machine_trust() {
  local root=$FOLDER/root
  cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
  chroot "$root" update-ca-certificates
  [[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$root/etc/pip.conf"
}

# As on a cloud's image: keys alone, root and a user with sudo.
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

# Its address is taken before anything else is made.
machine_reserve() {
  image_ensure
  need_space "$STATE" 3000 "the machine"
  rm -rf "$FOLDER"
  mkdir -m 700 "$FOLDER"
  network_free_address >"$FOLDER/address"
}

machine_boot() {
  local unit=()
  # Where the host runs systemd, it hands out the control group.
  [[ ! -d /run/systemd/system ]] || unit=(systemd-run --quiet --collect --pipe --wait "--unit=map-app-sandbox-$NAME" --property=Delegate=yes)
  background "$FOLDER/supervise.pid" "$FOLDER/console.log" "${unit[@]}" "$HERE/supervise" "$NAME" "$FOLDER" "$BRIDGE"
  machine_wait
}

machine_wait() {
  local until=$((SECONDS + 60))
  while ((SECONDS < until)); do
    sleep 0.2
    ! machine_ssh -o BatchMode=yes true 2>/dev/null || return 0
    machine_runs || break
  done
  tail -n 20 "$FOLDER/console.log"
  return 1
}

machine_shared() {
  network_up
  mirror_ensure
}

# Makes the machine unless it is there, boots it unless it runs.
machine_up() {
  machine_exists || alone machine_reserve
  alone machine_shared
  machine_exists || step "Make the machine $NAME (Debian $SUITE)" machine_files
  machine_runs && return
  machine_stop
  step "Boot it" machine_boot
}

# Ends all that runs in there at once; then nspawn cleans up after it, and the supervisor ends with it.
machine_stop() {
  local process
  for process in /proc/[0-9]*; do
    [[ ! $process/root -ef $FOLDER/root ]] || kill -KILL "${process#/proc/}" 2>/dev/null || true
  done
  end "$FOLDER/supervise.pid" "$FOLDER"
  find /sys/fs/cgroup -depth -type d -path "*/map-app-sandbox-$NAME*" -exec rmdir {} + 2>/dev/null || true
}

machine_remove() {
  machine_stop
  pebble_stop
  rm -rf "$FOLDER" "$STATE/$NAME.lock"
  ! compgen -G "$STATE/*/address" >/dev/null || return 0
  mirror_stop
  network_down
  rm -rf "$STATE"
}
