//! A log file that is opened by its path, and again when it has been moved or removed.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::OFlags;

use super::{
    batch::Unit,
    target::{Output, Target},
};

/// How often the path is compared with the open file.
const INTERVAL: Duration = Duration::from_millis(900);
/// Logs have addresses and user names: owner and group may read them.
const NEW_FILE_MODE: u32 = 0o640;

pub struct LogFile {
    path: PathBuf,
    output: Output,
    checked: Instant,
    /// The file ends in the middle of a line that another process has left incomplete.
    needs_newline: bool,
    /// The length of the file after an incomplete write.
    incomplete_at: Option<u64>,
    /// Opening the file again failed, and that has been reported.
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

    /// Opens the file that is at the path now; true if a record was begun in the old one.
    fn follow(&mut self, begun: usize) -> bool {
        if self.is_in_place() {
            self.failing = false;
            return false;
        }
        match Self::open(&self.path) {
            Ok(new) => {
                self.cut_back(begun);
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

    /// `copytruncate` of logrotate has removed the begun record.
    fn was_truncated(&self, begun: usize) -> bool {
        self.output.is_regular && self.output.file.metadata().is_ok_and(|file| file.len() < begun as u64)
    }
}

impl Target for LogFile {
    fn unit(&self) -> Unit {
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
        self.follow(begun)
    }

    fn wait(&self, at_most: Duration) -> bool {
        self.output.wait(at_most)
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

    fn cut_back(&mut self, begun: usize) {
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

fn open(path: &Path) -> io::Result<Output> {
    let mut options = OpenOptions::new();
    if !fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo()) {
        return Output::new(options.create(true).append(true).mode(NEW_FILE_MODE).open(path)?);
    }
    // Opening a named pipe must not wait for its reader, and a reader that restarts must not lose what is in the pipe:
    // on Linux both hold for a pipe that is opened for reading as well. An unnamed one (`/dev/stdout`) already has its reader.
    let is_named = path.canonicalize().is_ok();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    Output::new(options.read(is_named).write(true).custom_flags(flags).open(path)?)
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
    fn lines_go_to_the_file_that_is_at_the_path_now() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.line("one\n");
        log.follow(0);
        log.line("two\n");
        // logrotate, with and without `create`
        fs::rename(&path, &rotated).unwrap();
        log.line("three\n");
        log.follow(0);
        log.line("four\n");
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        log.follow(0);
        log.line("five\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
        // `copytruncate`
        fs::File::create(&path).unwrap();
        log.follow(0);
        log.line("six\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
    }

    #[test]
    fn no_line_is_lost_where_no_new_file_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("log/access.log"), folder.path().join("old"));
        fs::create_dir(folder.path().join("log")).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        fs::rename(folder.path().join("log"), &rotated).unwrap();
        log.follow(0);
        log.line("one\n");
        assert_eq!(fs::read_to_string(rotated.join("access.log")).unwrap(), "one\n");
        fs::create_dir(folder.path().join("log")).unwrap();
        log.follow(0);
        log.line("two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn a_line_that_is_incomplete_when_the_file_is_moved_begins_again_in_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.line("one\n");
        log.line("tw");
        log.incomplete_at = Some(6);
        fs::rename(&path, &rotated).unwrap();
        assert!(log.follow(2));
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\n");
        // `copytruncate`
        log.line("tw");
        assert!(!log.refresh(2));
        fs::File::create(&path).unwrap();
        assert!(log.refresh(2));
    }

    #[test]
    fn cutting_back_removes_no_line_of_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut log = LogFile::open(&path).unwrap();
        log.line("one\ntw");
        log.incomplete_at = Some(6);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"theirs\n").unwrap();
        log.cut_back(2);
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
    fn the_first_line_is_whole_after_a_process_that_died_within_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        for (left, then) in [("", "new\n"), ("old\n", "old\nnew\n"), ("ol", "ol\nnew\n")] {
            fs::write(&path, left).unwrap();
            LogFile::open(&path).unwrap().line("new\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), then);
        }
    }

    #[test]
    fn a_named_pipe_is_opened_without_a_reader_and_never_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut log = LogFile::open(&path).unwrap();
        while log.wait(Duration::ZERO) {
            log.write(&[b'x'; 4096]).unwrap();
        }
        assert_eq!(log.write(b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
