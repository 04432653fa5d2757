//! Passwords are hashed here and nowhere else: argon2id, so many at a time, in a queue that has an end.
//!
//! A hash costs memory and time on purpose. So there are `slots`, each with the memory of one hash, and a bounded queue
//! before them; whoever finds it full is told to come back ([`Busy`]), and the process never runs out of memory.
//! Hashes that other systems made are verified too ([`stored`]) and are to be replaced by ours at the first success. They
//! cost a hash of ours first, as every attempt does, and then their own in slots apart; and whoever is refused waits for such a
//! slot, too, and as long as the costliest of them takes ([`Hasher::hold_back`]), so that time tells nothing about a name.

mod argon;
mod floor;
mod kinds;
mod line;
mod password;
mod queue;
mod salted;
mod shares;
pub mod stored;
mod threads;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use argon::{BadCost, Cost};
pub use kinds::Kinds;
pub use line::Refusal;
pub use password::Password;
pub use queue::{Busy, BusyCause, Meters};
pub use shares::Place;

use argon::Argon;
use floor::Floor;
use line::{InLine, Line, Wait};
use queue::{Lane, Queue};
use shares::Shares;
use stored::Method;

use crate::{
    domain::{account::StoredPassword, client::ClientAddress, fairness::Share},
    sync::client_limits::Exceeded,
};

/// Cheap to clone: all clones share one queue.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    argon: Argon,
    queue: Queue,
    shares: Shares,
    floor: Mutex<Floor>,
    line: Line,
    /// A hash in the store needs so much memory that it has to be alone: then all in the line go one by one.
    one_by_one: AtomicBool,
}

impl Inner {
    fn full(&self, exceeded: Exceeded) -> Busy {
        let full = self.queue.full();
        if exceeded != Exceeded::Client {
            return full;
        }
        self.queue.meters().share_full.inc();
        Busy { cause: BusyCause::ClientShare, ..full }
    }
}

#[derive(Debug)]
pub struct Verified {
    pub matches: bool,
    /// The hash is another system's, or made at another cost: hash the password anew, now that it is known.
    pub needs_rehash: bool,
    /// What the attempt has yet to wait for, if it is refused.
    pub refusal: Refusal,
}

impl Verified {
    /// A password that was compared with nothing.
    pub(super) fn nobodys(refusal: Refusal) -> Self {
        Self { matches: false, needs_rehash: false, refusal }
    }
}

impl Hasher {
    /// `slots` hashes at a time, `queue` more may wait.
    pub fn new(cost: Cost, slots: usize, queue: usize, meters: Meters) -> Result<Self, BadCost> {
        let share = Share::fraction(slots.saturating_add(queue), 4);
        Self::with_share(cost, slots, queue, share, meters)
    }

    /// One client has `share` of the slots and the queue together.
    pub fn with_share(
        cost: Cost,
        slots: usize,
        queue: usize,
        share: usize,
        meters: Meters,
    ) -> Result<Self, BadCost> {
        let queue = Queue::new(slots, queue, meters);
        let shares = Shares::new(queue.capacity(), share);
        Ok(Self(Arc::new(Inner {
            argon: Argon::new(cost)?,
            queue,
            shares,
            floor: Mutex::default(),
            line: Line::default(),
            one_by_one: AtomicBool::new(false),
        })))
    }

    /// A place of the share this client has of the queue, to be held from before an attempt costs anything until its
    /// end.
    pub fn place(&self, address: ClientAddress) -> Result<Place, Busy> {
        self.0.shares.take(address).map_err(|exceeded| self.0.full(exceeded))
    }

    /// The same of what is kept for known browsers.
    pub fn reserved_place(&self, address: ClientAddress) -> Result<Place, Busy> {
        self.0.shares.take_reserved(address).map_err(|exceeded| self.0.full(exceeded))
    }

    /// Whether this is the password behind a stored hash. A stored text that cannot be read matches nothing. Every attempt
    /// costs one hash of ours in one of our slots; a hash of another system comes on top, in slots of its own.
    pub async fn verify(&self, password: &Password, stored: &str) -> Result<Verified, Busy> {
        let method = Method::parse(stored);
        // an account whose owner has yet to choose a password is nothing to warn of
        if let Err(problem) = &method
            && stored != StoredPassword::unusable().expose()
        {
            tracing::warn!(%problem, "a stored password can match nothing");
        }
        let (inner, password) = (Arc::clone(&self.0), password.clone());
        let queued = inner.queue.enter()?;
        inner.queue.meters().verified.inc();
        let method = match method {
            // a second spelling would cost a second hash, and tell that the name is known
            Ok(method) if inner.argon.made(&method) && !password.is_too_long() => {
                let ours = move || method.matches_normal(&password);
                let matches = inner.queue.timed(&queued, Lane::Ours, ours).await??;
                // who is right waits for nobody
                let refusal = if matches { Refusal(Wait::Nothing) } else { self.refusal() };
                return Ok(Verified { matches, needs_rehash: false, refusal });
            }
            method => method.ok().filter(|_| !password.is_too_long()),
        };
        let spending = Arc::clone(&inner);
        inner.queue.timed(&queued, Lane::Ours, move || spending.argon.spend()).await??;
        // from here on it takes no room from those whose hash is ours
        drop(queued);
        let Some(method) = method else { return Ok(Verified::nobodys(self.refusal())) };
        self.verify_others(password, method).await
    }

