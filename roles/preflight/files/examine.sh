#!/bin/sh
# Prints a line "name value" for each fact that preflight needs. Runs in a plain shell, before Ansible's requirements are checked.
# $1: the folder of the installed versions of Node.
python3 -c 'import sys; print("python %d.%d" % sys.version_info[:2])' 2>/dev/null || echo python none

# Ansible does not recognise the password prompt of sudo-rs (ansible/ansible#87423).
if [ "$(id -u)" = 0 ] || command -v sudo.ws >/dev/null; then
  echo sudo good
elif ! command -v sudo >/dev/null; then
  echo sudo none
elif sudo --version 2>&1 | grep -q '^sudo-rs' && ! sudo -n true 2>/dev/null; then
  echo sudo rs
else
  echo sudo good
fi

echo "time $(date +%s)"
echo "processors $(nproc)"
for folder in opt var; do
  echo "$folder $(df --block-size=1M --output=avail "/$folder" | tail -n 1)"
done

echo "packages $(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | paste -sd , -)"

# By its command, because the name of its package differs between systems.
if command -v cloud-init >/dev/null; then echo cloud_init yes; else echo cloud_init no; fi

echo "node $(find "$1" -maxdepth 3 -path "*/bin/node" 2>/dev/null | paste -sd , -)"

# Whether an installation of packages was interrupted, and when the package lists were refreshed. Not every system has the stamp.
if [ -n "$(dpkg --audit 2>/dev/null; find /var/lib/dpkg/updates -type f 2>/dev/null)" ]; then echo interrupted yes; else echo interrupted no; fi
echo "refreshed $(for path in periodic/update-success-stamp lists; do stat --format=%Y "/var/lib/apt/$path" 2>/dev/null && break; done || echo 0)"

# `map-app drift --record` writes this file at the end of each run.
if [ -e /var/lib/map-app-baseline.json ]; then echo complete yes; else echo complete no; fi
