//! A queue in which clients take turns: each new place of a client is behind those of all others that wait less often.

use std::collections::{BTreeMap, HashMap};

use crate::domain::client::Client;

/// Round and number: the smallest is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64, u64);

pub struct FairQueue<W> {
    places: BTreeMap<Place, (Client, W)>,
    clients: HashMap<Client, Places>,
    /// That of whoever was served last.
    round: u64,
    number: u64,
}

/// A client's own.
struct Places {
    count: usize,
    last_round: u64,
}

impl<W> Default for FairQueue<W> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), clients: HashMap::new(), round: 0, number: 0 }
    }
}

impl<W> FairQueue<W> {
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn join(&mut self, client: Client, waiter: W) -> Place {
        let current = self.round;
        let own = self
            .clients
            .entry(client)
            .and_modify(|own| {
                own.count += 1;
                own.last_round = current.max(own.last_round + 1);
            })
            .or_insert(Places { count: 1, last_round: current });
        let place = Place(own.last_round, self.number);
        self.number += 1;
        self.places.insert(place, (client, waiter));
        place
    }

    /// `None`: served already.
    pub fn leave(&mut self, client: Client, place: Place) -> Option<W> {
        let (_, waiter) = self.places.remove(&place)?;
        self.has_left(client);
        Some(waiter)
    }

    pub fn first(&self) -> Option<&W> {
        self.places.first_key_value().map(|(_, (_, waiter))| waiter)
    }

    pub fn serve(&mut self) -> Option<W> {
        let (Place(round, _), (client, waiter)) = self.places.pop_first()?;
        self.round = round;
        self.has_left(client);
        Some(waiter)
    }

    fn has_left(&mut self, client: Client) {
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

    fn client(number: u8) -> Client {
        Client::of([192, 0, 2, number].into())
    }

    fn served(queue: &mut FairQueue<u8>) -> Vec<u8> {
        std::iter::from_fn(|| queue.serve()).collect()
    }

    #[test]
    fn clients_take_turns_and_those_who_wait_once_are_served_as_they_came() {
        for (came, served_as) in [
            (&[1, 2, 3][..], &[1, 2, 3][..]),
            (&[1, 1, 1, 2, 3], &[1, 2, 3, 1, 1]),
            (&[1, 1, 1, 2, 2, 3], &[1, 2, 3, 1, 2, 1]),
            (&[], &[]),
        ] {
            let mut queue = FairQueue::default();
            for number in came {
                queue.join(client(*number), *number);
            }
            assert_eq!(served(&mut queue), served_as, "{came:?}");
            assert!(queue.clients.is_empty(), "no client is remembered");
        }
    }

    #[test]
    fn who_comes_later_is_not_put_behind_all_that_one_client_waits_for() {
        let mut queue = FairQueue::default();
        for _ in 0..100 {
            queue.join(client(1), 1);
        }
        for _ in 0..50 {
            queue.serve();
        }
        queue.join(client(2), 2);
        assert_eq!([queue.serve(), queue.serve()], [Some(2), Some(1)]);
    }

    proptest! {
        #[test]
        fn whoever_waits_is_served_once_or_leaves(moves in proptest::collection::vec((0u8..3, 0u8..4), 0..60)) {
            let mut queue = FairQueue::default();
            let mut waiting = Vec::new();
            for (what, number) in moves {
                match what {
                    0 => waiting.push((queue.join(client(number), number), number)),
                    1 => {
                        let first = waiting.iter().map(|(place, _)| *place).min();
                        prop_assert_eq!(queue.serve().is_some(), first.is_some());
                        waiting.retain(|(place, _)| Some(*place) != first);
                    }
                    _ => if let Some((place, number)) = waiting.pop() {
                        prop_assert_eq!(queue.leave(client(number), place), Some(number));
                        prop_assert_eq!(queue.leave(client(number), place), None);
                    }
                }
                prop_assert_eq!(queue.len(), waiting.len());
            }
            prop_assert_eq!(served(&mut queue).len(), waiting.len());
            prop_assert!(queue.clients.is_empty());
        }
    }
}
