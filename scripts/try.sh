#!/usr/bin/env bash
# Serves the example with built-in mock upstreams, so that nothing else is needed, and says what to try.
set -euo pipefail
binary=$1
proxy=${PROXY_LISTEN:-127.0.0.1:8000}
admin=${ADMIN_LISTEN:-127.0.0.1:8001}
# A token of the example's web-app, signed with the secret in examples/kong.yml, good until 2100.
token=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJraWQiOiJ3ZWItYXBwLWtleSIsImlzcyI6IndlYi1hcHAta2V5IiwiZXhwIjo0MTAyNDQ0ODAwfQ.ocPkoe0INcxQO0WQpdZ-Z72JtJ_xJ-E5u3SFbjEDD5A

cat <<TEXT
Serving examples/kong.yml on http://$proxy; its upstreams do not exist here and are mocked. Try:

  curl -i http://$proxy/api/v1/users
  curl -i http://$proxy/api/v1/users/42 -H 'Authorization: Bearer $token'
  curl -i http://$proxy/api/v1/orders -H 'Authorization: Bearer $token'

The first is refused (no token), the second meets the limits of web-app, the third carries added headers.
Edit examples/kong.yml and save: it is reloaded at once. Ctrl-C ends.

TEXT
exec "$binary" serve examples/kong.yml --watch --mock-upstreams --proxy-listen "$proxy" --admin-listen "$admin"
