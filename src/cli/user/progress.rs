//! The progress of an import: lines, rate, time left. On a terminal it is one line that is replaced every second, otherwise a
//! line of text or of JSON every few seconds.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, IsTerminal as _, Read, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::json;

use crate::domain::time::millis;

/// The results of the lines so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub imported: u64,
    pub existing: u64,
    pub mistakes: u64,
}

/// How much of the file has been read.
#[derive(Debug, Clone, Default)]
pub struct FilePosition {
    read: Arc<AtomicU64>,
    /// `None` for standard input.
    total: Option<u64>,
}

impl FilePosition {
    pub fn of(file: &File) -> Self {
        let total = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
        Self { read: Arc::default(), total }
    }

    pub fn count_reads<R: Read>(&self, inner: R) -> impl Read + use<R> {
        CountingReader { inner, read: Arc::clone(&self.read) }
    }

    /// The unread bytes of the file, as a multiple of those that have been read.
    fn remaining_ratio(&self) -> Option<f64> {
        let (read, total) = (self.read.load(Ordering::Relaxed), self.total?);
        (read > 0).then(|| as_f64(total.saturating_sub(read)) / as_f64(read))
    }
}

struct CountingReader<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

pub struct ImportProgress {
    position: FilePosition,
    started: Instant,
    shown_at: Instant,
    output_mode: OutputMode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputMode {
    Terminal,
    Lines,
    Json,
}

impl OutputMode {
    fn interval(self) -> Duration {
        Duration::from_secs(if self == Self::Terminal { 1 } else { 5 })
    }
}

impl ImportProgress {
    pub fn start(position: FilePosition, json: bool) -> Self {
        let output_mode = match (json, io::stderr().is_terminal()) {
            (true, _) => OutputMode::Json,
            (false, true) => OutputMode::Terminal,
            (false, false) => OutputMode::Lines,
        };
        Self { position, started: Instant::now(), shown_at: Instant::now(), output_mode }
    }

    pub fn show(&mut self, lines: u64, tally: Tally) {
        if self.shown_at.elapsed() < self.output_mode.interval() {
            return;
        }
        self.shown_at = Instant::now();
        let reached = ProgressLine::of(lines, self.started.elapsed(), self.position.remaining_ratio());
        let mut stderr = io::stderr();
        let _ = match self.output_mode {
            OutputMode::Terminal => write!(stderr, "\r{}\x1b[K", reached.as_text(tally)),
            OutputMode::Lines => writeln!(stderr, "{}", reached.as_text(tally)),
            OutputMode::Json => writeln!(stderr, "{}", reached.as_json(tally)),
        };
    }

    /// Reports a line that cannot be imported.
    pub fn report_problem(&self, file: &str, line: u64, problem: &str) {
        let mut stderr = io::stderr();
        let _ = match self.output_mode {
            OutputMode::Terminal => writeln!(stderr, "\r\x1b[K{file}:{line}: {problem}"),
            OutputMode::Lines => writeln!(stderr, "{file}:{line}: {problem}"),
            OutputMode::Json => writeln!(stderr, "{}", json!({ "line": line, "problem": problem })),
        };
    }

    pub fn clear(&self) {
        if self.output_mode == OutputMode::Terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProgressLine {
    lines: u64,
    per_second: u64,
    time_left: Option<Duration>,
}

impl ProgressLine {
    /// `left`: the unread bytes, as a multiple of those that have been read.
    fn of(lines: u64, elapsed: Duration, remaining_ratio: Option<f64>) -> Self {
        let time_left =
            remaining_ratio.and_then(|ratio| Duration::try_from_secs_f64(elapsed.as_secs_f64() * ratio).ok());
        Self { lines, per_second: lines.saturating_mul(1000) / millis(elapsed).max(1), time_left }
    }

    fn as_text(&self, tally: Tally) -> String {
        let Tally { imported, existing, mistakes } = tally;
        // writing to a string does not fail
        let mut text = format!("{} lines: {imported} imported", self.lines);
        for (count, what) in [(existing, "there already"), (mistakes, "left out")] {
            if count > 0 {
                let _ = write!(text, ", {count} {what}");
            }
        }
        let _ = write!(text, "; {} a second", self.per_second);
        if let Some(left) = self.time_left.as_ref().map(Duration::as_secs) {
            let _ = match (left / 3600, left / 60 % 60, left % 60) {
                (0, 0, seconds) => write!(text, ", {seconds} s left"),
                (0, minutes, seconds) => write!(text, ", {minutes} min {seconds} s left"),
                (hours, minutes, _) => write!(text, ", {hours} h {minutes} min left"),
            };
        }
        text
    }

    fn as_json(&self, tally: Tally) -> serde_json::Value {
        let Tally { imported, existing, mistakes } = tally;
        json!({
            "lines": self.lines,
            "imported": imported,
            "existing": existing,
            "mistakes": mistakes,
            "per_second": self.per_second,
            "seconds_left": self.time_left.as_ref().map(Duration::as_secs),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files, for an estimate")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_count_rate_and_time_left() {
        let tally = Tally { imported: 900, existing: 60, mistakes: 40 };
        for (seconds, left, text) in [
            (2, None, "1000 lines: 900 imported, 60 there already, 40 left out; 500 a second"),
            (
                10,
                Some(0.5),
                "1000 lines: 900 imported, 60 there already, 40 left out; 100 a second, 5 s left",
            ),
            (
                100,
                Some(999.0),
                "1000 lines: 900 imported, 60 there already, 40 left out; 10 a second, 27 h 45 min left",
            ),
        ] {
            assert_eq!(ProgressLine::of(1000, Duration::from_secs(seconds), left).as_text(tally), text);
        }
        let quarter = ProgressLine::of(250, Duration::from_secs(30), Some(3.0));
        let plain = Tally { imported: 250, ..Tally::default() };
        assert_eq!(quarter.as_text(plain), "250 lines: 250 imported; 8 a second, 1 min 30 s left");
        assert_eq!(quarter.as_json(plain)["seconds_left"], 90);
        assert_eq!(ProgressLine::of(0, Duration::ZERO, None).per_second, 0);
    }

    #[test]
    fn remaining_time_is_estimated_from_bytes_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [b'x'; 100]).unwrap();
        let position = FilePosition::of(file.as_file());
        assert_eq!(position.remaining_ratio(), None);
        let mut counting = position.count_reads(File::open(file.path()).unwrap());
        counting.read_exact(&mut [0; 25]).unwrap();
        assert_eq!(position.remaining_ratio(), Some(3.0));
        assert_eq!(FilePosition::default().remaining_ratio(), None);
    }
}
