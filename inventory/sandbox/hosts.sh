#!/bin/sh
# Prints the throwaway machine of sandbox/sandbox as an inventory. SANDBOX=<name> selects another machine than the default.
# A script, because Ansible would evaluate a template of the address again for each task.
set -eu
name=${SANDBOX:-map-app}
folder=/var/lib/map-app-sandbox/$name
hosts='"map-app.test"'
address=$(cat "$folder/address" 2>/dev/null) || {
  hosts=
  echo "There is no machine $name: SANDBOX=$name npm run sandbox creates it." >&2
}
cat <<END
{
  "sandbox": {
    "children": ["web", "app", "db"],
    "vars": {
      "ansible_host": "$address",
      "ansible_ssh_private_key_file": "$folder/key",
      "sandbox_folder": "$folder"
    }
  },
  "web": { "hosts": [$hosts] },
  "app": { "hosts": [$hosts] },
  "db": { "hosts": [$hosts] },
  "_meta": { "hostvars": {} }
}
END
