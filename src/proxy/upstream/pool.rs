//! Idle HTTP/1.1 connections to one upstream, of one worker. Last in, first out, so that few stay warm.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    lease::Lease,
    slots::{Home, Slots},
};

/// More than this many idle connections to one upstream are closed rather than kept.
const MAX_IDLE: usize = 1024;

pub struct Pool {
    idle: Mutex<Vec<Lease>>,
    keep_alive: Duration,
    pub(super) slots: Arc<Slots<Lease>>,
    pub(super) home: Home,
}

impl Pool {
    pub fn new(keep_alive: Duration, slots: Arc<Slots<Lease>>) -> Self {
        Self { idle: Mutex::default(), keep_alive, slots, home: Home::new() }
    }

    pub fn put(&self, lease: Lease) {
        let Some(mut lease) = self.slots.hand_on(self.home, lease) else { return };
        lease.idle_since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(lease);
        }
    }

    /// An idle connection that can be used at once. Nobody ever waits for one: a portal that does not read an upload to its
    /// end would hold up whoever comes next.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Option<Lease> {
        let mut unready = Vec::new();
        let usable = loop {
            let Some(mut lease) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else {
                break None;
            };
            match lease.poll_usable(cx) {
                Poll::Ready(true) if lease.idle_since.elapsed() < self.keep_alive => break Some(lease),
                Poll::Ready(_) => {}
                Poll::Pending => unready.push(lease),
            }
        };
        if !unready.is_empty() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.splice(..0, unready);
        }
        usable
    }

    /// Closes what has been idle too long, or is wanted elsewhere; the worker calls it every second.
    pub fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let expired = idle.iter().take_while(|lease| lease.idle_since.elapsed() >= self.keep_alive).count();
        // somebody of another worker began to wait just after the last one was put here
        let expired = expired.max(self.slots.waiting().min(idle.len()));
        let closed: Vec<Lease> = idle.drain(..expired).collect();
        drop(idle);
        drop(closed);
    }
}
