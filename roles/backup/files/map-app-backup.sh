#!/bin/sh
# Managed by Ansible (role backup). The next run overwrites changes.
exec python3 -B /usr/local/lib/map-app-backup "$@"
