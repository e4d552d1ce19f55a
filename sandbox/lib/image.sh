# shellcheck shell=bash
# The image: a minimal Debian as a cloud would hand it over, built once for each suite and kept.

# What cloud images bring and site.yml may therefore expect; everything else it installs by itself.
PACKAGES=systemd,systemd-sysv,dbus,libpam-systemd,python3,python3-apt,openssh-server,sudo,ca-certificates,iproute2,procps,tzdata,apt
# Older package lists name packages that the archive no longer has.
IMAGE_DAYS=7

# The name holds what the image is made of: a changed recipe makes a new one.
image_path() {
  printf '%s/%s-%s.tar\n' "$CACHE" "$SUITE" "$( (declare -f image_build && image_sources && image_apt_options && echo "$PACKAGES") | sha256sum | cut -c1-12)"
}

# The host's own way to Debian's archive, for the suite in place of the host's. Nothing on other hosts: mmdebstrap then knows one.
image_sources() {
  local host_suite
  host_suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016 # apt fills these in
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    sed -nE "s#^Debian (\S+) $host_suite(-updates|-security)?\$#deb \1 $SUITE\2 main#p" | sort -u
}

# Proxies and the like; what else a host sets for apt is its own matter. A preview's dates may have passed.
image_apt_options() {
  apt-config dump | grep -E '^Acquire::(https?::(Proxy|Timeout)|Retries|Check-)' || true
  [[ $SUITE != forky ]] || echo 'Acquire::Check-Valid-Until "false";'
}

image_build() {
  local image=$1 work=$CACHE/.building sources=() options=() line
  # Whatever a killed build left: nobody else builds now.
  rm -rf --one-file-system "$work"
  mkdir -p "$work"
  while read -r line; do sources+=("$line"); done < <(image_sources)
  while read -r line; do options+=("--aptopt=$line"); done < <(image_apt_options)
  # In a folder of its own until it is whole, mounts out of sight: an interrupted build leaves no half image.
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
  step "Build the image of Debian $SUITE (kept in $CACHE)" image_build "$image"
}
