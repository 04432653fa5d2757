//! Limits per client: counts what each client holds of shared resources, and its request rate. There is one atomic counter
//! per resource and client, linked to the counters of the networks around it and of all clients.
//!
//! A client is looked up once per connection (or per request, behind a trusted proxy); counting takes no lock, no hash and
//! no allocation. To limit another resource add a variant to [`Resource`], a key that becomes its [`ResourceLimit`], and an
//! [`acquire`](ClientState::acquire) where it is taken.
//!
//! Memory is bounded: an entry is retained while its client holds a resource, and until its request rate has recovered,
//! which takes at most burst / rate seconds. Above [`MAX_IDLE`] entries, those that hold nothing are removed at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::permit_queue::PermitQueue;
use crate::domain::{
    client::Network,
    fairness::{LimitScope, Rate, Resource, ResourceLimit},
    identity::User,
};

const SHARDS: usize = 16;
/// Entries that hold no resource, about 200 bytes each.
const MAX_IDLE: usize = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ClientKey {
    Network(Network),
    /// A keyed hash of tenant and name.
    User(u64),
}

/// The clients of all workers that hold a resource, or whose request rate has not recovered.
#[derive(Debug)]
pub struct ClientRegistry {
    shards: [Mutex<HashMap<ClientKey, Arc<ClientState>>>; SHARDS],
    hasher: RandomState,
    all: Arc<ClientState>,
    epoch: Instant,
    /// The second, counted from `epoch`, in which idle entries were last removed.
    swept: AtomicU64,
}

/// The resources held by one client, by a network, or by all clients together.
#[derive(Debug)]
pub struct ClientState {
    breadth: LimitScope,
    held: [AtomicUsize; Resource::COUNT],
    /// When the next request is due, see [`Rate::conform`].
    arrival: AtomicU64,
    wider: Option<Arc<ClientState>>,
    /// Requests that wait for an upstream connection.
    pub(super) queue: PermitQueue,
}

/// The limit that would be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceeded {
    /// The client's, or that of a network it belongs to.
    Client,
    /// That of all clients together.
    All,
}

/// Part of a resource, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    client: Arc<ClientState>,
    resource: Resource,
    amount: usize,
}

impl Default for ClientRegistry {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            hasher: RandomState::new(),
            all: Arc::new(ClientState::new(LimitScope::ALL, None)),
            epoch: Instant::now(),
            swept: AtomicU64::new(0),
        }
    }
}

impl ClientRegistry {
    /// All clients together: also the state of a client that has no limit of its own.
    pub fn all(&self) -> &Arc<ClientState> {
        &self.all
    }

    pub fn by_address(&self, address: IpAddr) -> Arc<ClientState> {
        let address = address.to_canonical();
        let prefixes = Network::prefixes(address);
        let steps = u8::try_from(prefixes.len()).unwrap_or(u8::MAX);
        let mut wider = Arc::clone(&self.all);
        // widest first: each is linked to the one around it
        for (step, prefix) in (0..steps).zip(prefixes).rev() {
            let key = ClientKey::Network(Network::of(address, *prefix));
            wider = self.entry(key, LimitScope::new(step, steps), wider);
        }
        wider
    }

    /// An authenticated user is a client of its own, whatever its address.
    pub fn by_user(&self, user: &User) -> Arc<ClientState> {
        let key = ClientKey::User(self.hasher.hash_one((user.tenant.as_str(), user.name.as_str())));
        self.entry(key, LimitScope::new(0, 1), Arc::clone(&self.all))
    }

    fn entry(&self, key: ClientKey, breadth: LimitScope, wider: Arc<ClientState>) -> Arc<ClientState> {
        let Some(shard) = self.shard(&key) else { return wider };
        let mut clients = lock(shard);
        if let Some(known) = clients.get(&key) {
            return Arc::clone(known);
        }
        // not at each insertion: a scan of entries that are in use removes nothing
        if clients.len() >= MAX_IDLE / SHARDS && clients.len().is_multiple_of(512) {
            clients.retain(|_, client| Arc::strong_count(client) > 1);
        }
        let new = Arc::new(ClientState::new(breadth, Some(wider)));
        clients.insert(key, Arc::clone(&new));
        new
    }