    /// A hash of another system, in a turn as long as anybody's.
    async fn verify_others(&self, password: Password, method: Method) -> Result<Verified, Busy> {
        let (queue, ways) = (&self.0.queue, password.ways());
        let lane = if self.is_greedy(&method) { Lane::Greedy } else { self.lane() };
        let each = self.floor().of(Instant::now());
        let Some(place) = self.0.line.enter(queue.width(lane), each) else {
            return Ok(Verified::nobodys(self.full()));
        };
        let held = Arc::new((place, queue.slot(lane).await?));
        let began = Instant::now();
        line::keep(Arc::clone(&held), began, each.saturating_mul(ways));
        let matches = queue.with(held, move || method.matches_any_spelling(&password)).await?;
        let now = Instant::now();
        self.floor().see(now.saturating_duration_since(began) / ways, now);
        let matches = matches?;
        Ok(Verified { matches, needs_rehash: matches, refusal: Refusal(Wait::HadTurn(began)) })
    }

    /// For an attempt that has nothing more to verify: a place among those who have.
    fn refusal(&self) -> Refusal {
        let each = self.floor().of(Instant::now());
        if each.is_zero() {
            return Refusal(Wait::Nothing);
        }
        let place = self.0.line.enter(self.0.queue.width(self.lane()), each);
        place.map_or_else(|| self.full(), |place| Refusal(Wait::Turn(place)))
    }

    fn full(&self) -> Refusal {
        self.0.queue.meters().busy.inc();
        Refusal(Wait::Full)
    }

    /// Until when a refused attempt waits for its answer: its turn in the line, asleep, and for as long as the costliest hash
    /// takes. A password that is spelled in two ways may cost two hashes, for a name that nobody has as for all others.
    pub async fn hold_back(&self, refusal: Refusal, password: &Password) {
        let began = match refusal.0 {
            Wait::Nothing | Wait::Full => return,
            Wait::HadTurn(began) => began,
            Wait::Turn(place) => match self.sleep_through(place, password).await {
                Ok(began) => began,
                Err(_) => return,
            },
        };
        let least = self.floor().of(Instant::now()).saturating_mul(password.ways());
        let rest = least.saturating_sub(began.elapsed());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }

    /// Takes a turn, in which nothing is done.
    async fn sleep_through(&self, place: InLine, password: &Password) -> Result<Instant, Busy> {
        let slot = self.0.queue.slot(self.lane()).await?;
        let (began, each) = (Instant::now(), self.floor().of(Instant::now()));
        line::keep(Arc::new((place, slot)), began, each.saturating_mul(password.ways()));
        Ok(began)
    }

    /// What the hashes that we make today begin with, and how long they are; all others are to be in `calibrate`'s hands.
    pub fn form(&self) -> (String, usize) {
        self.0.argon.form()
    }

    /// Measures what the costliest of the hashes in the store takes to verify on this machine, each kind once.
    pub async fn calibrate(&self, kinds: Kinds) -> Result<(), Busy> {
        let (mut most, mut one_by_one) = (Duration::ZERO, false);
        for method in kinds.into_methods().into_iter().filter(|method| !self.0.argon.made(method)) {
            let greedy = self.is_greedy(&method);
            one_by_one |= greedy;
            let work = move || {
                let start = Instant::now();
                method.matches_normal(&Password::new("nobody's password"))?;
                Ok(start.elapsed())
            };
            let lane = if greedy { Lane::Greedy } else { Lane::Others };
            most = most.max(self.0.queue.run(lane, work).await??);
        }
        self.floor().know(most);
        self.0.one_by_one.store(one_by_one, Ordering::Relaxed);
        Ok(())
    }

    fn is_greedy(&self, method: &Method) -> bool {
        method.memory_kib() > self.0.argon.cost().memory_kib
    }

    /// Where everybody waits whose password is not right.
    fn lane(&self) -> Lane {
        if self.0.one_by_one.load(Ordering::Relaxed) { Lane::Greedy } else { Lane::Others }
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.0.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the password is one of those before; which one, is nobody's concern. Counted as no guess.
    pub async fn matches_any(&self, password: &Password, stored: Vec<String>) -> Result<bool, Busy> {
        let methods: Vec<Method> = stored.iter().filter_map(|text| Method::parse(text).ok()).collect();
        let password = password.clone();
        let greedy = methods.iter().any(|method| self.is_greedy(method));
        let lane = if greedy { Lane::Greedy } else { Lane::Ours };
        let any = move || {
            methods
                .iter()
                .try_fold(false, |found, method| Ok(found || method.matches_any_spelling(&password)?))
        };
        self.0.queue.run(lane, any).await?
    }

    /// A new hash, to be stored.
    pub async fn hash(&self, password: &Password) -> Result<String, Busy> {
        let inner = Arc::clone(&self.0);
        let password = password.clone();
        self.0.queue.run(Lane::Ours, move || inner.argon.hash(&password)).await?
    }

    /// Other work that takes its time, such as judging a password by a policy, in the same queue.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        self.0.queue.run(Lane::Ours, work).await
    }

    /// What a verification costs, for a name that has no password.
    pub async fn spend(&self) -> Result<Refusal, Busy> {
        let inner = Arc::clone(&self.0);
        let work = move || {
            inner.queue.meters().spent.inc();
            inner.argon.spend()
        };
        self.0.queue.run(Lane::Ours, work).await??;
        Ok(self.refusal())
    }
}

#[cfg(test)]
mod tests;
