//! The thread of a log: takes records from the queue, writes them, and reports incidents.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    sync::{
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, SendError, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::{
    Encode, QUEUE, Shared, WriterMessage,
    batch::Batch,
    incident::{IncidentReport, IncidentTracker},
    target::LogTarget,
};

/// Interval at which a log without records checks its file and its incident.
const TICK: Duration = Duration::from_secs(1);
/// Pause after a failed write.
const RETRY: Duration = Duration::from_millis(200);
/// How long a log that is being closed retries.
const GRACE: Duration = Duration::from_millis(800);

pub struct WriterThread<R> {
    name: &'static str,
    queue: Receiver<WriterMessage<R>>,
    target: Box<dyn LogTarget>,
    encode: Encode<R>,
    batch: Batch,
    /// The records of the batch, for the writer that replaces this one.
    records: VecDeque<Box<R>>,
    shared: Shared<R>,
    incident: IncidentTracker,
    closing_since: Option<Instant>,
}

/// Result of writing everything that is queued.
enum WriteAttempt {
    Done,
    /// The reader of a pipe or a connection accepts no more.
    Blocked,
    Failed(io::Error),
}

impl<R> WriterThread<R> {
    pub fn new(
        name: &'static str,
        queue: Receiver<WriterMessage<R>>,
        target: Box<dyn LogTarget>,
        encode: Encode<R>,
        shared: Shared<R>,
    ) -> Self {
        let incident = IncidentTracker::after(shared.lost.get());
        Self {
            name,
            queue,
            target,
            encode,
            batch: Batch::default(),
            records: VecDeque::new(),
            shared,
            incident,
            closing_since: None,
        }
    }

    pub fn run(mut self) {
        loop {
            let is_open = self.fill() && !self.shared.closing.load(Ordering::Acquire);
            let attempt = self.write_batch();
            self.report(&attempt);
            let is_done = matches!(attempt, WriteAttempt::Done);
            if !is_open {
                let since = *self.closing_since.get_or_insert_with(Instant::now);
                if (is_done && self.is_drained()) || since.elapsed() >= GRACE {
                    return self.close();
                }
            }
            if matches!(attempt, WriteAttempt::Failed(_)) {
                thread::park_timeout(RETRY);
            }
        }
    }

    /// Takes as many records as a batch holds, and waits for the first. False when no more can come.
    fn fill(&mut self) -> bool {
        if self.batch.is_empty() {
            match self.queue.recv_timeout(TICK) {
                Ok(message) => self.push_message(message),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        while !self.batch.is_full() {
            match self.queue.try_recv() {
                Ok(message) => self.push_message(message),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn push_message(&mut self, message: WriterMessage<R>) {
        if let WriterMessage::Record(record) = message {
            self.batch.push(|out| (self.encode)(&record, out));
            self.records.push_back(record);
        }
    }

    fn is_drained(&mut self) -> bool {
        while let Ok(message) = self.queue.try_recv() {
            self.push_message(message);
        }
        self.batch.is_empty()
    }

    fn write_batch(&mut self) -> WriteAttempt {
        loop {
            if self.target.refresh(self.batch.partial()) {
                self.batch.restart_record();
            }
            if self.batch.is_empty() {
                return WriteAttempt::Done;
            }
            if !self.target.wait_writable(RETRY) {
                return WriteAttempt::Blocked;
            }
            match self.target.write(self.batch.next(self.target.unit())) {
                Ok(0) => return WriteAttempt::Failed(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.batch.advance(written);
                    self.forget_written();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::park_timeout(RETRY);
                    return WriteAttempt::Blocked;
                }
                Err(error) => {
                    self.drop_unwritable(&error);
                    return WriteAttempt::Failed(error);
                }
            }
        }
    }

    /// Drops records that the batch no longer holds.
    fn forget_written(&mut self) {
        let written = self.records.len().saturating_sub(self.batch.len());
        drop(self.records.drain(..written));
    }

    /// A pipe without a reader drops all queued records, and a message that is too long can never be written.
    fn drop_unwritable(&mut self, error: &io::Error) {
        if error.kind() == ErrorKind::BrokenPipe {
            self.shared.lost.inc_by(self.batch.drop_all());
        } else if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) {
            self.shared.lost.inc_by(self.batch.drop_record());
        }
        self.forget_written();
    }

    fn report(&mut self, attempt: &WriteAttempt) {
        let error = match attempt {
            WriteAttempt::Failed(error) => Some(error),
            WriteAttempt::Done | WriteAttempt::Blocked => None,
        };
        let log = self.name;
        let failure = error.map(ToString::to_string);
        match self.incident.observe(failure.as_deref(), self.shared.lost.get(), Instant::now()) {
            None => {}
            Some(IncidentReport::Cannot) => {
                let reason = failure.as_deref().unwrap_or_else(|| self.target.delay());
                tracing::warn!(
                    log,
                    reason,
                    "log cannot be written: up to {QUEUE} lines wait, further ones are lost and counted"
                );
            }
            Some(IncidentReport::Ended { lost, lasted }) => {
                tracing::info!(log, lost, seconds = lasted.as_secs(), "log is written again");
            }
        }
    }

    /// Removes a partly written line from the target. The remaining records go to the writer that replaces this one;
    /// without one they are counted as lost.
    fn close(mut self) {
        self.target.truncate_partial(self.batch.partial());
        let mut records = Vec::from(self.records);
        while let Ok(message) = self.queue.try_recv() {
            if let WriterMessage::Record(record) = message {
                records.push(record);
            }
        }
        let Err(SendError(unsent)) = self.shared.unwritten.send(records) else { return };
        let lost = unsent.len() as u64;
        if lost > 0 {
            self.shared.lost.inc_by(lost);
            tracing::warn!(log = self.name, lost, "log closed before all of its lines were written");
        }
    }
}