    fn shard(&self, key: &ClientKey) -> Option<&Mutex<HashMap<ClientKey, Arc<ClientState>>>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or_default();
        self.shards.get(hash)
    }

    /// Whether the client has sent many requests at once. All clients together have no rate.
    pub fn is_in_burst(&self, client: &ClientState, rate: Rate, at: Instant) -> bool {
        let arrival = client.arrival.load(Ordering::Relaxed);
        rate.is_burst(arrival, nanoseconds(at.saturating_duration_since(self.epoch)))
    }

    /// Takes one request of the client's rate; `Err` is how long to wait. All clients together have no rate. A request that
    /// the rate of a network rejects does not count for the client.
    pub fn take_request(&self, client: &ClientState, rate: Rate, at: Instant) -> Result<(), Duration> {
        let now = nanoseconds(at.saturating_duration_since(self.epoch));
        let mut next = client;
        while let Some(wider) = &next.wider {
            let conform = |arrival| rate.conform(next.breadth, arrival, now).ok();
            if let Err(arrival) = next.arrival.fetch_update(Ordering::Relaxed, Ordering::Relaxed, conform) {
                let wait = rate.conform(next.breadth, arrival, now).err().unwrap_or_default();
                client.give_back_request(rate, next);
                return Err(wait);
            }
            next = wider;
        }
        Ok(())
    }

    /// At most once a second: removes clients that hold nothing and have their whole burst again.
    pub fn sweep(&self, at: Instant) {
        let since = at.saturating_duration_since(self.epoch);
        if self.swept.swap(since.as_secs(), Ordering::Relaxed) == since.as_secs() {
            return;
        }
        let now = nanoseconds(since);
        for shard in &self.shards {
            let mut clients = lock(shard);
            clients.retain(|_, client| {
                Arc::strong_count(client) > 1 || client.arrival.load(Ordering::Relaxed) > now
            });
            if clients.capacity() > 64 && clients.len() < clients.capacity() / 4 {
                clients.shrink_to_fit();
            }
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ClientState {
    fn new(breadth: LimitScope, wider: Option<Arc<Self>>) -> Self {
        Self {
            breadth,
            held: Default::default(),
            arrival: AtomicU64::new(0),
            wider,
            queue: PermitQueue::default(),
        }
    }

    /// The amount of a resource that is held now.
    pub fn held(&self, resource: Resource) -> usize {
        self.counter(resource).load(Ordering::Relaxed)
    }

    fn counter(&self, resource: Resource) -> &AtomicUsize {
        let [
            connection,
            request,
            request_body,
            upgrade,
            upstream_connection,
            hash_slot,
            buffered_bytes,
            guarded_sign_in,
        ] = &self.held;
        match resource {
            Resource::Connection => connection,
            Resource::Request => request,
            Resource::RequestBody => request_body,
            Resource::Upgrade => upgrade,
            Resource::UpstreamConnection => upstream_connection,
            Resource::HashSlot => hash_slot,
            Resource::BufferedBytes => buffered_bytes,
            Resource::GuardedSignIn => guarded_sign_in,
        }
    }

    /// Removes a request from the rate of this state and of each wider one below `rejected_by`.
    fn give_back_request(&self, rate: Rate, rejected_by: &Self) {
        let mut at = self;
        while !std::ptr::eq(at, rejected_by) {
            at.arrival.fetch_sub(rate.interval_nanos(at.breadth), Ordering::Relaxed);
            let Some(wider) = &at.wider else { return };
            at = wider;
        }
    }

    /// Takes part of a resource, for the client, the networks around it, and all clients.
    pub fn acquire(
        self: &Arc<Self>,
        resource: Resource,
        amount: usize,
        share: ResourceLimit,
    ) -> Result<Permit, Exceeded> {
        self.try_acquire(resource, amount, share).map_err(|limit| match limit.wider {
            Some(_) => Exceeded::Client,
            None => Exceeded::All,
        })
    }

    /// `Err` is the state whose limit would be exceeded.
    pub(super) fn try_acquire(
        self: &Arc<Self>,
        resource: Resource,
        amount: usize,
        share: ResourceLimit,
    ) -> Result<Permit, &Self> {
        let mut at = &**self;
        loop {
            // sequentially consistent with `PermitQueue`; it costs as much as a relaxed operation on x86
            let held = at.counter(resource).fetch_add(amount, Ordering::SeqCst).saturating_add(amount);
            match &at.wider {
                // fast path: most clients hold less than the smallest limit
                Some(wider) if held <= share.client || held <= share.limit(at.breadth) => at = wider,
                None if held <= share.all => {
                    return Ok(Permit { client: Arc::clone(self), resource, amount });
                }
                _ => {
                    self.release(resource, amount, Some(at));
                    return Err(at);
                }
            }
        }
    }

    /// Counts what the client already holds, even above the limits.
    pub fn reserve(self: &Arc<Self>, resource: Resource, amount: usize) -> Permit {
        let mut next = Some(self);
        while let Some(at) = next {
            at.counter(resource).fetch_add(amount, Ordering::Relaxed);
            next = at.wider.as_ref();
        }
        Permit { client: Arc::clone(self), resource, amount }
    }

    /// Whether the client, or a network that it belongs to, holds its share or more; and what all clients hold.
    pub fn usage(&self, resource: Resource, share: ResourceLimit) -> (bool, usize) {
        let (mut at, mut is_over_share) = (self, false);
        while let Some(wider) = &at.wider {
            let held = at.held(resource);
            // fast path: most clients hold less than the smallest limit
            is_over_share |= held >= share.client && held >= share.limit(at.breadth);
            at = wider;
        }
        (is_over_share, at.held(resource))
    }

    /// Gives back at this state and at each wider one, up to and including `last`, or up to all clients.
    fn release(&self, resource: Resource, amount: usize, last: Option<&Self>) {
        let mut at = self;
        loop {
            at.counter(resource).fetch_sub(amount, Ordering::SeqCst);
            match &at.wider {
                Some(wider) if !last.is_some_and(|last| std::ptr::eq(last, at)) => at = wider,
                _ => return,
            }
        }
    }
}

impl Permit {
    pub const fn client(&self) -> &Arc<ClientState> {
        &self.client
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.client.release(self.resource, self.amount, None);
        if self.resource == Resource::UpstreamConnection {
            let mut next = Some(&self.client);
            while let Some(at) = next {
                at.queue.wake_one();
                next = at.wider.as_ref();
            }
        }
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
