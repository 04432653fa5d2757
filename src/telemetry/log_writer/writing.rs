//! The thread of a log: takes records from the queue, writes them, and reports incidents.

use std::{
    io::{self, ErrorKind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::{
    Encode, Message, QUEUE,
    batch::Batch,
    incident::{Incident, Report},
    target::Target,
};
use crate::telemetry::metrics::Count;

/// How often a log without records checks its file and its incident.
const TICK: Duration = Duration::from_secs(1);
/// How long a target that cannot be written is left alone.
const RETRY: Duration = Duration::from_millis(200);
/// How long a log that is closed goes on trying.
const GRACE: Duration = Duration::from_millis(800);

pub struct Writing<R> {
    name: &'static str,
    queue: Receiver<Message<R>>,
    target: Box<dyn Target>,
    encode: Encode<R>,
    batch: Batch,
    lost: Count,
    incident: Incident,
    closing: Arc<AtomicBool>,
    closing_since: Option<Instant>,
}

/// What came of an attempt to write everything that waits.
enum Attempt {
    Done,
    /// The reader of a pipe or a connection takes no more.
    Blocked,
    Failed(io::Error),
}

impl<R> Writing<R> {
    pub fn new(
        name: &'static str,
        queue: Receiver<Message<R>>,
        target: Box<dyn Target>,
        encode: Encode<R>,
        (lost, closing): (Count, Arc<AtomicBool>),
    ) -> Self {
        let incident = Incident::after(lost.get());
        Self {
            name,
            queue,
            target,
            encode,
            batch: Batch::default(),
            lost,
            incident,
            closing,
            closing_since: None,
        }
    }

    pub fn run(mut self) {
        loop {
            let is_open = self.fill() && !self.closing.load(Ordering::Acquire);
            let attempt = self.write_batch();
            self.report(&attempt);
            let is_done = matches!(attempt, Attempt::Done);
            if !is_open {
                let since = *self.closing_since.get_or_insert_with(Instant::now);
                if (is_done && self.is_drained()) || since.elapsed() >= GRACE {
                    return self.give_up();
                }
            }
            if matches!(attempt, Attempt::Failed(_)) {
                thread::park_timeout(RETRY);
            }
        }
    }

    /// Takes as many records as a batch holds, and waits for the first. False when no more can come.
    fn fill(&mut self) -> bool {
        if self.batch.is_empty() {
            match self.queue.recv_timeout(TICK) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        while !self.batch.is_full() {
            match self.queue.try_recv() {
                Ok(message) => self.take(message),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn take(&mut self, message: Message<R>) {
        if let Message::Record(record) = message {
            self.batch.push(|out| (self.encode)(&record, out));
        }
    }

    fn is_drained(&mut self) -> bool {
        while let Ok(message) = self.queue.try_recv() {
            self.take(message);
        }
        self.batch.is_empty()
    }

    fn write_batch(&mut self) -> Attempt {
        loop {
            if self.target.refresh(self.batch.begun()) {
                self.batch.restart_record();
            }
            if self.batch.is_empty() {
                return Attempt::Done;
            }
            if !self.target.wait(RETRY) {
                return Attempt::Blocked;
            }
            match self.target.write(self.batch.next(self.target.unit())) {
                Ok(0) => return Attempt::Failed(ErrorKind::WriteZero.into()),
                Ok(written) => self.batch.advance(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::park_timeout(RETRY);
                    return Attempt::Blocked;
                }
                Err(error) => {
                    self.drop_unwritable(&error);
                    return Attempt::Failed(error);
                }
            }
        }
    }

    /// A pipe without a reader has nowhere to keep records for later, and a message that is too long never gets shorter.
    fn drop_unwritable(&mut self, error: &io::Error) {
        if error.kind() == ErrorKind::BrokenPipe {
            self.lost.inc_by(self.batch.drop_all());
        } else if error.raw_os_error() == Some(Errno::MSGSIZE.raw_os_error()) {
            self.lost.inc_by(self.batch.drop_record());
        }
    }

    fn report(&mut self, attempt: &Attempt) {
        let error = match attempt {
            Attempt::Failed(error) => Some(error),
            Attempt::Done | Attempt::Blocked => None,
        };
        let log = self.name;
        match self.incident.observe(error.is_some(), self.lost.get(), Instant::now()) {
            None => {}
            Some(Report::Began) => {
                let reason = error.map_or_else(|| "its reader is too slow".to_owned(), ToString::to_string);
                tracing::warn!(
                    log,
                    reason,
                    "log cannot be written: up to {QUEUE} lines wait, further ones are lost and counted"
                );
            }
            Some(Report::Ended { lost, lasted }) => {
                tracing::info!(log, lost, seconds = lasted.as_secs(), "log is written again");
            }
        }
    }

    /// Leaves whole lines behind and counts what is lost.
    fn give_up(mut self) {
        self.target.cut_back(self.batch.begun());
        let mut lost = self.batch.drop_all();
        while let Ok(message) = self.queue.try_recv() {
            lost += u64::from(matches!(message, Message::Record(_)));
        }
        if lost > 0 {
            self.lost.inc_by(lost);
            tracing::warn!(log = self.name, lost, "log closed before all of its lines were written");
        }
    }
}
