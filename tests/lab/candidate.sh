#!/bin/sh
# Doorward as the candidate of a side-by-side measurement: one worker, all checks on. The LAB_* variables say where the
# portal is, which ports to open and whom to trust; see docs/PERFORMANCE.md.
set -eu
folder="$LAB_DIR/doorward"
mkdir -p "$folder/tenants/acme" "$folder/tenants/anon"
cat >"$folder/deployment.toml" <<TOML
[apim.devportal]
enable_anonymous_mode = false

[server]
listen = ["127.0.0.1:$LAB_PORT", "127.0.0.1:$LAB_PLAIN_PORT"]
workers = 1

[server.tls]
listen = ["127.0.0.1:$LAB_TLS_PORT"]
cert_file = "$LAB_TLS_CERT"
key_file = "$LAB_TLS_KEY"

[admin]
listen = "127.0.0.1:${LAB_ADMIN_PORT:-22003}"

[portal]
profile = "generic"

[[portal.upstream]]
url = "$LAB_UPSTREAM_URL"

[tenancy]
default_tenant = "acme"
hosts = { "anon.test" = "anon" }

[sign_in]
url = "none"

[[issuer]]
issuer = "$LAB_ISSUER"
audiences = ["$LAB_AUDIENCE"]
jwks_file = "$LAB_JWKS_FILE"
tenant_claim = "tenant"

[access]
forward_token = true
identity_headers = "oauth2-proxy"

[log]
level = "warn"
access = "off"

[limits]
max_connections = 20000
TOML
echo '{"EnableAnonymous": true}' >"$folder/tenants/anon/tenant-conf.json"
exec "${DOORWARD:-target/release/doorward}" serve --config "$folder/deployment.toml"
