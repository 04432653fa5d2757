//! Limits the connections of this process to one upstream, with a fair queue for further requests.
//!
//! A connection holds its slot as long as its socket is open, idle or not. A request without a slot is queued: the next
//! connection that becomes free is handed to the first waiter if that is of the same worker, and closed in its favour if not.
//! A cancelled waiter leaves the queue at once. Clients take turns in it: a client with a thousand waiters gets one turn among
//! ten that wait once. Connections that a client already holds do not count, since a connection without a waiter is reused
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
    domain::client::ClientPrefix,
    sync::{FairQueue, QueuePosition},
};

/// The worker that owns a connection; another worker cannot use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerId(u64);

impl WorkerId {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// `T` is an open connection.
pub struct ConnectionSlots<T> {
    max: AtomicUsize,
    state: Mutex<SlotState<T>>,
    /// Length of the queue, to be read without the lock.
    waiting: AtomicUsize,
}

struct SlotState<T> {
    in_use: usize,
    queue: FairQueue<Waiter<T>>,
}

struct Waiter<T> {
    worker: WorkerId,
    grant: oneshot::Sender<SlotGrant<T>>,
}

/// The grant for a waiter.
pub enum SlotGrant<T> {
    /// A connection may be opened.
    Slot(ConnectionSlot<T>),
    /// This one is free.
    Reused(T),
}

/// The right to one connection; released when dropped.
pub struct ConnectionSlot<T>(Option<Arc<ConnectionSlots<T>>>);

impl<T> ConnectionSlots<T> {
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max: AtomicUsize::new(max),
            state: Mutex::new(SlotState { in_use: 0, queue: FairQueue::default() }),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Connections beyond a smaller number stay open until they are closed for another reason.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    pub fn is_full(&self) -> bool {
        self.in_use() >= self.max.load(Ordering::Relaxed)
    }

    pub fn in_use(&self) -> usize {
        self.lock().in_use
    }

    /// Number of queued waiters.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A slot at once, or after waiting in the queue; `None` on timeout.
    pub async fn acquire(
        self: &Arc<Self>,
        worker: WorkerId,
        client: ClientPrefix,
        time_left: Duration,
    ) -> Option<SlotGrant<T>> {
        let (granted, _waiting) = {
            let mut state = self.lock();
            if state.queue.is_empty() && state.in_use < self.max.load(Ordering::Relaxed) {
                state.in_use += 1;
                return Some(SlotGrant::Slot(ConnectionSlot(Some(Arc::clone(self)))));
            }
            let (grant, granted) = oneshot::channel();
            let position = state.queue.push(client, Waiter { worker, grant });
            self.waiting.store(state.queue.len(), Ordering::Relaxed);
            (granted, QueuedWaiter { slots: self, client, position })
        };
        timeout(time_left, granted).await.ok()?.ok()
    }

    /// A connection that is free: handed to the first waiter, closed if that is of another worker, or returned if
    /// there is no waiter.
    pub fn hand_over(&self, worker: WorkerId, mut connection: T) -> Option<T> {
        while self.waiting() > 0 {
            let waiter = {
                let mut state = self.lock();
                if state.queue.peek().is_some_and(|first| first.worker != worker && !first.grant.is_closed())
                {
                    drop(state);
                    // closed; its slot goes to the first waiter
                    drop(connection);
                    return None;
                }
                self.pop_waiter(&mut state)
            };
            // the queue has become empty in the meantime
            let Some(waiter) = waiter else { break };
            match waiter.grant.send(SlotGrant::Reused(connection)) {
                Err(SlotGrant::Reused(refused)) => connection = refused,
                Ok(()) | Err(SlotGrant::Slot(_)) => return None,
            }
        }
        Some(connection)
    }

    fn release(self: &Arc<Self>) {
        loop {
            let waiter = {
                let mut state = self.lock();
                let next = if state.in_use > self.max.load(Ordering::Relaxed) {
                    None
                } else {
                    self.pop_waiter(&mut state)
                };
                let Some(waiter) = next else {
                    state.in_use -= 1;
                    return;
                };
                waiter
            };
            match waiter.grant.send(SlotGrant::Slot(ConnectionSlot(Some(Arc::clone(self))))) {
                Ok(()) => return,
                // the waiter was cancelled; the slot can still be granted
                Err(SlotGrant::Slot(mut slot)) => slot.0 = None,
                Err(SlotGrant::Reused(_)) => {}
            }
        }
    }

    fn pop_waiter(&self, state: &mut SlotState<T>) -> Option<Waiter<T>> {
        let next = state.queue.pop();
        self.waiting.store(state.queue.len(), Ordering::Relaxed);
        next
    }

    fn lock(&self) -> MutexGuard<'_, SlotState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the waiter from the queue when dropped.
struct QueuedWaiter<'a, T> {
    slots: &'a ConnectionSlots<T>,
    client: ClientPrefix,
    position: QueuePosition,
}

impl<T> Drop for QueuedWaiter<'_, T> {
    fn drop(&mut self) {
        let mut state = self.slots.lock();
        if let Some(waiter) = state.queue.remove(self.client, self.position) {
            self.slots.waiting.store(state.queue.len(), Ordering::Relaxed);
            drop(state);
            drop(waiter);
        }
    }
}

