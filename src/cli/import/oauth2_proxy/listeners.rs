//! Listeners, trusted proxies and the public address.

use url::Url;

use crate::cli::import::{
    deployment_draft::DeploymentDraft, is_on, listen_address, source_settings::SourceSettings,
};

pub(super) fn translate(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    match source.take_text("http_address") {
        Some(address) => match listen_address(&address) {
            Some(address) => {
                draft.set("http_address", "server.listen", vec![address]);
            }
            None => draft.left("http_address", "write an IP address and port to `server.listen`"),
        },
        None => draft.add_default("server.listen", vec!["127.0.0.1:4180"]),
    }
    let https = source.take_text("https_address");
    match (source.take_text("tls_cert_file"), source.take_text("tls_key_file")) {
        (Some(certificate), Some(key)) => {
            let listen = listen_address(https.as_deref().unwrap_or(":443"));
            draft.add_default("server.tls.listen", vec![listen.unwrap_or_else(|| "0.0.0.0:443".to_owned())]);
            if https.is_some() {
                draft.taken_over("https_address", "as `server.tls.listen`");
            }
            draft.set("tls_cert_file", "server.tls.cert_file", certificate);
            draft.set("tls_key_file", "server.tls.key_file", key);
        }
        (None, None) if https.is_some() => {
            draft.left("https_address", "without a certificate: see `[server.tls]`");
        }
        (None, None) => {}
        _ => draft.left("tls_cert_file", "TLS needs certificate and key: see `[server.tls]`"),
    }
    forwarding_proxies(source, draft);
    if source.take_text("real_client_ip_header").is_some() {
        draft.noted(
            "real_client_ip_header",
            "Doorward reads Forwarded and X-Forwarded-For of `server.trusted_proxies`",
        );
    }
    if is_on(source, "force_https", draft) {
        draft.left(
            "force_https",
            "once TLS or the proxy in front is set up, write `server.redirect_to_https = true`",
        );
    }
    if let Some(url) = source.take_text("redirect_url") {
        match Url::parse(&url) {
            Ok(url) => {
                draft.set("redirect_url", "server.public_url", url.origin().ascii_serialization());
            }
            Err(_) => draft
                .left("redirect_url", "Doorward has no callback; its public address is `server.public_url`"),
        }
    }
    if let Some(address) = source.take_text("metrics_address").filter(|address| !address.is_empty()) {
        match listen_address(&address) {
            Some(address) => {
                draft.set_with_note(
                    "metrics_address",
                    "admin.listen",
                    address,
                    "probes are on this port too",
                );
            }
            None => draft.left("metrics_address", "metrics are on the private port: `admin.listen`"),
        }
    }
}

/// Without `trusted_proxy_ips` oauth2-proxy trusts the headers of all clients.
fn forwarding_proxies(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    let proxies = source.take_list("trusted_proxy_ips");
    let is_behind_proxy = is_on(source, "reverse_proxy", draft);
    match (is_behind_proxy, proxies) {
        (true, Some(proxies)) => {
            draft.noted("reverse_proxy", "see `server.trusted_proxies`");
            draft.set("trusted_proxy_ips", "server.trusted_proxies", networks(&proxies));
        }
        (true, None) => draft.left(
            "reverse_proxy",
            "Doorward trusts the headers of listed proxies only: write their addresses to `server.trusted_proxies`",
        ),
        (false, Some(_)) => draft.noted("trusted_proxy_ips", "without `reverse_proxy` they had no effect"),
        (false, None) => {}
    }
}

/// A single address is a network of one.
fn networks(addresses: &[String]) -> Vec<String> {
    let network = |address: &String| match (address.contains('/'), address.contains(':')) {
        (true, _) => address.clone(),
        (false, true) => format!("{address}/128"),
        (false, false) => format!("{address}/32"),
    };
    addresses.iter().map(network).collect()
}
