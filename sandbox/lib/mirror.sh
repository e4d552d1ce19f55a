# shellcheck shell=bash
# A mirror of nodejs.org: serves the Node that npm installed, in the layout of the official archive. Listens only on the bridge.

MIRROR=$CACHE/node
MIRROR_PORT=8026

mirror_pack() {
  local package=$1 name=$2 folder=$3 work=$CACHE/.packing
  rm -rf "$work"
  mkdir -p "$work/$name/bin" "$folder"
  cp "$package/bin/node" "$work/$name/bin/"
  cp "$package/LICENSE" "$package/README.md" "$work/$name/"
  tar -C "$work" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c "$name" | xz -1 -T0 >"$work/archive"
  # The inventory reads the checksum from this file, because other versions of xz produce different bytes.
  printf '{"%s": "%s"}\n' "${name##*-}" "$(sha256sum "$work/archive" | cut -d ' ' -f 1)" >"$folder/checksums.json"
  mv "$work/archive" "$folder/$name.tar.xz"
  rm -rf "$work"
}

mirror_up() {
  local machine package version name
  case $(uname -m) in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) die "Node is available for x86_64 and aarch64, but this host is $(uname -m)." ;;
  esac
  package=$REPOSITORY/node_modules/node-linux-$machine
  version=$(sed -nE 's/^ *"version": "([^"]+)".*/\1/p' "$package/package.json")
  name=node-v$version-linux-$machine
  if [[ ! -e $MIRROR/v$version/$name.tar.xz ]]; then
    need_space "$CACHE" 300 "the archive of Node"
    step "Pack Node $version for the machines" mirror_pack "$package" "$name" "$MIRROR/v$version"
  fi
  ! running "$STATE/mirror.pid" "$MIRROR" || return 0
  serve "$HOST_ADDRESS" "$MIRROR_PORT" "$STATE/mirror.pid" "$MIRROR" \
    python3 -m http.server --bind "$HOST_ADDRESS" --directory "$MIRROR" "$MIRROR_PORT"
}

mirror_down() { stop_process "$STATE/mirror.pid" "$MIRROR"; }
