//! Nobody shuts the door for everybody: each client has a share of the places in the queue, and no more.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::client::Client;

/// How many places each client holds; of who holds none, nothing is kept.
type Held = Mutex<HashMap<Client, usize>>;

pub(super) struct Shares {
    each: usize,
    held: Arc<Held>,
}

/// A client's right to one attempt, until it is dropped.
pub struct Place {
    held: Arc<Held>,
    client: Client,
}

impl Shares {
    /// A quarter of the queue, so that three others may be greedy at the same time.
    pub(super) fn of(capacity: usize) -> Self {
        Self { each: (capacity / 4).max(1), held: Arc::default() }
    }

    /// `None`: the client holds all of its share.
    pub(super) fn take(&self, client: Client) -> Option<Place> {
        let mut held = lock(&self.held);
        let places = held.entry(client).or_default();
        if *places >= self.each {
            return None;
        }
        *places += 1;
        Some(Place { held: Arc::clone(&self.held), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Entry::Occupied(mut places) = lock(&self.held).entry(self.client) {
            if *places.get() > 1 {
                *places.get_mut() -= 1;
            } else {
                places.remove();
            }
        }
    }
}

fn lock(held: &Held) -> MutexGuard<'_, HashMap<Client, usize>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_a_quarter_and_others_have_theirs() {
        for (capacity, each) in [(0, 1), (3, 1), (8, 2), (102, 25)] {
            let shares = Shares::of(capacity);
            let [one, other] = [1, 2].map(|last| Client::of([192, 0, 2, last].into()));
            let mut held: Vec<Place> = (0..each).map(|_| shares.take(one).unwrap()).collect();
            assert!(shares.take(one).is_none(), "{capacity}");
            assert!(shares.take(other).is_some(), "{capacity}");
            held.pop();
            held.push(shares.take(one).unwrap());
            assert!(shares.take(one).is_none(), "{capacity}");
            drop(held);
            assert!(lock(&shares.held).is_empty(), "nothing is kept of those who left");
        }
    }
}
