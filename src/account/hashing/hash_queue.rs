//! The bounded queue of password hashes, with limited concurrency.

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
    crypto::RandomUnavailable,
    domain::fairness::{Limit, Resource},
    telemetry::metrics::Count,
};

/// The queue is full, or memory for a hash could not be allocated: retry later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked; try again in {} s", .retry_after.as_secs())]
pub struct HasherBusy {
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
    /// The hash could not be computed.
    HashFailed,
}

impl BusyCause {
    /// The reason in the access log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Queue => "total_hash_slots",
            Self::ClientShare => Limit::Concurrency(Resource::HashSlot).reason(),
            Self::SameName => "too_many_sign_ins",
            Self::HashFailed => "hash_failed",
        }
    }
}

/// Why a hash could not be computed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HashError {
    #[error("argon2: {0}")]
    Argon2(argon2::Error),
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl From<HashError> for HasherBusy {
    fn from(_: HashError) -> Self {
        Self::retry_soon()
    }
}

impl HasherBusy {
    const fn retry_soon() -> Self {
        Self { retry_after: Duration::from_secs(1), cause: BusyCause::HashFailed }
    }
}

/// Prometheus counters.
#[derive(Debug, Clone, Default)]
pub struct HashMetrics {
    /// Passwords that were compared with a stored one.
    pub verified: Count,
    /// Dummy hashes without a stored password.
    pub dummy: Count,
    /// Rejections because the queue or the limit of a client was full.
    pub busy: Count,
    /// Rejections because of the limit of a client.
    pub client_limit: Count,
}

/// The class of slots that a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotClass {
    Current,
    Foreign,
    MemoryHeavy,
}

/// A place in the queue for all hashes of one attempt. An attempt with a place is not rejected as busy.
pub(super) struct QueuePermit(Arc<OwnedSemaphorePermit>);

pub(super) struct HashQueue {
    /// A place for each hash that runs or waits.
    places: Arc<Semaphore>,
    /// A slot for each hash that runs.
    slots: Arc<Semaphore>,
    /// Slots for foreign hashes, half as many: their cost does not delay current hashes.
    foreign: Arc<Semaphore>,
    /// Hashes that need more memory than the current ones run one at a time.
    memory_heavy: Arc<Semaphore>,
    threads: HashThreads,
    capacity: usize,
    concurrency: usize,
    /// How long a hash takes, in microseconds: a moving average.
    average_micros: AtomicU64,
    meters: HashMetrics,
}

impl HashQueue {
    pub(super) fn new(slots: usize, queue: usize, meters: HashMetrics) -> Self {
        let slots = slots.clamp(1, 1024);
        let capacity = slots.saturating_add(queue.min(1 << 20));
        Self {
            places: Arc::new(Semaphore::new(capacity)),
            slots: Arc::new(Semaphore::new(slots)),
            foreign: Arc::new(Semaphore::new(slots.div_ceil(2))),
            memory_heavy: Arc::new(Semaphore::new(1)),
            // one thread for each permit of the three semaphores
            threads: HashThreads::new(slots + slots.div_ceil(2) + 1),
            capacity,
            concurrency: slots,
            average_micros: AtomicU64::new(50_000),
            meters,
        }
    }

    pub(super) fn meters(&self) -> &HashMetrics {
        &self.meters
    }

    /// The maximum number of tasks that run or wait.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The error if the queue is full; counts it.
    pub(super) fn reject_full(&self) -> HasherBusy {
        self.meters.busy.inc();
        self.busy()
    }

