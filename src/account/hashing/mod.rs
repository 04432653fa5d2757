//! Password hashing: argon2id, with limited concurrency and a bounded queue.
//!
//! A hash is expensive in memory and time by design. So there are `slots`, each with the memory of one
//! hash, and a bounded queue before them; if it is full, the caller gets [`HasherBusy`], and memory stays
//! bounded. Hashes of other systems are verified as well ([`hash_method`]) and replaced at the first
//! success. Each attempt first computes one current hash, then the foreign hash in separate slots; a
//! refused attempt waits for such a slot as well, and as long as the costliest of them takes
//! ([`PasswordHasher::delay_refusal`]), so that timing discloses nothing about a name.

mod argon;
mod client_limits;
mod costliest_methods;
pub mod hash_method;
mod hash_queue;
mod password;
mod response_floor;
mod salted;
mod threads;
mod wait_queue;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use argon::{Argon2Cost, InvalidArgon2Cost};
pub use client_limits::HashSlotPermit;
pub use costliest_methods::CostliestMethods;
pub use hash_queue::{BusyCause, HashMetrics, HasherBusy};
pub use password::Password;
pub use wait_queue::DelayedRefusal;

use argon::Argon2Hasher;
use client_limits::HashClientLimits;
use hash_method::HashMethod;
use hash_queue::{HashError, HashQueue, SlotClass};
use response_floor::ResponseTimeFloor;
use wait_queue::{RefusalDelay, WaitQueue, WaitQueuePlace};

use crate::{
    domain::{
        account::{HashFormat, StoredPassword},
        client::ClientAddress,
        fairness::ResourceLimit,
    },
    sync::client_limits::Exceeded,
};

/// Cheap to clone: all clones share one queue.
#[derive(Clone)]
pub struct PasswordHasher(Arc<HasherInner>);

struct HasherInner {
    argon: Argon2Hasher,
    queue: HashQueue,
    client_limits: HashClientLimits,
    response_floor: Mutex<ResponseTimeFloor>,
    wait_queue: WaitQueue,
    /// A stored hash needs so much memory that it must run alone: all turns are then serialised.
    is_serialized: AtomicBool,
}

impl HasherInner {
    fn busy_for_limit(&self, exceeded: Exceeded) -> HasherBusy {
        let full = self.queue.reject_full();
        if exceeded != Exceeded::Client {
            return full;
        }
        self.queue.meters().client_limit.inc();
        HasherBusy { cause: BusyCause::ClientShare, ..full }
    }
}

#[derive(Debug)]
pub enum PasswordVerification {
    /// `needs_rehash`: the hash is foreign or has other parameters; hash the password again while it is available.
    Match { needs_rehash: bool },
    /// With the remaining delay of the refusal.
    Mismatch(DelayedRefusal),
}

impl PasswordHasher {
    /// `slots` hashes at a time, `queue` more may wait.
    pub fn new(
        cost: Argon2Cost,
        slots: usize,
        queue: usize,
        meters: HashMetrics,
    ) -> Result<Self, InvalidArgon2Cost> {
        let client_limit = ResourceLimit::fraction(slots.saturating_add(queue), 4);
        Self::with_client_limit(cost, slots, queue, client_limit, meters)
    }

    /// `client_limit`: maximum for one client of slots and queue together.
    pub fn with_client_limit(
        cost: Argon2Cost,
        slots: usize,
        queue: usize,
        client_limit: usize,
        meters: HashMetrics,
    ) -> Result<Self, InvalidArgon2Cost> {
        let queue = HashQueue::new(slots, queue, meters);
        let client_limits = HashClientLimits::new(queue.capacity(), client_limit);
        Ok(Self(Arc::new(HasherInner {
            argon: Argon2Hasher::new(cost)?,
            queue,
            client_limits,
            response_floor: Mutex::default(),
            wait_queue: WaitQueue::default(),
            is_serialized: AtomicBool::new(false),
        })))
    }

    /// Acquires a permit of the client's limit, to be held from the beginning of an attempt until its
    /// end.
    pub fn acquire_permit(&self, address: ClientAddress) -> Result<HashSlotPermit, HasherBusy> {
        self.0.client_limits.acquire(address).map_err(|exceeded| self.0.busy_for_limit(exceeded))
    }

