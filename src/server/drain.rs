//! Draining: first not ready but serving, then no new connections, then termination.

use std::sync::OnceLock;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrainPhase {
    Serving,
    /// Not ready any more, so that the load balancer stops sending; everything is still served.
    Draining,
    /// No new connections; those that are open end with their current request.
    Closing,
    /// Remaining connections are closed.
    Terminated,
}

/// Reports the drain phase; cheap to clone.
#[derive(Debug, Clone)]
pub struct DrainSignal(watch::Receiver<DrainPhase>);

/// Connections and requests that were still open when the drain ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DrainReport {
    pub connections: u64,
    pub requests: u64,
    pub websockets: u64,
}

pub struct DrainControl {
    phase: watch::Sender<DrainPhase>,
    count_open: Box<dyn Fn() -> DrainReport + Send + Sync>,
    report: OnceLock<DrainReport>,
}

/// `count_open` counts open connections and requests at the moment.
pub fn drain_channel(
    count_open: impl Fn() -> DrainReport + Send + Sync + 'static,
) -> (DrainControl, DrainSignal) {
    let (phase, receiver) = watch::channel(DrainPhase::Serving);
    (DrainControl { phase, count_open: Box::new(count_open), report: OnceLock::new() }, DrainSignal(receiver))
}

impl DrainControl {
    /// Phases only go forward.
    pub fn advance(&self, phase: DrainPhase) {
        if phase == DrainPhase::Terminated {
            // before connections are closed
            self.report.get_or_init(&self.count_open);
        }
        self.phase.send_if_modified(|current| {
            let forward = phase > *current;
            if forward {
                *current = phase;
            }
            forward
        });
    }

    pub fn phase(&self) -> DrainPhase {
        *self.phase.borrow()
    }

    /// All zero before the end of the drain.
    pub fn report(&self) -> DrainReport {
        self.report.get().copied().unwrap_or_default()
    }
}

impl DrainSignal {
    pub fn phase(&self) -> DrainPhase {
        *self.0.borrow()
    }

    /// Returns when `phase` is reached (also when the `DrainControl` was dropped).
    pub async fn reached(&mut self, phase: DrainPhase) {
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}
