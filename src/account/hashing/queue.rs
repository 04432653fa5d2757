//! So many hashes at a time, so many waiting, and no more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::threads::HashThreads;
use crate::{
    domain::fairness::{Limit, Resource},
    telemetry::metrics::Count,
};

/// The queue is full, or a hash could not be made for want of memory: come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked; try again in {} s", .retry_after.as_secs())]
pub struct Busy {
    pub retry_after: Duration,
    pub cause: BusyCause,
}

/// Why an attempt is refused before its password is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusyCause {
    /// The queue of all clients is full.
    Queue,
    /// The client has used up its share of the queue.
    ClientShare,
    /// Whether the name is locked depends on other attempts that are not decided yet.
    SameName,
}

impl BusyCause {
    /// The reason in the access log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Queue => "total_hash_slots",
            Self::ClientShare => Limit::Held(Resource::HashSlot).reason(),
            Self::SameName => "too_many_sign_ins",
        }
    }
}

impl Busy {
    pub(super) const fn soon() -> Self {
        Self { retry_after: Duration::from_secs(1), cause: BusyCause::Queue }
    }
}

/// What is counted for Prometheus.
#[derive(Debug, Clone, Default)]
pub struct Meters {
    /// Passwords that were compared with a stored one.
    pub verified: Count,
    /// Times the same was spent for nobody.
    pub spent: Count,
    /// Times the queue, or a client's share of it, was full.
    pub busy: Count,
    /// Times it was the client's share.
    pub share_full: Count,
}

/// Which slots work waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Ours,
    Others,
    Greedy,
}

/// A place in the queue, for all that has to be hashed for one attempt. Whoever has one is not told to come back.
pub(super) struct Queued(Arc<OwnedSemaphorePermit>);

pub(super) struct Queue {
    /// A place for each hash that runs or waits.
    places: Arc<Semaphore>,
    /// A slot for each hash that runs.
    slots: Arc<Semaphore>,
    /// Hashes of other systems have slots of their own, half as many: what they cost is no reason for others to wait.
    others: Arc<Semaphore>,
    /// Those that ask for more memory than ours run one at a time.
    greedy: Arc<Semaphore>,
    threads: HashThreads,
    capacity: usize,
    at_a_time: usize,
    /// How long a hash takes, in microseconds: a moving average.
    typical: AtomicU64,
    meters: Meters,
}

impl Queue {
    pub(super) fn new(slots: usize, queue: usize, meters: Meters) -> Self {
        let slots = slots.clamp(1, 1024);
        let capacity = slots.saturating_add(queue.min(1 << 20));
        Self {
            places: Arc::new(Semaphore::new(capacity)),
            slots: Arc::new(Semaphore::new(slots)),
            others: Arc::new(Semaphore::new(slots.div_ceil(2))),
            greedy: Arc::new(Semaphore::new(1)),
            // one thread for each permit of the three semaphores
            threads: HashThreads::new(slots + slots.div_ceil(2) + 1),
            capacity,
            at_a_time: slots,
            typical: AtomicU64::new(50_000),
            meters,
        }
    }

    pub(super) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// As many as run or wait at a time.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// What somebody is told for whom there is no place.
    pub(super) fn full(&self) -> Busy {
        self.meters.busy.inc();
        self.busy()
    }