    /// As [`Self::acquire_permit`], from the reserve for known devices.
    pub fn acquire_reserved_permit(&self, address: ClientAddress) -> Result<HashSlotPermit, HasherBusy> {
        self.0.client_limits.acquire_reserved(address).map_err(|exceeded| self.0.busy_for_limit(exceeded))
    }

    /// Verifies a password against a stored hash. An unreadable hash matches nothing. Every attempt computes one
    /// current hash in one of the slots; a foreign hash is verified in addition, in separate slots.
    pub async fn verify(
        &self,
        password: &Password,
        stored: &str,
    ) -> Result<PasswordVerification, HasherBusy> {
        let method = HashMethod::parse(stored);
        // an account whose owner has yet to choose a password is nothing to warn of
        if let Err(problem) = &method
            && stored != StoredPassword::unusable().expose()
        {
            tracing::warn!(%problem, "a stored password hash cannot be read; it matches no password");
        }
        let (inner, password) = (Arc::clone(&self.0), password.clone());
        let queued = inner.queue.enter()?;
        inner.queue.meters().verified.inc();
        let method = match method {
            // hashing a second spelling would take longer, and disclose that the name is known
            Ok(method) if inner.argon.is_current(&method) && !password.is_too_long() => {
                let ours = move || method.matches_normalized(&password);
                let matches = inner.queue.run_in_slot(&queued, SlotClass::Current, ours).await??;
                // a correct password is not delayed
                return Ok(if matches {
                    PasswordVerification::Match { needs_rehash: false }
                } else {
                    PasswordVerification::Mismatch(self.queue_refusal())
                });
            }
            method => method.ok().filter(|_| !password.is_too_long()),
        };
        let spending = Arc::clone(&inner);
        inner.queue.run_in_slot(&queued, SlotClass::Current, move || spending.argon.hash_dummy()).await??;
        // release the place in the queue for attempts with current hashes
        drop(queued);
        let Some(method) = method else {
            return Ok(PasswordVerification::Mismatch(self.queue_refusal()));
        };
        self.verify_foreign(password, method).await
    }

    /// Verifies a foreign hash in a turn of the common length.
    async fn verify_foreign(
        &self,
        password: Password,
        method: HashMethod,
    ) -> Result<PasswordVerification, HasherBusy> {
        let (queue, spellings) = (&self.0.queue, password.spelling_count());
        let slots = if self.is_memory_heavy(&method) { SlotClass::MemoryHeavy } else { self.slots() };
        let turn = self.response_floor().current(Instant::now());
        let Some(place) = self.0.wait_queue.enter(queue.slot_count(slots), turn) else {
            return Ok(PasswordVerification::Mismatch(self.refuse_full_queue()));
        };
        let held = Arc::new((place, queue.slot(slots).await?));
        let began = Instant::now();
        wait_queue::hold_slot_for_turn(Arc::clone(&held), began, turn.saturating_mul(spellings));
        let matches = queue.run_blocking(held, move || method.matches_any_spelling(&password)).await?;
        let now = Instant::now();
        self.response_floor().observe(now.saturating_duration_since(began) / spellings, now);
        Ok(if matches? {
            PasswordVerification::Match { needs_rehash: true }
        } else {
            PasswordVerification::Mismatch(DelayedRefusal(RefusalDelay::TurnTaken(began)))
        })
    }

    /// Queues an attempt without a foreign hash among those with one.
    fn queue_refusal(&self) -> DelayedRefusal {
        let each = self.response_floor().current(Instant::now());
        if each.is_zero() {
            return DelayedRefusal(RefusalDelay::None);
        }
        let place = self.0.wait_queue.enter(self.0.queue.slot_count(self.slots()), each);
        place.map_or_else(|| self.refuse_full_queue(), |place| DelayedRefusal(RefusalDelay::Queued(place)))
    }

    fn refuse_full_queue(&self) -> DelayedRefusal {
        self.0.queue.meters().busy.inc();
        DelayedRefusal(RefusalDelay::Full)
    }

