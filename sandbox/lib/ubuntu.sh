# shellcheck shell=bash
# Makes a fresh Debian behave like Ubuntu where it can: what its images bring and this site has to cope with.

ubuntu_packages() {
  machine_ssh 'apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends ufw needrestart unattended-upgrades'
}

# The port belongs to ssh.socket, cloud-init allows passwords, ufw is on, needrestart restarts services by itself.
ubuntu_settings() {
  machine_ssh bash -e <<'END'
echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/50-cloud-init.conf
echo "\$nrconf{restart} = 'a';" >/etc/needrestart/conf.d/50-ubuntu.conf
ufw allow 22/tcp
ufw --force enable
systemctl disable ssh.service
systemctl enable ssh.socket
systemctl stop ssh.service
systemctl start ssh.socket
END
}

# As unattended-upgrades holds it at a first boot, for half a minute from now on.
ubuntu_apt_lock() {
  machine_ssh "cat >/run/first-boot.py && systemd-run --quiet --unit=first-boot python3 /run/first-boot.py" <<'END'
import fcntl, time
files = [open(path, 'w') for path in ('/var/lib/apt/lists/lock', '/var/lib/dpkg/lock-frontend', '/var/lib/dpkg/lock')]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
time.sleep(30)
END
}

ubuntu_like() {
  step "Install what Ubuntu's images bring" ubuntu_packages
  step "Set it as they do" ubuntu_settings
  step "Hold apt's lock for a while" ubuntu_apt_lock
}
