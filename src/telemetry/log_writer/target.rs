//! Where records go: standard output or a file, whole record by whole record.

use std::{
    fs::File,
    io::{self, Write},
    os::{fd::AsFd, unix::fs::FileTypeExt},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::batch::Unit;

/// What Linux writes to a pipe in one piece (`PIPE_BUF`), and what it accepts without blocking when the pipe is writable.
const PIPE_WRITE: usize = 4096;

pub trait Target: Send + 'static {
    fn unit(&self) -> Unit;

    /// Called before each write. `begun` bytes of a record have been written. True: the record has to be written again from
    /// its start, because the target is another one now.
    fn refresh(&mut self, begun: usize) -> bool;

    /// Waits at most so long until a write would not block; whether it would not.
    fn wait(&self, at_most: Duration) -> bool;

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// The reason why records wait although no write has failed.
    fn delay(&self) -> &'static str {
        "its reader is too slow"
    }

    /// Removes a record of which only `begun` bytes could be written, where the target allows it.
    fn cut_back(&mut self, begun: usize);
}

/// An open file, which may be a pipe or a terminal.
#[derive(Debug)]
pub struct Output {
    pub file: File,
    pub is_regular: bool,
}

impl Output {
    pub fn new(file: File) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        let is_regular = kind.is_file() || kind.is_block_device();
        Ok(Self { file, is_regular })
    }

    pub fn unit(&self) -> Unit {
        if self.is_regular { Unit::Any } else { Unit::UpTo(PIPE_WRITE) }
    }

    pub fn wait(&self, at_most: Duration) -> bool {
        if self.is_regular {
            return true;
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        // an error is reported by the write
        poll(&mut [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::OUT)], Some(&timeout))
            .is_ok_and(|ready| ready > 0)
    }
}

pub struct Stdout(Output);

impl Stdout {
    pub fn open() -> io::Result<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self(Output::new(descriptor.into())?))
    }
}

impl Target for Stdout {
    fn unit(&self) -> Unit {
        self.0.unit()
    }

    fn refresh(&mut self, _begun: usize) -> bool {
        false
    }

    fn wait(&self, at_most: Duration) -> bool {
        self.0.wait(at_most)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.file.write(bytes)
    }

    /// Other processes may write to it as well.
    fn cut_back(&mut self, _begun: usize) {}
}