impl<T> Drop for ConnectionSlot<T> {
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
    type TestConnection = (u32, ConnectionSlot<Number>);
    struct Number(u32, #[expect(dead_code, reason = "held, not read")] Option<Box<dyn Send>>);

    fn slot(grant: Option<SlotGrant<Number>>) -> ConnectionSlot<Number> {
        match grant {
            Some(SlotGrant::Slot(slot)) => slot,
            Some(SlotGrant::Reused(_)) => panic!("a used one"),
            None => panic!("nothing"),
        }
    }

    fn used(grant: Option<SlotGrant<Number>>) -> u32 {
        match grant {
            Some(SlotGrant::Reused(number)) => number.0,
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

    fn wait(
        slots: &Arc<ConnectionSlots<Number>>,
        home: WorkerId,
    ) -> impl Future<Output = Option<SlotGrant<Number>>> + use<> {
        let slots = Arc::clone(slots);
        async move { slots.acquire(home, client(1), PATIENCE).await }
    }

    fn client(number: u8) -> ClientPrefix {
        ClientPrefix::of([192, 0, 2, number].into())
    }

    #[tokio::test(start_paused = true)]
    async fn grants_at_most_the_maximum_in_order_of_arrival() {
        let (slots, home) = (ConnectionSlots::new(2), WorkerId::new());
        let (one, two) = (slot(wait(&slots, home).await), slot(wait(&slots, home).await));
        let third = queue(wait(&slots, home)).await;
        let fourth = queue(wait(&slots, home)).await;
        assert_eq!((slots.in_use(), slots.waiting()), (2, 2));
        drop(one);
        yield_now().await;
        assert!(third.is_finished() && !fourth.is_finished());
        drop(two);
        drop((slot(third.await.unwrap()), slot(fourth.await.unwrap())));
        assert_eq!((slots.in_use(), slots.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn skips_cancelled_waiters_and_times_out() {
        let (slots, home) = (ConnectionSlots::new(1), WorkerId::new());
        let held = slot(wait(&slots, home).await);
        let cancelled = queue(wait(&slots, home)).await;
        cancelled.abort();
        yield_now().await;
        assert_eq!(slots.waiting(), 0);
        assert!(wait(&slots, home).await.is_none(), "nothing came free in time");
        let next = queue(wait(&slots, home)).await;
        assert_eq!(slots.waiting(), 1, "cancelled waiters leave the queue");
        drop(held);
        drop(slot(next.await.unwrap()));
        assert_eq!(slots.in_use(), 0);
    }

    /// Attack: cancelled requests behind a waiting one fill the queue.
    #[tokio::test(start_paused = true)]
    async fn attack_cancelled_waiters_fill_the_queue() {
        let (slots, home) = (ConnectionSlots::new(1), WorkerId::new());
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
        assert_eq!((slots.in_use(), slots.waiting()), (0, 0));
    }

    /// Attack: one client queues so many requests that no other is served before its timeout.
    #[tokio::test(start_paused = true)]
    async fn attack_one_client_fills_the_queue() {
        let (slots, home) = (ConnectionSlots::new(1), WorkerId::new());
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
        // first its own, which was queued before the others, then the others
        drop(slot(many.remove(0).await.unwrap()));
        for other in others {
            drop(slot(other.await.unwrap()));
        }
        assert_eq!(slots.waiting(), 48, "one more of its own has been served");
    }

    #[tokio::test(start_paused = true)]
    async fn hands_connection_to_first_waiter_of_same_worker() {
        let (slots, home, other) = (ConnectionSlots::new(1), WorkerId::new(), WorkerId::new());
        let open: TestConnection = (7, slot(wait(&slots, home).await));
        let connection = |open: TestConnection| Number(open.0, Some(Box::new(open.1)));
        let connection = slots.hand_over(home, connection(open)).unwrap();
        assert_eq!(connection.0, 7, "without a waiter it is returned");
        let own = queue(wait(&slots, home)).await;
        let foreign = queue(wait(&slots, other)).await;
        assert!(slots.hand_over(home, connection).is_none());
        let Some(SlotGrant::Reused(connection)) = own.await.unwrap() else { panic!("not the used one") };
        // another worker cannot use it: it is closed, and its slot is granted
        assert!(slots.hand_over(home, connection).is_none());
        drop(slot(foreign.await.unwrap()));
        assert_eq!(slots.in_use(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn hands_connection_past_cancelled_waiters() {
        let (slots, home) = (ConnectionSlots::new(1), WorkerId::new());
        let held = slot(wait(&slots, home).await);
        let (gone, next) = (queue(wait(&slots, home)).await, queue(wait(&slots, home)).await);
        gone.abort();
        yield_now().await;
        assert!(slots.hand_over(home, Number(9, Some(Box::new(held)))).is_none());
        assert_eq!(used(next.await.unwrap()), 9);
        assert_eq!(slots.in_use(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn smaller_maximum_applies_as_connections_close() {
        let (slots, home) = (ConnectionSlots::new(2), WorkerId::new());
        let (one, two) = (slot(wait(&slots, home).await), slot(wait(&slots, home).await));
        slots.set_max(1);
        let next = queue(wait(&slots, home)).await;
        drop(one);
        yield_now().await;
        assert!(!next.is_finished());
        drop(two);
        drop(slot(next.await.unwrap()));
        assert_eq!(slots.in_use(), 0);
    }
}
