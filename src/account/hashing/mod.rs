//! Passwords are hashed here and nowhere else: argon2id, so many at a time, in a queue that has an end.
//!
//! A hash costs memory and time on purpose. So there are `slots`, each with the memory of one hash, and a bounded queue
//! before them; whoever finds it full is told to come back ([`Busy`]), and the process never runs out of memory.
//! Hashes that other systems made are verified too ([`stored`]) and are to be replaced by ours at the first success.

mod argon;
mod password;
mod queue;
mod salted;
mod shares;
pub mod stored;

use std::{net::IpAddr, sync::Arc};

pub use argon::{BadCost, Cost};
pub use password::Password;
pub use queue::{Busy, Meters};
pub use shares::Place;

use argon::Argon;
use queue::Queue;
use shares::Shares;
use stored::Method;

use crate::domain::{account::StoredPassword, client::Client};

/// Cheap to clone: all clones share one queue.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    argon: Argon,
    queue: Queue,
    shares: Shares,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub matches: bool,
    /// The hash is another system's, or made at another cost: hash the password anew, now that it is known.
    pub needs_rehash: bool,
}

impl Hasher {
    /// `slots` hashes at a time, `queue` more may wait.
    pub fn new(cost: Cost, slots: usize, queue: usize, meters: Meters) -> Result<Self, BadCost> {
        let queue = Queue::new(slots, queue, meters);
        let shares = Shares::of(queue.capacity());
        Ok(Self(Arc::new(Inner { argon: Argon::new(cost)?, queue, shares })))
    }

    /// A place of the share this client has of the queue, to be held from before an attempt costs anything until its
    /// end.
    pub fn place(&self, address: IpAddr) -> Result<Place, Busy> {
        self.0.shares.take(Client::of(address)).ok_or_else(|| self.0.queue.full())
    }

    /// Whether this is the password behind a stored hash. A stored text that cannot be read matches nothing. Whatever
    /// the answer is, and why, it takes no less time than one of our own hashes.
    pub async fn verify(&self, password: &Password, stored: &str) -> Result<Verified, Busy> {
        let method = Method::parse(stored);
        // an account whose owner has yet to choose a password is nothing to warn of
        if let Err(problem) = &method
            && stored != StoredPassword::unusable().expose()
        {
            tracing::warn!(%problem, "a stored password can match nothing");
        }
        let inner = Arc::clone(&self.0);
        let password = password.clone();
        let greedy = method.as_ref().map_or(0, Method::memory_kib) > self.0.argon.cost().memory_kib;
        let work = move || {
            inner.queue.meters().verified.inc();
            inner.verify(&password, method.as_ref().ok())
        };
        self.0.queue.run(greedy, work).await?
    }

    /// Whether the password is one of those before; which one, is nobody's concern. Counted as no guess.
    pub async fn matches_any(&self, password: &Password, stored: Vec<String>) -> Result<bool, Busy> {
        let methods: Vec<Method> = stored.iter().filter_map(|text| Method::parse(text).ok()).collect();
        let password = password.clone();
        let most = methods.iter().map(Method::memory_kib).max().unwrap_or(0);
        let greedy = most > self.0.argon.cost().memory_kib;
        let any = move || {
            methods
                .iter()
                .try_fold(false, |found, method| Ok(found || method.matches_any_spelling(&password)?))
        };
        self.0.queue.run(greedy, any).await?
    }

    /// A new hash, to be stored.
    pub async fn hash(&self, password: &Password) -> Result<String, Busy> {
        let inner = Arc::clone(&self.0);
        let password = password.clone();
        self.0.queue.run(false, move || inner.argon.hash(&password)).await?
    }

    /// Other work that takes its time, such as judging a password by a policy, in the same queue.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        self.0.queue.run(false, work).await
    }

    /// What a verification costs, for a name that has no password.
    pub async fn spend(&self) -> Result<(), Busy> {
        let inner = Arc::clone(&self.0);
        let work = move || {
            inner.queue.meters().spent.inc();
            inner.argon.spend()
        };
        self.0.queue.run(false, work).await?
    }
}

impl Inner {
    fn verify(&self, password: &Password, method: Option<&Method>) -> Result<Verified, Busy> {
        let ours = method.is_some_and(|method| self.argon.made(method));
        let matches = match method {
            _ if password.is_too_long() => false,
            // a second spelling would cost a second hash, and tell that the name is known
            Some(method) if ours => method.matches_normal(password)?,
            Some(method) => method.matches_any_spelling(password)?,
            None => false,
        };
        let cost_is_paid = ours && !password.is_too_long();
        // The hash of a known name that is cheap to verify must not tell the name is known. One that matches is
        // hashed anew by the caller, and costs the same.
        if !matches && !cost_is_paid {
            self.argon.spend()?;
        }
        Ok(Verified { matches, needs_rehash: matches && !ours })
    }
}

#[cfg(test)]
mod tests;
