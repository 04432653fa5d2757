//! The line of the access log, as far as it is known while a request is under way.

use std::sync::Arc;

use http::{HeaderValue, header, request::Parts};

use super::judge::Judgement;
use crate::{
    domain::{access::Decision, identity::Identity},
    telemetry::access_log::Entry,
};

/// When the head of a request has been read.
pub fn arrived(parts: &Parts, request_id: &HeaderValue) -> Box<Entry> {
    let text = |name| parts.headers.get(name).map(|value| cut(&String::from_utf8_lossy(value.as_bytes())));
    Box::new(Entry {
        time: jiff::Timestamp::now(),
        request_id: request_id.to_str().unwrap_or_default().to_owned(),
        method: parts.method.to_string(),
        host: text(header::HOST)
            .or_else(|| parts.uri.authority().map(ToString::to_string))
            .unwrap_or_default(),
        path: cut(parts.uri.path()),
        protocol: match parts.version {
            http::Version::HTTP_2 => "HTTP/2",
            http::Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        user_agent: text(header::USER_AGENT),
        ..Entry::default()
    })
}

/// Thousands of lines may wait for a slow writer; none of them may be as long as a head.
fn cut(text: &str) -> String {
    const MAX_CHARS: usize = 512;
    text.chars().take(MAX_CHARS).collect()
}

/// When the decision has been made.
pub fn judged(entry: &mut Entry, judgement: &Judgement) {
    entry.client = Some(judgement.client.address);
    entry.tenant = judgement.policy.as_ref().map(|policy| policy.tenant.to_string());
    entry.user = match &judgement.identity {
        Identity::User(user) | Identity::Stranger(user) => Some(format!("{}@{}", user.name, user.tenant)),
        Identity::Anonymous => None,
    };
    entry.rule = judgement.route.as_ref().map(|route| Arc::clone(&route.rule));
    entry.reason = match &judgement.verdict {
        Ok(Decision::Allow(why) | Decision::SignIn(why)) => why.as_str(),
        Err(refusal) => refusal.reason(),
    };
}
