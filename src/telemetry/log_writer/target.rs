//! Target of records: standard output or a file, complete record by complete record.

use std::{
    fs::File,
    io::{self, Write},
    os::{fd::AsFd, unix::fs::FileTypeExt},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::batch::WriteUnit;

/// Linux writes this much to a pipe atomically (`PIPE_BUF`), and accepts it without blocking when the pipe is writable.
const PIPE_WRITE: usize = 4096;

pub trait LogTarget: Send + 'static {
    fn unit(&self) -> WriteUnit;

    /// Called before each write. `begun` bytes of a record have been written. True: the record has to be written again from
    /// its start, because the target has changed.
    fn refresh(&mut self, begun: usize) -> bool;

    /// Waits at most so long until a write would not block; returns whether it would not.
    fn wait_writable(&self, at_most: Duration) -> bool;

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// The reason why records wait although no write has failed.
    fn delay(&self) -> &'static str {
        "its reader is too slow"
    }

    /// Removes a record of which only `begun` bytes could be written, if the target supports it.
    fn truncate_partial(&mut self, begun: usize);
}

/// An open file, which may be a pipe or a terminal.
#[derive(Debug)]
pub struct OutputFile {
    pub file: File,
    pub is_regular: bool,
}

impl OutputFile {
    pub fn new(file: File) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        let is_regular = kind.is_file() || kind.is_block_device();
        Ok(Self { file, is_regular })
    }

    pub fn unit(&self) -> WriteUnit {
        if self.is_regular { WriteUnit::Any } else { WriteUnit::UpTo(PIPE_WRITE) }
    }

    pub fn wait_writable(&self, at_most: Duration) -> bool {
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

pub struct Stdout(OutputFile);

impl Stdout {
    pub fn open() -> io::Result<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self(OutputFile::new(descriptor.into())?))
    }
}

impl LogTarget for Stdout {
    fn unit(&self) -> WriteUnit {
        self.0.unit()
    }

    fn refresh(&mut self, _begun: usize) -> bool {
        false
    }

    fn wait_writable(&self, at_most: Duration) -> bool {
        self.0.wait_writable(at_most)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.file.write(bytes)
    }

    /// Not possible: other processes may write to it as well.
    fn truncate_partial(&mut self, _begun: usize) {}
}
