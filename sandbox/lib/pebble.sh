# shellcheck shell=bash
# Certificate authorities for one machine: Pebble, Let's Encrypt's ACME test server, and a DNS server that resolves every name to the machine.
# They listen on the bridge. Each port is a base plus the last number of the machine's address, so that each machine has its own.

PEBBLE=$FOLDER/pebble
PEBBLE_PROGRAMS=$REPOSITORY/sandbox/pebble/bin

pebble_port() {
  local number
  number=$(sed 's/.*\.//' "$FOLDER/address")
  echo $(($1 + number))
}

# One TLS certificate for all authorities of the machine. The machine trusts it.
pebble_key() {
  mkdir -p "$PEBBLE"
  [[ -e $PEBBLE/ca.pem ]] ||
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Pebble of the sandbox' -addext "subjectAltName=IP:$HOST_ADDRESS" \
      -keyout "$PEBBLE/key.pem" -out "$PEBBLE/ca.pem" 2>"$PEBBLE/openssl.log" || die "openssl could not create a certificate: $(tail -n 1 "$PEBBLE/openssl.log")"
  install -m 644 "$PEBBLE/ca.pem" "$FOLDER/root/etc/ssl/pebble.pem"
}

pebble_dns() {
  local dns management
  dns=$HOST_ADDRESS:$(pebble_port 16000)
  management=$(pebble_port 17000)
  running "$PEBBLE/dns.pid" pebble-challtestsrv || serve "$HOST_ADDRESS" "$management" "$PEBBLE/dns.pid" pebble-challtestsrv \
    "$PEBBLE_PROGRAMS/pebble-challtestsrv" -defaultIPv4 "$(cat "$FOLDER/address")" -defaultIPv6 '' -dnsserver "$dns" -doh '' \
    -http01 '' -https01 '' -tlsalpn01 '' -management "$HOST_ADDRESS:$management"
}

# pebble_start [DAYS [PERCENT]]: starts an authority. Writes its root certificate and the file urls (ACME directory, management) to $PEBBLE/DAYS.
pebble_start() {
  local days=${1:-90} refused=${2:-0} folder port management
  [[ $days =~ ^[1-9][0-9]{0,2}$ && $refused =~ ^[0-9]{1,2}$ ]] || die "DAYS, the lifetime of certificates, must be 1 to 999, and PERCENT, the share of rejected nonces, 0 to 99."
  folder=$PEBBLE/$days
  # The sandbox inventory uses the port of the 90-day authority.
  port=$(pebble_port $((14000 + (days == 90 ? 0 : 5000 + 40 * days))))
  management=$((port + 1000))
  pebble_key
  pebble_dns
  mkdir -p "$folder"
  cat >"$folder/config.json" <<END
{"pebble": {
  "listenAddress": "$HOST_ADDRESS:$port", "managementListenAddress": "$HOST_ADDRESS:$management",
  "certificate": "$PEBBLE/ca.pem", "privateKey": "$PEBBLE/key.pem", "httpPort": 80, "tlsPort": 443,
  "profiles": {"default": {"description": "$days days", "validityPeriod": $((days * 86400))}}
}}
END
  # PEBBLE_VA_NOSLEEP: no random delay before a validation.
  running "$folder/pebble.pid" "$folder/" || PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=$refused \
    serve "$HOST_ADDRESS" "$management" "$folder/pebble.pid" "$folder/" \
    "$PEBBLE_PROGRAMS/pebble" -config "$folder/config.json" -dnsserver "$HOST_ADDRESS:$(pebble_port 16000)"
  curl --silent --show-error --fail --cacert "$PEBBLE/ca.pem" "https://$HOST_ADDRESS:$management/roots/0" >"$folder/root.pem"
  printf '%s\n' "https://$HOST_ADDRESS:$port/dir" "https://$HOST_ADDRESS:$management" >"$folder/urls"
  echo "Pebble issues $days-day certificates for $NAME: https://$HOST_ADDRESS:$port/dir (root certificate: $folder/root.pem)"
}

pebble_stop() {
  local pidfile
  for pidfile in "$PEBBLE"/*/pebble.pid; do
    [[ ! -e $pidfile ]] || stop_process "$pidfile" "${pidfile%pebble.pid}"
  done
  stop_process "$PEBBLE/dns.pid" pebble-challtestsrv
}
