# shellcheck shell=bash
# One bridge for all machines. The host is .1, the machines are .10 to .250 and reach the internet through the host (NAT).

BRIDGE=map-app0
# The range of existing machines, or else SANDBOX_RANGE.
RANGE=$(sed -n 's/\.[0-9]*$//p' "$STATE"/*/address 2>/dev/null | head -n 1) || true
RANGE=${RANGE:-${SANDBOX_RANGE:-10.213.57}}
HOST_ADDRESS=$RANGE.1

# Inserted before all other rules, because hosts with Docker or ufw drop forwarded packets.
network_rules() {
  printf '%s\n' \
    "nat POSTROUTING -s $RANGE.0/24 ! -d $RANGE.0/24 -j MASQUERADE" \
    "filter FORWARD -i $BRIDGE -j ACCEPT" \
    "filter FORWARD -o $BRIDGE -j ACCEPT" \
    "filter INPUT -i $BRIDGE -j ACCEPT"
}

network_up() {
  local table chain rule
  if ! ip link show "$BRIDGE" >/dev/null 2>&1; then
    ! ip -4 route show to match "$HOST_ADDRESS" | grep -qv '^default' ||
      die "this host already has a route to $RANGE.0/24. Choose a free range by its first three numbers, e.g. SANDBOX_RANGE=10.99.0."
    # A fixed MAC address: otherwise it changes whenever a machine starts or stops, and the other machines lose the host for a while.
    ip link add "$BRIDGE" address 02:6d:61:70:00:01 type bridge
    ip address add "$HOST_ADDRESS/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
  fi
  [[ -e $STATE/ip_forward ]] || cat /proc/sys/net/ipv4/ip_forward >"$STATE/ip_forward"
  echo 1 >/proc/sys/net/ipv4/ip_forward
  while read -r table chain rule; do
    # shellcheck disable=SC2086 # a rule is several words
    iptables --wait -t "$table" -C "$chain" $rule 2>/dev/null || iptables --wait -t "$table" -I "$chain" $rule
  done < <(network_rules)
}

network_down() {
  local table chain rule
  while read -r table chain rule; do
    # shellcheck disable=SC2086 # a rule is several words
    while iptables --wait -t "$table" -D "$chain" $rule 2>/dev/null; do :; done
  done < <(network_rules)
  ! ip link show "$BRIDGE" >/dev/null 2>&1 || ip link delete "$BRIDGE"
  if [[ -e $STATE/ip_forward ]]; then
    cat "$STATE/ip_forward" >/proc/sys/net/ipv4/ip_forward
    rm "$STATE/ip_forward"
  fi
}

network_free_address() {
  local number
  for number in {10..250}; do
    grep -qsx "$RANGE.$number" "$STATE"/*/address || break
  done
  echo "$RANGE.$number"
}
