//! Step 8: access log and metrics of a request, written when the last byte of the response is sent or the client disconnects.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{body::BodyError, connection::ClientConnection};
use crate::{
    sync::client_limits::{ClientState, Permit},
    telemetry::{
        access_log::{AccessLog, AccessLogEntry},
        metrics::Metrics,
    },
};

pub struct RequestRecord {
    connection: Arc<ClientConnection>,
    metrics: Arc<Metrics>,
    started: Instant,
    bytes_sent: u64,
    entry: Option<(Box<AccessLogEntry>, Arc<AccessLog>)>,
    /// Counts the request for its client, unless it is for an asset and the client is over a limit.
    permit: Option<Permit>,
    /// The client for which the answer counts while it waits to be read. Taken by the task of an HTTP/2 stream.
    client: Option<Arc<ClientState>>,
}

impl RequestRecord {
    pub fn start(connection: Arc<ClientConnection>, metrics: Arc<Metrics>) -> Self {
        connection.request_started();
        metrics.requests_in_flight.inc();
        Self {
            connection,
            metrics,
            started: Instant::now(),
            bytes_sent: 0,
            entry: None,
            permit: None,
            client: None,
        }
    }

    pub const fn started(&self) -> Instant {
        self.started
    }

    pub fn hold_permit(&mut self, permit: Option<Permit>) {
        self.permit = permit;
    }

    pub fn set_client(&mut self, client: Arc<ClientState>) {
        self.client = Some(client);
    }

    pub const fn take_client(&mut self) -> Option<Arc<ClientState>> {
        self.client.take()
    }

    pub fn log(&mut self, entry: Box<AccessLogEntry>, log: Arc<AccessLog>) {
        self.entry = Some((entry, log));
    }

    pub fn record_sent(&mut self, bytes: usize) {
        self.bytes_sent += bytes as u64;
        self.connection.add_unflushed(bytes);
    }

    pub fn connection(&self) -> &ClientConnection {
        &self.connection
    }

    pub fn record_error(&mut self, error: &BodyError) {
        if let Some((entry, _)) = &mut self.entry {
            entry.error = Some(error.to_string());
        }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        self.connection.set_answer_left(Some(0));
        self.connection.request_ended();
        self.metrics.requests_in_flight.dec();
        self.metrics.request_duration.observe(duration.as_secs_f64());
        if let Some((mut entry, log)) = self.entry.take() {
            entry.bytes_sent = self.bytes_sent;
            entry.duration_ms = milliseconds(duration);
            log.write(entry);
        }
    }
}

/// Rounds to microseconds: further digits are noise of the conversion.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_logged_duration_to_microseconds() {
        for (nanoseconds, logged) in
            [(0, "0.0"), (499, "0.0"), (29_725_276, "29.725"), (877_185, "0.877"), (3_000_000_000, "3000.0")]
        {
            let written = serde_json::to_string(&milliseconds(Duration::from_nanos(nanoseconds))).unwrap();
            assert_eq!(written, logged);
        }
    }
}
