//! Encoded records that wait to be written, in order.

use std::collections::VecDeque;

/// Records are collected up to this size before the next write.
const CAPACITY: usize = 64 * 1024;

/// How much is written at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteUnit {
    Any,
    /// Complete records up to this many bytes, or one that is longer: writes of other processes to a pipe stay outside them.
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
    /// Bytes of the first record that are already written.
    partial_bytes: usize,
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

    pub fn partial(&self) -> usize {
        self.partial_bytes
    }

    /// The bytes of the next write.
    pub fn next(&self, unit: WriteUnit) -> &[u8] {
        let rest = self.bytes.get(self.start + self.partial_bytes..).unwrap_or_default();
        let first = self.lengths.front().map_or(0, |first| first - self.partial_bytes);
        let length = match unit {
            WriteUnit::Any => rest.len(),
            WriteUnit::Record => first,
            WriteUnit::UpTo(limit) => self.whole_records(first, limit),
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
        self.partial_bytes += written;
        while let Some(&first) = self.lengths.front()
            && self.partial_bytes >= first
        {
            self.partial_bytes -= first;
            self.remove_first(first);
        }
    }

    /// The first record is written again from its start.
    pub fn restart_record(&mut self) {
        self.partial_bytes = 0;
    }

    /// Removes the first record unwritten.
    pub fn drop_record(&mut self) -> u64 {
        self.partial_bytes = 0;
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
            (self.start, self.partial_bytes) = (0, 0);
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
    fn next_write_respects_unit_of_target() {
        for (unit, next) in [
            (WriteUnit::Any, "one\ntwo\nthree\n"),
            (WriteUnit::Record, "one\n"),
            (WriteUnit::UpTo(2), "one\n"),
            (WriteUnit::UpTo(8), "one\ntwo\n"),
            (WriteUnit::UpTo(13), "one\ntwo\n"),
            (WriteUnit::UpTo(14), "one\ntwo\nthree\n"),
        ] {
            assert_eq!(batch(&["one\n", "two\n", "three\n"]).next(unit), next.as_bytes(), "{unit:?}");
        }
        let mut partial = batch(&["one\n", "two\n"]);
        partial.advance(2);
        assert_eq!((partial.next(WriteUnit::UpTo(1)), partial.partial()), (&b"e\n"[..], 2));
        partial.restart_record();
        assert_eq!(partial.next(WriteUnit::UpTo(1)), b"one\n");
        assert_eq!((partial.drop_record(), partial.next(WriteUnit::Any)), (1, &b"two\n"[..]));
        assert_eq!((partial.drop_all(), partial.is_empty()), (1, true));
    }

    proptest! {
        #[test]
        fn short_writes_write_each_byte_once(
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
                let next = batch.next([WriteUnit::Any, WriteUnit::UpTo(1), WriteUnit::UpTo(4096)][unit]);
                let part = &next[..next.len().min(step)];
                written.extend_from_slice(part);
                let length = part.len();
                batch.advance(length);
            }
            let rest = batch.next(WriteUnit::Any).to_vec();
            written.extend_from_slice(&rest);
            let taken = records.len() - waiting.len();
            prop_assert_eq!(String::from_utf8(written).unwrap(), records[..taken].concat());
        }
    }
}
