# shellcheck shell=bash
# Makes a fresh Debian behave like Ubuntu as far as possible: the differences that the playbooks must handle.

ubuntu_packages() {
  machine_ssh 'apt-get update --quiet && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends ufw needrestart unattended-upgrades'
}

# ssh.socket owns the port, cloud-init allows passwords, ufw is enabled, needrestart restarts services automatically.
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

# Holds apt's lock for 30 seconds, as unattended-upgrades does during the first boot.
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
  step "Install the packages of Ubuntu's images" ubuntu_packages
  step "Apply the settings of Ubuntu's images" ubuntu_settings
  step "Hold apt's lock for 30 s" ubuntu_apt_lock
}
