//! `Retry-After` (RFC 9110 §10.2.3).

use std::time::Duration;

use http::HeaderValue;

use crate::domain::time::whole_seconds;

/// For a response with 503 if the end of the outage is not known.
pub const UNAVAILABLE: Duration = Duration::from_secs(5);

pub fn header_value(wait: Duration) -> HeaderValue {
    HeaderValue::from(whole_seconds(wait))
}
