//! The log of what happens to Doorward itself: standard error, one JSON object a line, or text on a terminal.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

/// `filter` as in `log.level`. A filter that cannot be read is reported and replaced by `info`.
pub fn start(filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    let problem = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // a log that is there already (tests) stays
    let _ = if stderr().is_terminal() {
        log.try_init()
    } else {
        log.json().flatten_event(true).with_span_list(false).try_init()
    };
    if let Some(problem) = problem {
        tracing::warn!(problem, "the log filter cannot be read; logging at info");
    }
}
