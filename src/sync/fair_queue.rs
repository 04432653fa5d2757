//! A queue in which clients take turns: each new place of a client is behind those of all others that wait less often.

use std::collections::{BTreeMap, HashMap};

use crate::domain::client::ClientPrefix;

/// Round and number: the smallest is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueuePosition(u64, u64);

pub struct FairQueue<W> {
    waiters: BTreeMap<QueuePosition, (ClientPrefix, W)>,
    clients: HashMap<ClientPrefix, ClientTurns>,
    /// The round of the client that was served last.
    round: u64,
    number: u64,
}

/// A client's own.
struct ClientTurns {
    count: usize,
    last_round: u64,
}

impl<W> Default for FairQueue<W> {
    fn default() -> Self {
        Self { waiters: BTreeMap::new(), clients: HashMap::new(), round: 0, number: 0 }
    }
}

impl<W> FairQueue<W> {
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    pub fn push(&mut self, client: ClientPrefix, waiter: W) -> QueuePosition {
        let current = self.round;
        let own = self
            .clients
            .entry(client)
            .and_modify(|own| {
                own.count += 1;
                own.last_round = current.max(own.last_round + 1);
            })
            .or_insert(ClientTurns { count: 1, last_round: current });
        let position = QueuePosition(own.last_round, self.number);
        self.number += 1;
        self.waiters.insert(position, (client, waiter));
        position
    }

    /// `None`: served already.
    pub fn remove(&mut self, client: ClientPrefix, position: QueuePosition) -> Option<W> {
        let (_, waiter) = self.waiters.remove(&position)?;
        self.release_turn(client);
        Some(waiter)
    }

    pub fn peek(&self) -> Option<&W> {
        self.waiters.first_key_value().map(|(_, (_, waiter))| waiter)
    }

    pub fn pop(&mut self) -> Option<W> {
        let (QueuePosition(round, _), (client, waiter)) = self.waiters.pop_first()?;
        self.round = round;
        self.release_turn(client);
        Some(waiter)
    }

    fn release_turn(&mut self, client: ClientPrefix) {
        if let Some(own) = self.clients.get_mut(&client) {
            own.count -= 1;
            if own.count == 0 {
                self.clients.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(number: u8) -> ClientPrefix {
        ClientPrefix::of([192, 0, 2, number].into())
    }

    fn served(queue: &mut FairQueue<u8>) -> Vec<u8> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn clients_take_turns_and_single_waiters_keep_their_order() {
        for (came, served_as) in [
            (&[1, 2, 3][..], &[1, 2, 3][..]),
            (&[1, 1, 1, 2, 3], &[1, 2, 3, 1, 1]),
            (&[1, 1, 1, 2, 2, 3], &[1, 2, 3, 1, 2, 1]),
            (&[], &[]),
        ] {
            let mut queue = FairQueue::default();
            for number in came {
                queue.push(client(*number), *number);
            }
            assert_eq!(served(&mut queue), served_as, "{came:?}");
            assert!(queue.clients.is_empty(), "no client is remembered");
        }
    }

    #[test]
    fn new_client_is_not_queued_behind_backlog_of_another() {
        let mut queue = FairQueue::default();
        for _ in 0..100 {
            queue.push(client(1), 1);
        }
        for _ in 0..50 {
            queue.pop();
        }
        queue.push(client(2), 2);
        assert_eq!([queue.pop(), queue.pop()], [Some(2), Some(1)]);
    }

    proptest! {
        #[test]
        fn every_waiter_is_popped_or_removed_exactly_once(moves in proptest::collection::vec((0u8..3, 0u8..4), 0..60)) {
            let mut queue = FairQueue::default();
            let mut waiting = Vec::new();
            for (what, number) in moves {
                match what {
                    0 => waiting.push((queue.push(client(number), number), number)),
                    1 => {
                        let first = waiting.iter().map(|(place, _)| *place).min();
                        prop_assert_eq!(queue.pop().is_some(), first.is_some());
                        waiting.retain(|(place, _)| Some(*place) != first);
                    }
                    _ => if let Some((place, number)) = waiting.pop() {
                        prop_assert_eq!(queue.remove(client(number), place), Some(number));
                        prop_assert_eq!(queue.remove(client(number), place), None);
                    }
                }
                prop_assert_eq!(queue.len(), waiting.len());
            }
            prop_assert_eq!(served(&mut queue).len(), waiting.len());
            prop_assert!(queue.clients.is_empty());
        }
    }
}
