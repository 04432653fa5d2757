//! Byte offsets of a text as line and column.

use std::cell::Cell;

use super::SourcePosition;

pub struct LineIndex<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// The last look-up: start of the line, offset, and characters in between. Most look-ups are in order, and a
    /// line may be the whole of a large file.
    last_lookup: Cell<(usize, usize, usize)>,
}

impl<'a> LineIndex<'a> {
    pub fn of(text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(newlines).collect(), last_lookup: Cell::default() }
    }

    pub fn position(&self, offset: usize) -> SourcePosition {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or(0);
        let (of, at, known) = self.last_lookup.get();
        let (from, known) = if of == start && at <= offset { (at, known) } else { (start, 0) };
        let Some(more) = self.text.get(from..offset) else { return SourcePosition::Text { line, column: 1 } };
        let before = known + more.chars().count();
        self.last_lookup.set((start, offset, before));
        SourcePosition::Text { line, column: before + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = LineIndex::of("a\nü = 1\n");
        // asked in order, and back again
        for (offset, line, column) in [
            (0, 1, 1),
            (2, 2, 1),
            (4, 2, 2),
            (5, 2, 3),
            (3, 2, 1),
            (5, 2, 3),
            (9, 3, 1),
            (4, 2, 2),
            (1, 1, 2),
        ] {
            assert_eq!(lines.position(offset), SourcePosition::Text { line, column }, "{offset}");
        }
    }
}
