//! A log file that is opened by its path, and reopened when it has been moved or removed.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

use super::{
    batch::WriteUnit,
    target::{LogTarget, OutputFile},
};

/// How often the path is compared with the open file.
const INTERVAL: Duration = Duration::from_millis(900);
/// Logs have addresses and user names: owner and group may read them.
const NEW_FILE_MODE: u32 = 0o640;

pub struct LogFile {
    path: PathBuf,
    output: OutputFile,
    checked: Instant,
    /// The file ends with an incomplete line of another process.
    needs_newline: bool,
    /// The length of the file after an incomplete write.
    incomplete_at: Option<u64>,
    /// Reopening the file failed, and that has been reported.
    failing: bool,
}

impl LogFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let output = open(path)?;
        let needs_newline = output.is_regular && ends_within_a_line(path);
        Ok(Self {
            path: path.to_owned(),
            output,
            checked: Instant::now(),
            needs_newline,
            incomplete_at: None,
            failing: false,
        })
    }

    fn is_in_place(&self) -> bool {
        let identity = |meta: Metadata| (meta.dev(), meta.ino());
        match (self.path.metadata(), self.output.file.metadata()) {
            (Ok(there), Ok(open)) => identity(there) == identity(open),
            _ => false,
        }
    }

    /// Reopens the path if it is another file now; true if a record was partially written to the old one.
    fn reopen_if_moved(&mut self, begun: usize) -> bool {
        if self.is_in_place() {
            self.failing = false;
            return false;
        }
        match Self::open(&self.path) {
            Ok(new) => {
                self.truncate_partial(begun);
                *self = new;
                begun > 0
            }
            Err(error) => {
                if !self.failing {
                    self.failing = true;
                    let path = self.path.display();
                    tracing::error!(%path, %error, "log file cannot be reopened: lines are still written to the file that was moved");
                }
                false
            }
        }
    }

    /// logrotate's `copytruncate` has removed the partially written record.
    fn was_truncated(&self, begun: usize) -> bool {
        self.output.is_regular && self.output.file.metadata().is_ok_and(|file| file.len() < begun as u64)
    }
}

impl LogTarget for LogFile {
    fn unit(&self) -> WriteUnit {
        self.output.unit()
    }

    fn refresh(&mut self, begun: usize) -> bool {
        if begun > 0 && self.was_truncated(begun) {
            return true;
        }
        if self.checked.elapsed() < INTERVAL {
            return false;
        }
        self.checked = Instant::now();
        self.reopen_if_moved(begun)
    }

    fn wait_writable(&self, at_most: Duration) -> bool {
        self.output.wait_writable(at_most)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.needs_newline {
            self.output.file.write_all(b"\n")?;
            self.needs_newline = false;
        }
        let written = self.output.file.write(bytes)?;
        let is_short = written < bytes.len();
        self.incomplete_at =
            if is_short { self.output.file.metadata().ok().map(|file| file.len()) } else { None };
        Ok(written)
    }

    fn truncate_partial(&mut self, begun: usize) {
        let Ok(length) = self.output.file.metadata().map(|file| file.len()) else { return };
        // lines that another process has appended since are not removed
        if begun > 0
            && self.output.is_regular
            && self.incomplete_at == Some(length)
            && let Some(whole) = length.checked_sub(begun as u64)
            && let Err(error) = self.output.file.set_len(whole)
        {
            tracing::warn!(path = %self.path.display(), %error, "incomplete last line cannot be removed");
        }
    }
}

fn open(path: &Path) -> io::Result<OutputFile> {
    let mut options = OpenOptions::new();
    if !fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
        return OutputFile::new(options.create(true).append(true).mode(NEW_FILE_MODE).open(path)?);
    }
    // Opening a named pipe must not wait for its reader, and a reader that restarts must not lose what is in the pipe:
    // on Linux both hold for a pipe that is opened for reading as well. An unnamed one (`/dev/stdout`) already has its reader.
    let is_named = path.canonicalize().is_ok();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OutputFile::new(options.read(is_named).write(true).custom_flags(flags).open(path)?)
}

fn ends_within_a_line(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last)
    };
    last().is_ok_and(|last| last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl LogFile {
        fn line(&mut self, line: &str) {
            assert_eq!(self.write(line.as_bytes()).unwrap(), line.len());
        }
    }

    #[test]
    fn writes_to_the_file_now_at_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.line("one\n");
        log.reopen_if_moved(0);
        log.line("two\n");
        // logrotate, with and without `create`
        fs::rename(&path, &rotated).unwrap();
        log.line("three\n");
        log.reopen_if_moved(0);
        log.line("four\n");
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        log.reopen_if_moved(0);
        log.line("five\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
        // `copytruncate`
        fs::File::create(&path).unwrap();
        log.reopen_if_moved(0);
        log.line("six\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
    }

    #[test]
    fn loses_no_line_if_the_file_cannot_be_reopened() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("log/access.log"), folder.path().join("old"));
        fs::create_dir(folder.path().join("log")).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        fs::rename(folder.path().join("log"), &rotated).unwrap();
        log.reopen_if_moved(0);
        log.line("one\n");
        assert_eq!(fs::read_to_string(rotated.join("access.log")).unwrap(), "one\n");
        fs::create_dir(folder.path().join("log")).unwrap();
        log.reopen_if_moved(0);
        log.line("two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn restarts_incomplete_line_in_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.line("one\n");
        log.line("tw");
        log.incomplete_at = Some(6);
        fs::rename(&path, &rotated).unwrap();
        assert!(log.reopen_if_moved(2));
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\n");
        // `copytruncate`
        log.line("tw");
        assert!(!log.refresh(2));
        fs::File::create(&path).unwrap();
        assert!(log.refresh(2));
    }

    #[test]
    fn truncating_removes_no_line_of_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut log = LogFile::open(&path).unwrap();
        log.line("one\ntw");
        log.incomplete_at = Some(6);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"theirs\n").unwrap();
        log.truncate_partial(2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwtheirs\n");
    }

    #[test]
    fn other_users_cannot_read_a_new_log_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        LogFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o007, 0);
    }

    #[test]
    fn first_line_starts_after_newline_if_the_last_is_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        for (left, then) in [("", "new\n"), ("old\n", "old\nnew\n"), ("ol", "ol\nnew\n")] {
            fs::write(&path, left).unwrap();
            LogFile::open(&path).unwrap().line("new\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), then);
        }
    }

    #[test]
    fn opens_named_pipe_without_reader_and_never_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut log = LogFile::open(&path).unwrap();
        while log.wait_writable(Duration::ZERO) {
            log.write(&[b'x'; 4096]).unwrap();
        }
        assert_eq!(log.write(b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