    pub(super) fn enter(&self) -> Result<QueuePermit, HasherBusy> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        permit.map(|permit| QueuePermit(Arc::new(permit))).map_err(|_| self.reject_full())
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        class: SlotClass,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let permit = self.enter()?;
        self.run_in_slot(&permit, class, work).await
    }

    /// Runs the work in a slot.
    pub(super) async fn run_in_slot<T: Send + 'static>(
        &self,
        permit: &QueuePermit,
        class: SlotClass,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let permit = Arc::clone(&permit.0);
        let slot = self.slot(class).await?;
        self.run_blocking((permit, slot), work).await
    }

    /// Runs the work on a thread that hashes passwords. The work owns `held`, not the caller: should the caller go
    /// or the work panics, it is released when the work has ended, and not before.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        held: impl Send + 'static,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        let hashed = self.threads.spawn(move || {
            let _held = held;
            let start = Instant::now();
            (work(), start.elapsed())
        });
        match hashed.await {
            Ok((result, took)) => {
                self.record_duration(took);
                Ok(result)
            }
            Err(problem) => {
                tracing::error!(%problem, "failed to compute a password hash");
                Err(HasherBusy::retry_soon())
            }
        }
    }

    /// Waits for a slot in FIFO order.
    pub(super) async fn slot(&self, class: SlotClass) -> Result<OwnedSemaphorePermit, HasherBusy> {
        acquire(match class {
            SlotClass::Current => &self.slots,
            SlotClass::Foreign => &self.foreign,
            SlotClass::MemoryHeavy => &self.memory_heavy,
        })
        .await
    }

    /// The number of slots of a class.
    pub(super) fn slot_count(&self, class: SlotClass) -> usize {
        match class {
            SlotClass::Current => self.concurrency,
            SlotClass::Foreign => self.concurrency.div_ceil(2),
            SlotClass::MemoryHeavy => 1,
        }
    }

    fn record_duration(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(60_000_000);
        let typical = self.average_micros.load(Ordering::Relaxed);
        self.average_micros.store((typical.saturating_mul(7).saturating_add(took)) / 8, Ordering::Relaxed);
    }

    /// The estimated time until the queue is drained: 1 to 30 seconds.
    fn busy(&self) -> HasherBusy {
        let rounds = u64::try_from(self.capacity.div_ceil(self.concurrency)).unwrap_or(u64::MAX);
        let micros = self.average_micros.load(Ordering::Relaxed).saturating_mul(rounds);
        let retry_after = Duration::from_secs(micros.div_ceil(1_000_000).clamp(1, 30));
        HasherBusy { retry_after, cause: BusyCause::Queue }
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, HasherBusy> {
    // it is never closed
    Arc::clone(semaphore).acquire_owned().await.map_err(|_| HasherBusy::retry_soon())
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
    fn attack_flood_of_logins_gets_busy_with_retry_after() {
        runtime().block_on(async {
            let meters = HashMetrics::default();
            let queue = Arc::new(HashQueue::new(2, 3, meters.clone()));
            let mut running = Vec::new();
            let mut free = Vec::new();
            for _ in 0..5 {
                let (sender, work) = blocked();
                free.push(sender);
                let queue = Arc::clone(&queue);
                running.push(tokio::spawn(async move { queue.run(SlotClass::Current, work).await }));
            }
            while queue.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            for refused in 1..=1000 {
                let busy = queue.run(SlotClass::Current, || ()).await.unwrap_err();
                assert!(busy.retry_after >= Duration::from_secs(1));
                assert_eq!(meters.busy.get(), refused);
            }
            drop(free);
            for one in running {
                assert_eq!(one.await.unwrap(), Ok(()));
            }
            assert_eq!(queue.run(SlotClass::Current, || 7).await, Ok(7));
        });
    }

    #[test]
    fn cancelled_caller_frees_its_slot_only_after_the_work_ends() {
        runtime().block_on(async {
            let queue = Arc::new(HashQueue::new(1, 1, HashMetrics::default()));
            let (free, work) = blocked();
            let running = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(SlotClass::Current, work).await }
            });
            let waiting = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(SlotClass::Current, || ()).await }
            });
            while queue.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            // a waiting task is removed at once
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(queue.places.available_permits(), 1);
            // a running task still holds its memory
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
            assert_eq!((queue.places.available_permits(), queue.slots.available_permits()), (1, 0));
            drop(free);
            while queue.slots.available_permits() == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(queue.run(SlotClass::Current, || 7).await, Ok(7));
        });
    }

    #[test]
    fn a_panic_in_a_hash_costs_no_slot() {
        runtime().block_on(async {
            let queue = HashQueue::new(1, 0, HashMetrics::default());
            for _ in 0..10 {
                assert!(queue.run(SlotClass::MemoryHeavy, || panic!("on purpose")).await.is_err());
            }
            assert_eq!(queue.run(SlotClass::MemoryHeavy, || 7).await, Ok(7));
        });
    }

    #[test]
    fn hashes_that_ask_for_much_memory_run_one_at_a_time() {
        runtime().block_on(async {
            let queue = Arc::new(HashQueue::new(4, 4, HashMetrics::default()));
            let (free, work) = blocked();
            let first = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(SlotClass::MemoryHeavy, work).await }
            });
            while queue.memory_heavy.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            let second = tokio::spawn({
                let queue = Arc::clone(&queue);
                async move { queue.run(SlotClass::MemoryHeavy, || ()).await }
            });
            // current hashes proceed, the second foreign hash waits
            assert_eq!(queue.run(SlotClass::Current, || 7).await, Ok(7));
            assert!(!second.is_finished());
            drop(free);
            assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(()), Ok(())));
        });
    }

    #[test]
    fn retry_after_is_the_time_to_drain_the_queue() {
        let queue = HashQueue::new(2, 38, HashMetrics::default());
        assert_eq!(queue.busy().retry_after, Duration::from_secs(1));
        for _ in 0..100 {
            queue.record_duration(Duration::from_millis(200));
        }
        assert_eq!(queue.busy().retry_after, Duration::from_secs(4));
        queue.record_duration(Duration::MAX);
        assert!(queue.busy().retry_after <= Duration::from_secs(30));
    }
}
