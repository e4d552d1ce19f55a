# shellcheck shell=bash
# The site on the machine: runs the playbooks over ssh, as an operator does, and requests the site from outside.

site_playbook() (
  cd "$REPOSITORY" || exit
  # Ansible requires a UTF-8 locale.
  PATH=$REPOSITORY/.venv/bin:$PATH LC_ALL=C.UTF-8 SANDBOX=$NAME ansible-playbook -i inventory/sandbox "$@" 9>&-
)

site_provision() {
  local started=$SECONDS
  printf '\n$ ansible-playbook -i inventory/sandbox site.yml\n'
  site_playbook site.yml || die "site.yml failed. The machine is kept. Correct the error above and run it again: $(npm_run sandbox)"
  echo "site.yml took $((SECONDS - started)) s."
}

site_import() {
  local example=$REPOSITORY/api/example
  step "Import the example data" site_playbook playbooks/import.yml -e "animals=$example/AnimalLocations.csv" \
    -e "questions=$example/questions.txt" -e "options=$example/options.txt" -e "pins=$example/pins.csv"
}

# --insecure: the placeholder certificate is self-signed.
site_curl() {
  local address
  address=$(cat "$FOLDER/address")
  curl --silent --show-error --max-time 20 --insecure --resolve "$DOMAIN:443:$address" --resolve "$DOMAIN:80:$address" "$@"
}

site_verify() {
  local redirect
  # Retries, because the API needs a moment after a boot.
  site_curl --fail --retry 30 --retry-delay 1 --retry-all-errors --output /dev/null "https://$DOMAIN/readyz" || die "https://$DOMAIN/readyz is not ready. Read the log: $(npm_run sandbox:ssh) -- journalctl -u 'map-app*'"
  redirect=$(site_curl --output /dev/null --write-out '%{http_code} %{redirect_url}' "http://$DOMAIN/readyz")
  [[ $redirect == 30[18]" https://$DOMAIN/readyz" ]] || die "http://$DOMAIN is not redirected to https: $redirect"
  echo "From outside: https://$DOMAIN/readyz is ready, http is redirected, counts: $(site_curl --fail "https://$DOMAIN/api/locations/counts")"
}

site_usage() {
  local address
  address=$(cat "$FOLDER/address")
  cat <<END

The map is at https://$DOMAIN ($address). Total time: $SECONDS s.
  curl -k --resolve $DOMAIN:443:$address https://$DOMAIN/api/locations/counts
  echo $address $DOMAIN >>/etc/hosts        for a browser on this host (the certificate is a placeholder)
END
  printf '  %-40s  %s\n' "$(npm_run sandbox)" "runs site.yml again" "$(npm_run sandbox:ssh)" "opens a shell on the machine" \
    "$(npm_run sandbox:down)" "removes it"
}
