//! Idle HTTP/1.1 connections to one upstream, of one worker. Last in, first out, so that few stay in use.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Context,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    connection_slots::{ConnectionSlots, WorkerId},
    lease::Lease,
};

/// More than this many idle connections to one upstream are closed.
const MAX_IDLE: usize = 1024;

pub struct ConnectionPool {
    idle: Mutex<Vec<Lease>>,
    keep_alive: Duration,
    pub(super) slots: Arc<ConnectionSlots<Lease>>,
    pub(super) worker: WorkerId,
}

impl ConnectionPool {
    pub fn new(keep_alive: Duration, slots: Arc<ConnectionSlots<Lease>>) -> Self {
        Self { idle: Mutex::default(), keep_alive, slots, worker: WorkerId::new() }
    }

    pub fn put(&self, mut lease: Lease) {
        lease.shrink();
        let Some(lease) = self.slots.hand_over(self.worker, lease) else { return };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(lease);
        }
    }

    /// An idle connection that can be used at once.
    pub fn take(&self, cx: &mut Context<'_>) -> Option<Lease> {
        loop {
            let mut lease = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if lease.is_usable(cx) && !self.is_too_old(&lease) {
                return Some(lease);
            }
        }
    }

    /// Closes connections that are idle too long or wanted by another worker; called every second, the only check of the clock.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        for lease in idle.iter_mut() {
            lease.idle_since.get_or_insert(now);
        }
        let expired = idle.iter().take_while(|lease| self.is_too_old(lease)).count();
        // a waiter of another worker may have been queued just after the last connection was returned
        let expired = expired.max(self.slots.waiting().min(idle.len()));
        let closed: Vec<Lease> = idle.drain(..expired).collect();
        drop(idle);
        drop(closed);
    }

    fn is_too_old(&self, lease: &Lease) -> bool {
        lease.idle_since.is_some_and(|since| since.elapsed() >= self.keep_alive)
    }
}
