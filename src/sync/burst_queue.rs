//! A queue for requests of clients that send many at once, so that other clients do not wait until all of them are handled.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
};

use super::FairQueue;
use crate::domain::client::ClientPrefix;

/// The queue of one worker, which handles one request from it between two polls of the sockets.
#[derive(Default)]
pub struct BurstQueue {
    waiting: Mutex<FairQueue<oneshot::Sender<()>>>,
    joined: Notify,
}

impl BurstQueue {
    /// Waits for a turn of this client.
    pub async fn enter(&self, client: ClientPrefix) {
        let (sender, turn) = oneshot::channel();
        self.waiting().push(client, sender);
        self.joined.notify_one();
        // an error: the runtime of the worker ends
        let _ = turn.await;
    }

    /// Runs until the runtime of the worker ends.
    pub async fn run(&self) {
        loop {
            self.joined.notified().await;
            while !self.waiting().is_empty() {
                self.start_next();
                // a task that yields is not polled again before the sockets have been polled
                yield_now().await;
            }
        }
    }

    /// Requests that were given up have no turn.
    fn start_next(&self) {
        let mut waiting = self.waiting();
        while let Some(request) = waiting.pop() {
            if request.send(()).is_ok() {
                return;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, FairQueue<oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn client(number: u8) -> ClientPrefix {
        ClientPrefix::of([192, 0, 2, number].into())
    }

    fn run(queue: &Arc<BurstQueue>) -> tokio::task::JoinHandle<()> {
        let queue = Arc::clone(queue);
        tokio::spawn(async move { queue.run().await })
    }

    /// Lets many requests enter at once, and returns how many did between two polls of another task.
    async fn entered_between_polls(requests: usize) -> Vec<usize> {
        let (queue, entered) = (Arc::new(BurstQueue::default()), Arc::new(AtomicUsize::new(0)));
        let worker = run(&queue);
        for _ in 0..requests {
            let (queue, entered) = (Arc::clone(&queue), Arc::clone(&entered));
            tokio::spawn(async move {
                queue.enter(client(1)).await;
                entered.fetch_add(1, Ordering::Relaxed);
            });
        }
        let (mut seen, mut between) = (0, Vec::new());
        while seen < requests {
            yield_now().await;
            let now = entered.load(Ordering::Relaxed);
            between.push(now - seen);
            seen = now;
        }
        worker.abort();
        between
    }

    #[tokio::test]
    async fn attack_five_hundred_requests_at_once_delay_other_clients() {
        let between = entered_between_polls(500).await;
        assert!(between.iter().all(|entered| *entered <= 2), "{between:?}");
    }

    #[tokio::test]
    async fn attack_one_client_takes_every_place_of_the_burst_queue() {
        let queue = Arc::new(BurstQueue::default());
        let entered = Arc::new(AtomicUsize::new(0));
        for _ in 0..500 {
            let (queue, entered) = (Arc::clone(&queue), Arc::clone(&entered));
            tokio::spawn(async move {
                queue.enter(client(1)).await;
                entered.fetch_add(1, Ordering::Relaxed);
            });
        }
        yield_now().await;
        let worker = run(&queue);
        for _ in 0..20 {
            queue.enter(client(2)).await;
        }
        let others = entered.load(Ordering::Relaxed);
        assert!(others <= 40, "{others} requests of another client before the twentieth of this one");
        worker.abort();
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_has_no_turn() {
        let queue = Arc::new(BurstQueue::default());
        for _ in 0..100 {
            let queue = Arc::clone(&queue);
            let given_up = tokio::spawn(async move { queue.enter(client(1)).await });
            yield_now().await;
            given_up.abort();
        }
        yield_now().await;
        let worker = run(&queue);
        queue.enter(client(1)).await;
        worker.abort();
    }
}
