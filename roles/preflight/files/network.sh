#!/bin/sh
# Prints a line of ss for each socket that listens on port 80 or 443, and a line "address NAME ADDRESS" for each address of the names in "$@".
set -e
ss --no-header --listening --tcp --numeric --processes 'sport = :80 or sport = :443'
for name; do
  # 2: the name does not exist.
  addresses=$(getent ahosts "$name") || [ $? = 2 ]
  echo "$addresses" | sed -n "s/ .*//; s/./address $name &/p"
done
