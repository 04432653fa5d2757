//! Where the lines go: standard output, or whatever file is at a path.

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{self, Stdout, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub trait Target: Write {
    /// Called between lines: makes sure that what is written next can be found.
    fn refresh(&mut self);
}

impl Target for Stdout {
    fn refresh(&mut self) {}
}

/// A busy log is not looked after with every line.
const INTERVAL: Duration = Duration::from_millis(900);

/// A file as it is found at its path now.
pub struct LogFile {
    path: PathBuf,
    file: File,
    looked: Instant,
    /// Opening it anew failed, and that has been said.
    failing: bool,
}

impl LogFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        Ok(Self { path: path.to_owned(), file, looked: Instant::now(), failing: false })
    }

    /// The path leads to the file that is open.
    fn is_in_place(&self) -> bool {
        let identity = |meta: Metadata| (meta.dev(), meta.ino());
        match (self.path.metadata(), self.file.metadata()) {
            (Ok(there), Ok(open)) => identity(there) == identity(open),
            _ => false,
        }
    }

    fn follow(&mut self) {
        if self.is_in_place() {
            self.failing = false;
            return;
        }
        match open(&self.path) {
            Ok(file) => {
                self.file = file;
                self.failing = false;
            }
            Err(error) if !self.failing => {
                self.failing = true;
                let path = self.path.display();
                tracing::error!(%path, %error, "the access log cannot be opened anew; lines go on into the file that was moved");
            }
            Err(_) => {}
        }
    }
}

impl Target for LogFile {
    fn refresh(&mut self) {
        if self.looked.elapsed() >= INTERVAL {
            self.looked = Instant::now();
            self.follow();
        }
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_go_to_the_file_that_is_at_the_path_now() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let mut log = LogFile::open(&path).unwrap();
        log.write_all(b"one\n").unwrap();
        log.follow();
        log.write_all(b"two\n").unwrap();
        // logrotate, with and without `create`
        fs::rename(&path, &rotated).unwrap();
        log.write_all(b"three\n").unwrap();
        log.follow();
        log.write_all(b"four\n").unwrap();
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\ntwo\nthree\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        log.follow();
        log.write_all(b"five\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
        // `copytruncate`
        fs::File::create(&path).unwrap();
        log.follow();
        log.write_all(b"six\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "six\n");
    }

    #[test]
    fn no_line_is_lost_where_no_new_file_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let (path, rotated) = (folder.path().join("log/access.log"), folder.path().join("old"));
        fs::create_dir(folder.path().join("log")).unwrap();
        let mut log = LogFile::open(&path).unwrap();
        fs::rename(folder.path().join("log"), &rotated).unwrap();
        log.follow();
        log.write_all(b"one\n").unwrap();
        assert_eq!(fs::read_to_string(rotated.join("access.log")).unwrap(), "one\n");
        fs::create_dir(folder.path().join("log")).unwrap();
        log.follow();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }
}