    pub(super) fn enter(&self) -> Result<Queued, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map(|place| Queued(Arc::new(place))).map_err(|_| self.full())
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.enter()?;
        self.timed(&place, lane, work).await
    }

    /// Runs the work in a slot.
    pub(super) async fn timed<T: Send + 'static>(
        &self,
        place: &Queued,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Arc::clone(&place.0);
        let slot = self.slot(lane).await?;
        self.with((place, slot), work).await
    }

    /// Runs the work on a thread that hashes passwords. What is held belongs to the work, not to the caller: should the caller go
    /// away, or the work panic, it is free when the work has ended, and not before.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let hashed = self.threads.spawn(move || {
            let _held = held;
            let start = Instant::now();
            (work(), start.elapsed())
        });
        match hashed.await {
            Ok((result, took)) => {
                self.learn(took);
                Ok(result)
            }
            Err(problem) => {
                tracing::error!(%problem, "a password hash was not completed");
                Err(Busy::soon())
            }
        }
    }

    /// Waits for a slot, behind all who came before.
    pub(super) async fn slot(&self, lane: Lane) -> Result<OwnedSemaphorePermit, Busy> {
        acquire(match lane {
            Lane::Ours => &self.slots,
            Lane::Others => &self.others,
            Lane::Greedy => &self.greedy,
        })
        .await
    }

    /// How many run at a time there.
    pub(super) fn width(&self, lane: Lane) -> usize {
        match lane {
            Lane::Ours => self.at_a_time,
            Lane::Others => self.at_a_time.div_ceil(2),
            Lane::Greedy => 1,
        }
    }

    fn learn(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(60_000_000);
        let typical = self.typical.load(Ordering::Relaxed);
        self.typical.store((typical.saturating_mul(7).saturating_add(took)) / 8, Ordering::Relaxed);
    }

    /// When the queue of now will have gone: at least a second, at most half a minute.
    fn busy(&self) -> Busy {
        let rounds = u64::try_from(self.capacity.div_ceil(self.at_a_time)).unwrap_or(u64::MAX);
        let micros = self.typical.load(Ordering::Relaxed).saturating_mul(rounds);
        let retry_after = Duration::from_secs(micros.div_ceil(1_000_000).clamp(1, 30));
        Busy { retry_after, cause: BusyCause::Queue }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Busy> {
    // it is never closed
    Arc::clone(semaphore).acquire_owned().await.map_err(|_| Busy::soon())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Work that goes on until its other half is dropped or used.
    fn blocked() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (free, wait) = mpsc::channel::<()>();
        (free, move || {
            let _ = wait.recv();
        })
    }

    #[test]
    fn attack_flood_of_logins_is_told_to_come_back() {
        runtime().block_on(async {
            let meters = Meters::default();
            let queue = Arc::new(Queue::new(2, 3, meters.clone()));
            let mut running = Vec::new();
            let mut free = Vec::new();
            for _ in 0..5 {
                let (sender, work) = blocked();
                free.push(sender);
                let queue = Arc::clone(&queue);
                running.push(tokio::spawn(async move { queue.run(Lane::Ours, work).await }));
            }
            while queue.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            for refused in 1..=1000 {
                let busy = queue.run(Lane::Ours, || ()).await.unwrap_err();
                assert!(busy.retry_after >= Duration::from_secs(1));
                assert_eq!(meters.busy.get(), refused);
            }
            drop(free);
            for one in running {
                assert_eq!(one.await.unwrap(), Ok(()));
            }
            assert_eq!(queue.run(Lane::Ours, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_caller_who_goes_away_frees_the_place_when_the_work_has_ended() {
        runtime().block_on(async {
            let queue = Arc::new(Queue::new(1, 1, Meters::default()));
            let (free, work) = blocked();
            let running = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(Lane::Ours, work).await }
            });
            let waiting = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(Lane::Ours, || ()).await }
            });
            while queue.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            // one that waits is gone at once
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(queue.places.available_permits(), 1);
            // one that runs still has its memory
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
            assert_eq!((queue.places.available_permits(), queue.slots.available_permits()), (1, 0));
            drop(free);
            while queue.slots.available_permits() == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(queue.run(Lane::Ours, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_panic_in_a_hash_costs_no_slot() {
        runtime().block_on(async {
            let queue = Queue::new(1, 0, Meters::default());
            for _ in 0..10 {
                assert!(queue.run(Lane::Greedy, || panic!("on purpose")).await.is_err());
            }
            assert_eq!(queue.run(Lane::Greedy, || 7).await, Ok(7));
        });
    }

    #[test]
    fn hashes_that_ask_for_much_memory_run_one_at_a_time() {
        runtime().block_on(async {
            let queue = Arc::new(Queue::new(4, 4, Meters::default()));
            let (free, work) = blocked();
            let first = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(Lane::Greedy, work).await }
            });
            while queue.greedy.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            let second = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(Lane::Greedy, || ()).await }
            });
            // ours go on beside it, the second one of the others waits
            assert_eq!(queue.run(Lane::Ours, || 7).await, Ok(7));
            assert!(!second.is_finished());
            drop(free);
            assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(()), Ok(())));
        });
    }

    #[test]
    fn the_time_to_come_back_is_the_time_the_queue_takes() {
        let queue = Queue::new(2, 38, Meters::default());
        assert_eq!(queue.busy().retry_after, Duration::from_secs(1));
        for _ in 0..100 {
            queue.learn(Duration::from_millis(200));
        }
        assert_eq!(queue.busy().retry_after, Duration::from_secs(4));
        queue.learn(Duration::MAX);
        assert!(queue.busy().retry_after <= Duration::from_secs(30));
    }
}
