# shellcheck shell=bash
# A certificate authority for one machine: Pebble, which speaks ACME as Let's Encrypt does, and a DNS in which every name is that
# machine. It listens on the bridge; its ports end in the number of the machine's address, so that each machine can have one.

PEBBLE=$FOLDER/pebble

pebble_port() {
  local number
  number=$(sed 's/.*\.//' "$FOLDER/address")
  echo $(($1 + number))
}

pebble_configure() {
  mkdir -p "$PEBBLE"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Pebble of the sandbox' -addext "subjectAltName=IP:$HOST_ADDRESS" \
    -keyout "$PEBBLE/key.pem" -out "$PEBBLE/ca.pem" 2>"$PEBBLE/openssl.log" || die "openssl made no certificate: $(tail -n 1 "$PEBBLE/openssl.log")"
  cat >"$PEBBLE/config.json" <<END
{"pebble": {
  "listenAddress": "$HOST_ADDRESS:$(pebble_port 14000)", "managementListenAddress": "$HOST_ADDRESS:$(pebble_port 15000)",
  "certificate": "$PEBBLE/ca.pem", "privateKey": "$PEBBLE/key.pem", "httpPort": 80, "tlsPort": 443
}}
END
}

# The machine learns to trust it, and its root is kept to check what it issued.
pebble_start() {
  local dns management
  dns=$HOST_ADDRESS:$(pebble_port 16000)
  management=$(pebble_port 15000)
  if ! running "$PEBBLE/pebble.pid" "$PEBBLE"; then
    pebble_stop
    pebble_configure
    serve "$HOST_ADDRESS" "$(pebble_port 17000)" "$PEBBLE/dns.pid" "$dns" \
      pebble-challtestsrv -defaultIPv4 "$(cat "$FOLDER/address")" -defaultIPv6 '' -dns01 "$dns" \
      -http01 '' -https01 '' -tlsalpn01 '' -management "$HOST_ADDRESS:$(pebble_port 17000)"
    # No waiting before it looks, no nonces refused on purpose: what is tested is this site, not the client.
    PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 serve "$HOST_ADDRESS" "$management" "$PEBBLE/pebble.pid" "$PEBBLE" \
      pebble -config "$PEBBLE/config.json" -dnsserver "$dns"
    curl --silent --show-error --fail --cacert "$PEBBLE/ca.pem" "https://$HOST_ADDRESS:$management/roots/0" >"$PEBBLE/root.pem"
  fi
  install -m 644 "$PEBBLE/ca.pem" "$FOLDER/root/etc/ssl/pebble.pem"
  echo "Pebble issues certificates for $NAME: https://$HOST_ADDRESS:$(pebble_port 14000)/dir (its root: $PEBBLE/root.pem)"
}

pebble_stop() {
  end "$PEBBLE/pebble.pid" "$PEBBLE"
  end "$PEBBLE/dns.pid" pebble-challtestsrv
}
