//! The application log: standard error, one JSON object a line, or text on a terminal. Beside it, the
//! audit log.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::telemetry::audit::AuditLayer;

/// `filter` as in `log.level`. A filter that cannot be read is reported and replaced by `info`.
pub fn start(filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    let problem = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt::layer().with_writer(stderr);
    let log = if stderr().is_terminal() {
        log.boxed()
    } else {
        log.json().flatten_event(true).with_span_list(false).boxed()
    };
    let subscriber =
        tracing_subscriber::registry().with(log.with_filter(filter)).with(AuditLayer::filtered());
    // a log that is there already (tests) stays
    let _ = subscriber.try_init();
    if let Some(problem) = problem {
        tracing::warn!(problem, "the log filter cannot be read; logging at info");
    }
}
