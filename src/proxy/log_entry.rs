//! The access log entry of a request, filled in while the request is processed.

use std::sync::Arc;

use http::{HeaderValue, header, request::Parts};

use super::{
    context::RequestContext,
    evaluate::{Evaluation, RoutedRequest},
};
use crate::{
    domain::{access::Decision, identity::Identity, time::Timestamp},
    telemetry::access_log::AccessLogEntry,
};

/// Called when the head of a request has been read.
pub fn start_entry(parts: &Parts, request_id: &HeaderValue, now: Timestamp) -> Box<AccessLogEntry> {
    let text =
        |name| parts.headers.get(name).map(|value| truncate(&String::from_utf8_lossy(value.as_bytes())));
    Box::new(AccessLogEntry {
        time: now,
        request_id: request_id.to_str().unwrap_or_default().to_owned(),
        method: parts.method.to_string(),
        host: text(header::HOST)
            .or_else(|| parts.uri.authority().map(ToString::to_string))
            .unwrap_or_default(),
        path: truncate(parts.uri.path()),
        protocol: match parts.version {
            http::Version::HTTP_2 => "HTTP/2",
            http::Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        user_agent: text(header::USER_AGENT),
        ..AccessLogEntry::default()
    })
}

/// Thousands of entries may wait for a slow writer; none of them may be as long as a head.
fn truncate(text: &str) -> String {
    const MAX_CHARS: usize = 512;
    text.chars().take(MAX_CHARS).collect()
}

/// Called when the decision has been made.
pub fn record_decision(entry: &mut AccessLogEntry, context: &RequestContext, evaluation: &Evaluation) {
    entry.client = Some(context.client.address);
    entry.user = match &context.identity {
        Identity::User(user) | Identity::ForeignUser(user) => Some(format!("{}@{}", user.name, user.tenant)),
        Identity::Anonymous => None,
    };
    let policy = match evaluation {
        Evaluation::OwnPage(tenant) => tenant.as_ref().ok(),
        Evaluation::ManagementApi(_) | Evaluation::ServerOptions => None,
        Evaluation::Portal(RoutedRequest { policy, .. }) => Some(policy),
        Evaluation::Refused { policy, .. } => policy.as_ref(),
    };
    entry.tenant = policy.map(|policy| policy.tenant.to_string());
    entry.reason = match evaluation {
        Evaluation::OwnPage(Ok(_)) => "own_page",
        Evaluation::ManagementApi(Ok(_)) => "management",
        Evaluation::ServerOptions => "server_options",
        Evaluation::Portal(RoutedRequest { verdict: Ok(decision), .. }) => match decision {
            Decision::Allow(why) | Decision::SignIn(why) => why.as_str(),
        },
        Evaluation::OwnPage(Err(refusal))
        | Evaluation::ManagementApi(Err(refusal))
        | Evaluation::Portal(RoutedRequest { verdict: Err(refusal), .. })
        | Evaluation::Refused { refusal, .. } => refusal.reason(),
    };
    if let Evaluation::Portal(routed) = evaluation {
        entry.rule = Some(Arc::clone(&routed.route.rule));
    }
}
