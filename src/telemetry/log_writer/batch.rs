//! Encoded records that wait to be written, in order.

use std::collections::VecDeque;

/// Records are collected up to this size before the next write.
const CAPACITY: usize = 64 * 1024;

/// How much goes into one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Any,
    /// Whole records up to this many bytes, or one that is longer: what other writers of a pipe write stays outside them.
    UpTo(usize),
    /// One record: a datagram.
    Record,
}

#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Of the records from `start` on.
    lengths: VecDeque<usize>,
    start: usize,
    /// Bytes of the first record that are written already.
    begun: usize,
}

impl Batch {
    pub fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        encode(&mut self.bytes);
        self.lengths.push_back(self.bytes.len().saturating_sub(before));
    }

    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.start >= CAPACITY
    }

    pub fn begun(&self) -> usize {
        self.begun
    }

    /// The bytes of the next write.
    pub fn next(&self, unit: Unit) -> &[u8] {
        let rest = self.bytes.get(self.start + self.begun..).unwrap_or_default();
        let first = self.lengths.front().map_or(0, |first| first - self.begun);
        let length = match unit {
            Unit::Any => rest.len(),
            Unit::Record => first,
            Unit::UpTo(limit) => self.whole_records(first, limit),
        };
        rest.get(..length).unwrap_or(rest)
    }

    fn whole_records(&self, first: usize, limit: usize) -> usize {
        let mut total = first;
        for length in self.lengths.iter().skip(1) {
            if total + length > limit {
                break;
            }
            total += length;
        }
        total
    }

    pub fn advance(&mut self, written: usize) {
        self.begun += written;
        while let Some(&first) = self.lengths.front()
            && self.begun >= first
        {
            self.begun -= first;
            self.remove_first(first);
        }
    }

    /// The first record is written again from its start.
    pub fn restart_record(&mut self) {
        self.begun = 0;
    }

    /// Removes the first record unwritten.
    pub fn drop_record(&mut self) -> u64 {
        self.begun = 0;
        let Some(&first) = self.lengths.front() else { return 0 };
        self.remove_first(first);
        1
    }

    /// Removes all records; how many there were.
    pub fn drop_all(&mut self) -> u64 {
        let lost = self.lengths.len();
        *self = Self::default();
        lost as u64
    }

    fn remove_first(&mut self, length: usize) {
        self.lengths.pop_front();
        self.start += length;
        if self.lengths.is_empty() {
            self.bytes.clear();
            (self.start, self.begun) = (0, 0);
        } else if self.start >= CAPACITY {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(records: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for record in records {
            batch.push(|out| out.extend_from_slice(record.as_bytes()));
        }
        batch
    }

    #[test]
    fn a_write_takes_what_its_target_allows() {
        for (unit, next) in [
            (Unit::Any, "one\ntwo\nthree\n"),
            (Unit::Record, "one\n"),
            (Unit::UpTo(2), "one\n"),
            (Unit::UpTo(8), "one\ntwo\n"),
            (Unit::UpTo(13), "one\ntwo\n"),
            (Unit::UpTo(14), "one\ntwo\nthree\n"),
        ] {
            assert_eq!(batch(&["one\n", "two\n", "three\n"]).next(unit), next.as_bytes(), "{unit:?}");
        }
        let mut begun = batch(&["one\n", "two\n"]);
        begun.advance(2);
        assert_eq!((begun.next(Unit::UpTo(1)), begun.begun()), (&b"e\n"[..], 2));
        begun.restart_record();
        assert_eq!(begun.next(Unit::UpTo(1)), b"one\n");
        assert_eq!((begun.drop_record(), begun.next(Unit::Any)), (1, &b"two\n"[..]));
        assert_eq!((begun.drop_all(), begun.is_empty()), (1, true));
    }

    proptest! {
        #[test]
        fn any_sequence_of_short_writes_writes_each_byte_once(
            records in proptest::collection::vec("[a-z]{1,30000}", 1..12),
            steps in proptest::collection::vec((1usize..40_000, 0usize..3), 1..60),
        ) {
            let mut batch = Batch::default();
            let mut written = Vec::new();
            let mut waiting = records.iter();
            for (step, unit) in steps {
                if let Some(record) = waiting.next() {
                    batch.push(|out| out.extend_from_slice(record.as_bytes()));
                }
                let next = batch.next([Unit::Any, Unit::UpTo(1), Unit::UpTo(4096)][unit]);
                let part = &next[..next.len().min(step)];
                written.extend_from_slice(part);
                let length = part.len();
                batch.advance(length);
            }
            let rest = batch.next(Unit::Any).to_vec();
            written.extend_from_slice(&rest);
            let taken = records.len() - waiting.len();
            prop_assert_eq!(String::from_utf8(written).unwrap(), records[..taken].concat());
        }
    }
}
