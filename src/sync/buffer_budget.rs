//! Counts the bytes that wait in buffers for slow peers, over all connections, against `limits.max_buffered_bytes`.
//!
//! A reservation never fails: what is counted is held already. Above the limit new requests are rejected, and clients that
//! take nothing lose their answers sooner, so the count falls below the limit within seconds
//! (`docs/adr/0015-one-budget-for-buffered-bytes.md`).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What an answer may hold while its client does not read: at most 64 KiB in this process, the rest in the receive buffer of
/// the upstream connection (200 KiB) and in the send buffer of the client's (50 KiB).
pub const STALLED_ANSWER_BYTES: usize = 320 * 1024;

/// The most a request's body may hold before it is sent on: the window of an HTTP/2 stream.
pub const MAX_UNREAD_BODY_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub struct BufferBudget {
    reserved: AtomicUsize,
    limit: AtomicUsize,
}

/// Bytes that count until this is dropped.
#[derive(Debug)]
pub struct BufferReservation {
    budget: Arc<BufferBudget>,
    bytes: usize,
}

impl BufferBudget {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { reserved: AtomicUsize::new(0), limit: AtomicUsize::new(limit) })
    }

    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    pub fn is_exhausted(&self) -> bool {
        self.reserved() >= self.limit.load(Ordering::Relaxed)
    }

    pub fn reserve(self: &Arc<Self>, bytes: usize) -> BufferReservation {
        self.reserved.fetch_add(bytes, Ordering::Relaxed);
        BufferReservation { budget: Arc::clone(self), bytes }
    }
}

impl Drop for BufferReservation {
    fn drop(&mut self) {
        self.budget.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_count_until_they_are_dropped() {
        let budget = BufferBudget::new(100);
        let first = budget.reserve(60);
        assert!(!budget.is_exhausted());
        let second = budget.reserve(60);
        assert_eq!((budget.reserved(), budget.is_exhausted()), (120, true));
        drop(first);
        assert!(!budget.is_exhausted());
        budget.set_limit(60);
        assert!(budget.is_exhausted(), "a smaller limit counts at once");
        drop(second);
        assert_eq!((budget.reserved(), budget.is_exhausted()), (0, false));
    }
}