    /// Delays the response of a refused attempt: by its turn in the wait queue, and for as long as the costliest hash
    /// takes. A password with two spellings may take two hashes, for unknown names as for all others.
    pub async fn delay_refusal(&self, refusal: DelayedRefusal, password: &Password) {
        let began = match refusal.0 {
            RefusalDelay::None | RefusalDelay::Full => return,
            RefusalDelay::TurnTaken(began) => began,
            RefusalDelay::Queued(place) => match self.wait_for_turn(place, password).await {
                Ok(began) => began,
                Err(_) => return,
            },
        };
        let min_delay =
            self.response_floor().current(Instant::now()).saturating_mul(password.spelling_count());
        let rest = min_delay.saturating_sub(began.elapsed());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }

    /// Waits for a turn without work.
    async fn wait_for_turn(&self, place: WaitQueuePlace, password: &Password) -> Result<Instant, HasherBusy> {
        let slot = self.0.queue.slot(self.slots()).await?;
        let (began, each) = (Instant::now(), self.response_floor().current(Instant::now()));
        wait_queue::hold_slot_for_turn(
            Arc::new((place, slot)),
            began,
            each.saturating_mul(password.spelling_count()),
        );
        Ok(began)
    }

    /// The form of current hashes; all others have to be passed to `calibrate`.
    pub fn hash_format(&self) -> HashFormat {
        self.0.argon.hash_format()
    }

    /// Measures the verification of the costliest stored hashes on this machine, each method once.
    pub async fn calibrate(&self, methods: CostliestMethods) -> Result<(), HasherBusy> {
        let (mut most, mut one_by_one) = (Duration::ZERO, false);
        for method in methods.into_methods().into_iter().filter(|method| !self.0.argon.is_current(method)) {
            let is_memory_heavy = self.is_memory_heavy(&method);
            one_by_one |= is_memory_heavy;
            let work = move || {
                let start = Instant::now();
                method.matches_normalized(&Password::new("dummy password"))?;
                Ok::<_, HashError>(start.elapsed())
            };
            let class = if is_memory_heavy { SlotClass::MemoryHeavy } else { SlotClass::Foreign };
            most = most.max(self.0.queue.run(class, work).await??);
        }
        self.response_floor().set_calibrated(most);
        self.0.is_serialized.store(one_by_one, Ordering::Relaxed);
        Ok(())
    }

    fn is_memory_heavy(&self, method: &HashMethod) -> bool {
        method.memory_kib() > self.0.argon.cost().memory_kib
    }

    /// The slots that refused attempts wait for.
    fn slots(&self) -> SlotClass {
        if self.0.is_serialized.load(Ordering::Relaxed) { SlotClass::MemoryHeavy } else { SlotClass::Foreign }
    }

    fn response_floor(&self) -> MutexGuard<'_, ResponseTimeFloor> {
        self.0.response_floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the password matches one of the history. Not counted as an attempt.
    pub async fn matches_any(&self, password: &Password, stored: Vec<String>) -> Result<bool, HasherBusy> {
        let methods: Vec<HashMethod> =
            stored.iter().filter_map(|text| HashMethod::parse(text).ok()).collect();
        let password = password.clone();
        let is_memory_heavy = methods.iter().any(|method| self.is_memory_heavy(method));
        let class = if is_memory_heavy { SlotClass::MemoryHeavy } else { SlotClass::Current };
        let any = move || {
            methods.iter().try_fold(false, |found, method| {
                Ok::<_, HashError>(found || method.matches_any_spelling(&password)?)
            })
        };
        Ok(self.0.queue.run(class, any).await??)
    }

    /// Computes a new hash for storage.
    pub async fn hash(&self, password: &Password) -> Result<String, HasherBusy> {
        let inner = Arc::clone(&self.0);
        let password = password.clone();
        Ok(self.0.queue.run(SlotClass::Current, move || inner.argon.hash(&password)).await??)
    }

    /// Runs other expensive work, such as a policy check, in the same queue.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherBusy> {
        self.0.queue.run(SlotClass::Current, work).await
    }

    /// Spends the cost of a verification for a name without a password.
    pub async fn verify_dummy(&self) -> Result<DelayedRefusal, HasherBusy> {
        let inner = Arc::clone(&self.0);
        let work = move || {
            inner.queue.meters().dummy.inc();
            inner.argon.hash_dummy()
        };
        self.0.queue.run(SlotClass::Current, work).await??;
        Ok(self.queue_refusal())
    }
}

#[cfg(test)]
mod tests;
