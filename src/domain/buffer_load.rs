//! Which requests are rejected, and which answers are ended, when many bytes wait in buffers for slow clients.

use std::time::Duration;

use super::fairness::is_overloaded;

/// The maximum number of bytes buffered for an answer while its client does not read: at most 64 KiB in this process, the
/// rest in the receive buffer of the upstream connection (200 KiB) and in the send buffer of the client's (50 KiB).
pub const STALLED_ANSWER_BYTES: usize = 320 * 1024;

/// How long a client may take nothing of an answer while it holds more than its share, or all clients hold too much.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that wait in buffers, compared with the limits of one client and of all clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferLoad {
    /// The client, or a network that it belongs to, holds its share or more.
    pub is_over_share: bool,
    /// The sum of all clients.
    pub bytes: usize,
    /// `limits.max_buffered_bytes`.
    pub limit: usize,
}

/// Why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferShortage {
    /// The client holds its share.
    Client,
    /// All clients together hold too much.
    All,
}

impl BufferLoad {
    /// Whether a new request of the client may begin. The last tenth is for requests that have priority: those of authenticated
    /// users, and of clients without limits of their own, such as the health checks of a load balancer.
    pub const fn check_request(self, has_priority: bool) -> Result<(), BufferShortage> {
        if self.is_over_share {
            Err(BufferShortage::Client)
        } else if self.bytes >= self.limit || (!has_priority && is_overloaded(self.bytes, self.limit)) {
            Err(BufferShortage::All)
        } else {
            Ok(())
        }
    }

    /// How long the client may take nothing of an answer; `None`: as long as its other limits allow.
    ///
    /// Requests that began before a client reached its share may still stall. Above three quarters of the limit such answers
    /// are ended at once, so that one client alone never fills the rest.
    pub const fn stall_timeout(self) -> Option<Duration> {
        if self.is_over_share && self.bytes > self.limit - self.limit / 4 {
            Some(Duration::ZERO)
        } else if self.is_over_share || self.bytes >= self.limit {
            Some(STALL_TIMEOUT)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Option<Duration> = Some(STALL_TIMEOUT);
    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn attack_one_client_holds_the_buffers_of_all() {
        use BufferShortage::{All, Client};

        for (is_over_share, bytes, anonymous, priority, stall_timeout) in [
            (false, 0, Ok(()), Ok(()), None),
            (false, 90, Ok(()), Ok(()), None),
            (false, 91, Err(All), Ok(()), None),
            (false, 99, Err(All), Ok(()), None),
            (false, 100, Err(All), Err(All), SOON),
            // the client over its share is rejected first, and its answers are ended first
            (true, 50, Err(Client), Err(Client), SOON),
            (true, 75, Err(Client), Err(Client), SOON),
            (true, 76, Err(Client), Err(Client), AT_ONCE),
            (true, 100, Err(Client), Err(Client), AT_ONCE),
        ] {
            let load = BufferLoad { is_over_share, bytes, limit: 100 };
            assert_eq!(load.check_request(false), anonymous, "{load:?}");
            assert_eq!(load.check_request(true), priority, "{load:?}");
            assert_eq!(load.stall_timeout(), stall_timeout, "{load:?}");
        }
    }

    #[test]
    fn one_client_alone_leaves_buffers_for_anonymous_requests() {
        for limit in [1 << 20, 32 << 20, 1 << 40] {
            let left_by_one_client = limit - limit / 4;
            let load = BufferLoad { is_over_share: false, bytes: left_by_one_client, limit };
            assert_eq!(load.check_request(false), Ok(()), "{limit}");
        }
    }
}
