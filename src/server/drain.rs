//! Going away politely: first not ready but serving, then no new connections, then the end.

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

pub struct DrainControl(watch::Sender<Phase>);

pub fn drain() -> (DrainControl, DrainSignal) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    (DrainControl(sender), DrainSignal(receiver))
}

impl DrainControl {
    /// Phases only go forward.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let forward = phase > *current;
            if forward {
                *current = phase;
            }
            forward
        });
    }

    pub fn phase(&self) -> Phase {
        *self.0.borrow()
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
