//! How many connections one upstream gets from this process, and who is next when all of them are in use.
//!
//! A connection holds its slot for as long as its socket is open, idle or not. Who finds no slot waits in line: the next
//! connection that comes free is handed to the first in line if that is of the same worker, and closed in its favour if not.
//! Whoever gives up leaves the line at once. Clients take turns in it: one that waits a thousand times has one place among
//! ten that wait once. What a client already holds does not count, since a connection that is not waited for changes hands
//! without any of this.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::{
    domain::client::Client,
    sync::{FairQueue, Place},
};

/// Which worker's connections; those of another worker cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home(u64);

impl Home {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// `T` is an open connection.
pub struct Slots<T> {
    max: AtomicUsize,
    state: Mutex<State<T>>,
    /// Length of the line, to be read without the lock.
    waiting: AtomicUsize,
}

struct State<T> {
    taken: usize,
    line: FairQueue<Waiter<T>>,
}

struct Waiter<T> {
    home: Home,
    grant: oneshot::Sender<Grant<T>>,
}

/// What a place in the line comes to.
pub enum Grant<T> {
    /// A connection may be opened.
    Slot(Slot<T>),
    /// This one is free.
    Used(T),
}

/// The right to one connection; given back when dropped.
pub struct Slot<T>(Option<Arc<Slots<T>>>);

impl<T> Slots<T> {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(max),
            state: Mutex::new(State { taken: 0, line: FairQueue::default() }),
            waiting: AtomicUsize::new(0),
        })
    }

    /// What is open beyond a smaller number stays open until it is closed for another reason.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    pub fn is_full(&self) -> bool {
        self.taken() >= self.max.load(Ordering::Relaxed)
    }

    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    /// Somebody is in line.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A slot at once, or after waiting in line; `None` when patience ends.
    pub async fn acquire(
        self: &Arc<Self>,
        home: Home,
        client: Client,
        patience: Duration,
    ) -> Option<Grant<T>> {
        let (granted, _waiting) = {
            let mut state = self.lock();
            if state.line.is_empty() && state.taken < self.max.load(Ordering::Relaxed) {
                state.taken += 1;
                return Some(Grant::Slot(Slot(Some(Arc::clone(self)))));
            }
            let (grant, granted) = oneshot::channel();
            let place = state.line.join(client, Waiter { home, grant });
            self.waiting.store(state.line.len(), Ordering::Relaxed);
            (granted, Waiting { slots: self, client, place })
        };
        timeout(patience, granted).await.ok()?.ok()
    }

    /// A connection that is free: handed to the first in line, closed if that is of another worker, or given back to
    /// be kept when nobody waits.
    pub fn hand_on(&self, home: Home, mut connection: T) -> Option<T> {
        while self.waiting() > 0 {
            let waiter = {
                let mut state = self.lock();
                if state.line.first().is_some_and(|first| first.home != home && !first.grant.is_closed()) {
                    drop(state);
                    // closed, and its slot goes to the first in line
                    drop(connection);
                    return None;
                }
                self.next(&mut state)
            };
            // whoever was in line has been served meanwhile
            let Some(waiter) = waiter else { break };
            match waiter.grant.send(Grant::Used(connection)) {
                Err(Grant::Used(refused)) => connection = refused,
                Ok(()) | Err(Grant::Slot(_)) => return None,
            }
        }
        Some(connection)
    }

    fn release(self: &Arc<Self>) {
        loop {
            let waiter = {
                let mut state = self.lock();
                let next =
                    if state.taken > self.max.load(Ordering::Relaxed) { None } else { self.next(&mut state) };
                let Some(waiter) = next else {
                    state.taken -= 1;
                    return;
                };
                waiter
            };
            match waiter.grant.send(Grant::Slot(Slot(Some(Arc::clone(self))))) {
                Ok(()) => return,
                // has given up; the slot is still ours to give
                Err(Grant::Slot(mut slot)) => slot.0 = None,
                Err(Grant::Used(_)) => {}
            }
        }
    }

    fn next(&self, state: &mut State<T>) -> Option<Waiter<T>> {
        let next = state.line.serve();
        self.waiting.store(state.line.len(), Ordering::Relaxed);
        next
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line, for as long as anybody stands on it.
struct Waiting<'a, T> {
    slots: &'a Slots<T>,
    client: Client,
    place: Place,
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        if let Some(waiter) = state.line.leave(self.client, self.place) {
            self.slots.waiting.store(state.line.len(), Ordering::Relaxed);
            drop(state);
            drop(waiter);
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if let Some(slots) = self.0.take() {
            slots.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    /// A connection: a number, and the slot it holds.
    type Open = (u32, Slot<Number>);
    struct Number(u32, #[expect(dead_code, reason = "held, not read")] Option<Box<dyn Send>>);

    fn slot(grant: Option<Grant<Number>>) -> Slot<Number> {
        match grant {
            Some(Grant::Slot(slot)) => slot,
            Some(Grant::Used(_)) => panic!("a used one"),
            None => panic!("nothing"),
        }
    }

    fn used(grant: Option<Grant<Number>>) -> u32 {
        match grant {
            Some(Grant::Used(number)) => number.0,
            _ => panic!("not a used one"),
        }
    }

    async fn queue<F>(waiting: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let task = tokio::spawn(waiting);
        yield_now().await;
        task
    }

    fn wait(slots: &Arc<Slots<Number>>, home: Home) -> impl Future<Output = Option<Grant<Number>>> + use<> {
        let slots = Arc::clone(slots);
        async move { slots.acquire(home, client(1), PATIENCE).await }
    }

    fn client(number: u8) -> Client {
        Client::of([192, 0, 2, number].into())
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_maximum_and_first_come_first_served() {
        let (slots, home) = (Slots::new(2), Home::new());
        let (one, two) = (slot(wait(&slots, home).await), slot(wait(&slots, home).await));
        let third = queue(wait(&slots, home)).await;
        let fourth = queue(wait(&slots, home)).await;
        assert_eq!((slots.taken(), slots.waiting()), (2, 2));
        drop(one);
        yield_now().await;
        assert!(third.is_finished() && !fourth.is_finished());
        drop(two);
        drop((slot(third.await.unwrap()), slot(fourth.await.unwrap())));
        assert_eq!((slots.taken(), slots.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_who_has_given_up_is_passed_over() {
        let (slots, home) = (Slots::new(1), Home::new());
        let held = slot(wait(&slots, home).await);
        let cancelled = queue(wait(&slots, home)).await;
        cancelled.abort();
        yield_now().await;
        assert_eq!(slots.waiting(), 0);
        assert!(wait(&slots, home).await.is_none(), "nothing came free in time");
        let next = queue(wait(&slots, home)).await;
        assert_eq!(slots.waiting(), 1, "the line does not grow by those who left it");
        drop(held);
        drop(slot(next.await.unwrap()));
        assert_eq!(slots.taken(), 0);
    }

    /// Attack: come and go a million times behind somebody who waits, and the line keeps them all.
    #[tokio::test(start_paused = true)]
    async fn attack_a_line_of_those_who_left() {
        let (slots, home) = (Slots::new(1), Home::new());
        let held = slot(wait(&slots, home).await);
        let front = queue(wait(&slots, home)).await;
        for _ in 0..100 {
            let gone = queue(wait(&slots, home)).await;
            gone.abort();
            yield_now().await;
            assert_eq!(slots.waiting(), 1);
        }
        drop(held);
        drop(slot(front.await.unwrap()));
        assert_eq!((slots.taken(), slots.waiting()), (0, 0));
    }

    /// Attack: one client stands in line so often that nobody else is served before it gives up.
    #[tokio::test(start_paused = true)]
    async fn attack_one_client_takes_every_place_in_the_line() {
        let (slots, home) = (Slots::new(1), Home::new());
        let held = slot(wait(&slots, home).await);
        let mut many = Vec::new();
        for _ in 0..50 {
            many.push(queue(wait(&slots, home)).await);
        }
        let others: Vec<_> = [2, 3]
            .map(|number| {
                let slots = Arc::clone(&slots);
                tokio::spawn(async move { slots.acquire(home, client(number), PATIENCE).await })
            })
            .into();
        yield_now().await;
        drop(held);
        // its own first, which had come before them, and then they
        drop(slot(many.remove(0).await.unwrap()));
        for other in others {
            drop(slot(other.await.unwrap()));
        }
        assert_eq!(slots.waiting(), 48, "the next of its own has been served");
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_connection_goes_to_the_first_in_line_of_its_own_worker() {
        let (slots, home, other) = (Slots::new(1), Home::new(), Home::new());
        let open: Open = (7, slot(wait(&slots, home).await));
        let connection = |open: Open| Number(open.0, Some(Box::new(open.1)));
        let connection = slots.hand_on(home, connection(open)).unwrap();
        assert_eq!(connection.0, 7, "nobody waits: it is kept");
        let own = queue(wait(&slots, home)).await;
        let foreign = queue(wait(&slots, other)).await;
        assert!(slots.hand_on(home, connection).is_none());
        let Some(Grant::Used(connection)) = own.await.unwrap() else { panic!("not the used one") };
        // another worker cannot use it: it is closed, and its slot goes on
        assert!(slots.hand_on(home, connection).is_none());
        drop(slot(foreign.await.unwrap()));
        assert_eq!(slots.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_free_connection_passes_over_who_has_given_up() {
        let (slots, home) = (Slots::new(1), Home::new());
        let held = slot(wait(&slots, home).await);
        let (gone, next) = (queue(wait(&slots, home)).await, queue(wait(&slots, home)).await);
        gone.abort();
        yield_now().await;
        assert!(slots.hand_on(home, Number(9, Some(Box::new(held)))).is_none());
        assert_eq!(used(next.await.unwrap()), 9);
        assert_eq!(slots.taken(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_smaller_maximum_counts_as_soon_as_connections_close() {
        let (slots, home) = (Slots::new(2), Home::new());
        let (one, two) = (slot(wait(&slots, home).await), slot(wait(&slots, home).await));
        slots.set_max(1);
        let next = queue(wait(&slots, home)).await;
        drop(one);
        yield_now().await;
        assert!(!next.is_finished());
        drop(two);
        drop(slot(next.await.unwrap()));
        assert_eq!(slots.taken(), 0);
    }
}
