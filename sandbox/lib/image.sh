# shellcheck shell=bash
# The image: a minimal Debian, similar to a cloud image, built once for each suite and cached.

# The packages of cloud images, which site.yml can rely on. It installs all others itself.
PACKAGES=systemd,systemd-sysv,dbus,libpam-systemd,python3,python3-apt,openssh-server,sudo,ca-certificates,iproute2,procps,tzdata,apt
# Older package lists name packages that the archive no longer has.
IMAGE_DAYS=7

# The name contains a hash of the build instructions, so that a change of them causes a new build.
image_path() {
  printf '%s/%s-%s.tar\n' "$CACHE" "$SUITE" "$( (declare -f image_build && image_sources && image_apt_options && echo "$PACKAGES") | sha256sum | cut -c1-12)"
}

# Prints the host's apt sources for Debian with the suite replaced. Prints nothing on other hosts; mmdebstrap then uses its default mirror.
image_sources() {
  local host_suite
  host_suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    sed -nE "s#^Debian (\S+) $host_suite(-updates|-security)?\$#deb \1 $SUITE\2 main#p" | sort -u
}

# Copies only proxy and retry settings from the host's apt configuration. The Release file of the preview (forky) may have expired.
image_apt_options() {
  apt-config dump | grep -E '^Acquire::(https?::(Proxy|Timeout)|Retries|Check-)' || true
  [[ $SUITE != forky ]] || echo 'Acquire::Check-Valid-Until "false";'
}

image_build() {
  local image=$1 work=$CACHE/.building sources=() options=() line
  # Left by a killed build. The lock excludes concurrent builds.
  rm -rf --one-file-system "$work"
  mkdir -p "$work"
  while read -r line; do sources+=("$line"); done < <(image_sources)
  while read -r line; do options+=("--aptopt=$line"); done < <(image_apt_options)
  # Builds in a work folder with its own mount namespace, so that an interrupted build leaves no incomplete image and no mounts.
  # shellcheck disable=SC2016 # mmdebstrap's hooks get the folder as $1
  TMPDIR=$work unshare --mount mmdebstrap --mode=root --variant=minbase --include="$PACKAGES" --skip=cleanup/apt/lists "${options[@]}" \
    --customize-hook='systemctl --root="$1" enable systemd-networkd ssh' \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*_key*' \
    "$SUITE" "$work/image.tar" "${sources[@]}"
  find "$CACHE" -maxdepth 1 -name "$SUITE-*.tar" -delete
  mv "$work/image.tar" "$image"
  rm -rf --one-file-system "$work"
}

image_ensure() {
  local image
  image=$(image_path)
  [[ -z $(find "$image" -mtime "-$IMAGE_DAYS" 2>/dev/null) ]] || return 0
  need_space "$CACHE" 1500 "the image"
  step "Build the image of Debian $SUITE (cached in $CACHE)" image_build "$image"
}
