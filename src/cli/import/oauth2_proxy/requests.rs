//! Requests that need no sign-in, and the form of refusals.

use toml::Value;

use crate::cli::import::{
    deployment_draft::DeploymentDraft,
    is_on,
    route_regex::{ConvertedPattern, convert},
    source_settings::SourceSettings,
};

const NO_PATTERN: &str =
    "Doorward has no regular expressions in routes: write `[[access.route]]`; until then it needs a user";

pub fn translate(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    for option in ["skip_auth_routes", "skip_auth_regex"] {
        for (index, written) in source.take_list(option).unwrap_or_default().iter().enumerate() {
            open_route(&format!("{option}[{index}]"), written, draft);
        }
    }
    for (index, written) in source.take_list("api_routes").unwrap_or_default().iter().enumerate() {
        let key = format!("api_routes[{index}]");
        match convert(written) {
            Some(ConvertedPattern { pattern, is_complete }) => {
                let note = if is_complete {
                    ""
                } else {
                    "only this path and those below, not others with the same prefix"
                };
                draft.push(&key, "access.route", route(&pattern, "signed-in", "api"), note);
            }
            None => draft.left(
                &key,
                "Doorward has no regular expressions in routes: write `[[access.route]]` with `as = \"api\"`",
            ),
        }
    }
    if is_on(source, "skip_auth_preflight", draft) {
        let note = "requests with OPTIONS need no sign-in";
        draft.push("skip_auth_preflight", "access.route", route("OPTIONS /**", "open", "page"), note);
    }
    if source.take_bool("skip_auth_strip_headers").is_some() {
        draft.noted("skip_auth_strip_headers", "identity headers of clients are always removed");
    }
}

fn open_route(key: &str, written: &str, draft: &mut DeploymentDraft) {
    let (method, expression) = match written.split_once('=') {
        Some((method, expression)) if method.bytes().all(|b| b.is_ascii_alphabetic()) => (method, expression),
        Some((method, _)) if method.ends_with('!') => {
            draft
                .left(key, "Doorward opens listed paths only, not all except some: write `[[access.route]]`");
            return;
        }
        _ => ("", written),
    };
    let Some(ConvertedPattern { pattern, is_complete }) = convert(expression) else {
        draft.left(key, NO_PATTERN);
        return;
    };
    let matched = if method.is_empty() {
        pattern.clone()
    } else {
        format!("{} {pattern}", method.to_ascii_uppercase())
    };
    let note = match (is_complete, pattern.as_str()) {
        (_, "/**") => "every path is open to everyone",
        (true, _) => "open to everyone",
        (false, _) => "open to everyone; only this path and those below, not others with the same prefix",
    };
    draft.push(key, "access.route", route(&matched, "open", "page"), note);
}

fn route(matched: &str, access: &str, kind: &str) -> Vec<(&'static str, Value)> {
    let mut entries = vec![("match", matched.into()), ("access", access.into())];
    if kind != "page" {
        entries.push(("as", kind.into()));
    }
    entries
}
