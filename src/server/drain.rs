//! Going away politely: first not ready but serving, then no new connections, then the end.

use std::sync::OnceLock;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Serving,
    /// Not ready any more, so that the balancer stops sending; everything still works.
    Leaving,
    /// No new connections; those that are open end with their current request.
    Closing,
    /// What is left is cut.
    Gone,
}

/// Says which phase it is; cheap to clone.
#[derive(Debug, Clone)]
pub struct DrainSignal(watch::Receiver<Phase>);

/// What was still open when the drain ended, and was cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    pub connections: u64,
    pub requests: u64,
    pub websockets: u64,
}

pub struct DrainControl {
    phase: watch::Sender<Phase>,
    count_open: Box<dyn Fn() -> Cut + Send + Sync>,
    cut: OnceLock<Cut>,
}

/// `count_open` counts what is open at the moment.
pub fn drain(count_open: impl Fn() -> Cut + Send + Sync + 'static) -> (DrainControl, DrainSignal) {
    let (phase, receiver) = watch::channel(Phase::Serving);
    (DrainControl { phase, count_open: Box::new(count_open), cut: OnceLock::new() }, DrainSignal(receiver))
}

impl DrainControl {
    /// Phases only go forward.
    pub fn advance(&self, phase: Phase) {
        if phase == Phase::Gone {
            // before anything is cut
            self.cut.get_or_init(&self.count_open);
        }
        self.phase.send_if_modified(|current| {
            let forward = phase > *current;
            if forward {
                *current = phase;
            }
            forward
        });
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Nothing before the end of the drain.
    pub fn cut(&self) -> Cut {
        self.cut.get().copied().unwrap_or_default()
    }
}

impl DrainSignal {
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns when `phase` has come (also when nobody is left who could say so).
    pub async fn reached(&mut self, phase: Phase) {
        let _ = self.0.wait_for(|current| *current >= phase).await;
    }
}
