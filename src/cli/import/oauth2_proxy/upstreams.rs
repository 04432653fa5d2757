//! The servers behind the proxy.

use toml::Value;
use url::Url;

use crate::cli::import::{deployment_draft::DeploymentDraft, source_settings::SourceSettings};

pub(super) fn translate(source: &mut SourceSettings, named: Option<&str>, draft: &mut DeploymentDraft) {
    let written = source.take_list("upstreams").unwrap_or_default();
    let keeps_host = source.take_bool("pass_host_header");
    match keeps_host {
        Some(true) => draft.noted("pass_host_header", "the portal gets the host that the browser sent"),
        Some(false) => draft.taken_over("pass_host_header", "as `host` of each `[[portal.upstream]]`"),
        None => {}
    }
    let mut first = None;
    for (index, upstream) in written.iter().enumerate() {
        let key = format!("upstreams[{index}]");
        let Some((url, path, host)) = upstream_parts(upstream) else {
            draft.left(&key, "neither a server nor a socket: Doorward serves no files and no fixed answers");
            continue;
        };
        let mut entries: Vec<(&str, Value)> =
            vec![("path", path.as_str().into()), ("url", url.as_str().into())];
        if upstream.starts_with("h2c:") {
            entries.push(("http2", true.into()));
        }
        if let Some(host) = host.filter(|_| keeps_host == Some(false)) {
            entries.push(("host", host.into()));
        }
        let is_exact = path != "/" && !upstream.ends_with('/');
        let note = match (upstream.contains('@'), is_exact) {
            (true, _) => "without the user name and password in it",
            (false, true) => "with all paths below, which oauth2-proxy does without",
            (false, false) => "",
        };
        if draft.push(&key, "portal.upstream", entries, note) {
            first = first.or(Some(url));
        }
    }
    if let Some(named) = named {
        draft.push("--upstream", "portal.upstream", vec![("url", named.into())], "");
    } else if !draft.has_item("portal.upstream", "path", "/") {
        let url = first.clone().unwrap_or_else(|| "http://127.0.0.1:3000".to_owned());
        draft.push(
            "upstreams",
            "portal.upstream",
            vec![("url", url.into())],
            "for all other paths, as one is needed",
        );
        if first.is_none() {
            draft.left(
                "upstreams",
                "no server is named: write the portal's address to `url` of `[[portal.upstream]]`",
            );
        }
    }
    if let Some(timeout) = source.take_text("upstream_timeout") {
        draft.set_in_items("portal.upstream", "header_timeout", &timeout.as_str().into());
        draft.taken_over("upstream_timeout", "as `header_timeout` of each `[[portal.upstream]]`");
    }
    match source.take_bool("proxy_websockets") {
        Some(false) => draft.left(
            "proxy_websockets",
            "WebSockets are forwarded for users; `upgrade = false` of a route switches them off",
        ),
        Some(true) => draft.noted("proxy_websockets", "WebSockets are forwarded for users"),
        None => {}
    }
}

/// Address, path prefix and host of an upstream.
fn upstream_parts(written: &str) -> Option<(String, String, Option<String>)> {
    if let Some(path) = written.strip_prefix("unix://") {
        return Some((format!("unix:{path}"), "/".to_owned(), None));
    }
    let plain =
        written.strip_prefix("h2c://").map_or_else(|| written.to_owned(), |rest| format!("http://{rest}"));
    let url = Url::parse(&plain).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.port().map_or_else(
        || url.host_str().map(str::to_owned),
        |port| Some(format!("{}:{port}", url.host_str()?)),
    );
    let path = match url.path().trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    Some((url.origin().ascii_serialization(), path.to_owned(), host))
}
