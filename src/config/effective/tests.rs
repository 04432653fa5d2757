//! The settings in effect are shown so that they can be read again, and without secrets.

use std::{collections::BTreeMap, path::Path};

use super::*;
use crate::config::{load::parse, model::AccessLogTarget, text_form::TextForm};

const FULL: &str = r##"
[apim.devportal]
enable_anonymous_mode = false
[server]
listen = ["127.0.0.1:1", "[::1]:2"]
workers = 3
public_url = "https://portal.example.com"
trusted_proxies = ["10.0.0.0/8", "::1"]
allowed_hosts = ["portal.example.com", ".example.org"]
redirect_to_https = true
hsts = "max-age=31536000; includeSubDomains"
proxy_protocol = ["192.168.0.0/16"]
drain_delay = "0s"
drain_timeout = "1500ms"
[server.tls]
cert_file = "c.pem"
key_file = "k.pem"
client_ca_file = "clients.pem"
client_auth = "optional"
[[server.tls.certificate]]
cert_file = "c2.pem"
key_file = "k2.pem"
[admin]
listen = "off"
store_probe = "write"
[management]
listen = "0.0.0.0:9443"
cert_file = "mc.pem"
key_file = "mk.pem"
client_ca_file = "mca.pem"
clear_text = true
public = true
read_only = true
admin_roles = ["admin", "Internal/ops"]
allow = ["10.0.0.0/8"]
changes_per_hour = 9
audit_bytes_per_hour = 70000
[portal]
profile = "generic"
[[portal.upstream]]
url = "https://portal:9443"
host = "portal.local:9443"
http2 = true
ca_file = "ca.pem"
client_cert_file = "cc.pem"
client_key_file = "ck.pem"
[[portal.upstream]]
path = "/api"
url = "unix:/run/p.sock"
[tenancy]
watch = "poll"
poll_interval = "3s"
host_pattern = "{tenant}.p.example"
hosts = { "a.example" = "acme.com" }
claimable_hosts = ["*", ".t.example", "b.example"]
issuers_on_loopback = true
[sign_in]
url = "https://idp/?rd={return_url}"
[[issuer]]
issuer = "https://a"
audiences = ["x"]
jwks_file = "j"
algorithms = ["ES256"]
required_scopes = ["apim:subscribe"]
tenant_claim = "t"
[[issuer]]
issuer = "https://b"
tenant = "acme.com"
[issuer.introspection]
url = "https://b/i"
client_id = "c"
client_secret = "geheim"
[accounts]
enabled = true
store_url = "postgres://doorward:geheim@db:5433/doorward?sslmode=require"
store_connections = 4
hash_memory = 65536
hash_iterations = 3
hash_parallel = 2
hash_queue = 9
[session]
idle_timeout = "2m"
lifetime = "3h"
max_per_account = 4
[account_lock]
enabled = true
max_attempts = 3
time = "0s"
ratio = 3
max_duration = "1h"
max_lockouts = 6
allow = ["10.0.0.0/8"]
bypass_role = "admin"
show_failure_reason = true
[account_lock.address]
max_attempts = 7
[account_lock.account_and_address]
window = "2m"
[account_lock.device]
time = "3m"
[password_policy]
enabled = true
min_length = 8
max_length = 64
pattern = "(?=.*x).*"
message = "an x"
history = 3
expiry_days = 9
common_list = true
min_score = 3
context_words = true
words = ["acme"]
breached_required = true
breached_tolerated = 3
breached_url = "https://api.pwned.example/range/"
[access]
cross_tenant = ["acme.com"]
cors_allowed_origins = ["https://a.example"]
token_cookie = "T"
private_responses = false
identity_headers = "authelia"
[[access.route]]
match = "GET,HEAD /docs/**"
access = "open"
as = "asset"
upgrade = ["websocket", "chat/1"]
[[access.route]]
match = "/live"
access = "anonymous"
upgrade = true
[[access.route]]
match = "/quiet"
access = "anonymous"
upgrade = false
[[guard]]
match = "/login"
user_in = "form"
user_fields = ["user", "email"]
require_name = false
name_from = "cookie:sid"
failed_redirect = ["/login?error*"]
succeeded_status = [302]
body_bytes = 100
locked_redirect = "/login?error"
[[guard]]
match = "POST /oauth2/token"
user_in = "password-grant"
[branding]
name = "N"
logo = "/l.svg"
accent = "#000000"
[log]
level = "info,doorward=debug"
access = "a.log"
"##;

#[test]
fn what_is_shown_reads_back_to_the_same() {
    let file = Path::new("/etc/d.toml");
    for text in [FULL, "[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\""] {
        let shown = to_toml(&parse(text, file, &BTreeMap::new()).unwrap());
        let again = parse(&shown, file, &BTreeMap::new()).unwrap_or_else(|m| panic!("{m:#?}\n{shown}"));
        assert_eq!(to_toml(&again), shown);
    }
}

#[test]
fn secrets_are_masked() {
    let settings = parse(FULL, Path::new("/etc/d.toml"), &BTreeMap::new()).unwrap();
    for shown in [to_toml(&settings), to_json(&settings).to_string(), format!("{settings:?}")] {
        assert!(shown.contains("********") && !shown.contains("geheim"), "{shown}");
    }
}

#[test]
fn the_access_log_is_shown_as_it_is_written() {
    for (access, shown) in [
        (AccessLogTarget::Off, "off"),
        (AccessLogTarget::Stdout, "stdout"),
        (AccessLogTarget::File("/a".into()), "/a"),
    ] {
        assert_eq!(access.to_text(), shown);
    }
}
