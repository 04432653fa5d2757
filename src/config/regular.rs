//! Files that somebody else names.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// A pipe in the place of a file would block whoever opens it for ever.
pub fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "this is not a file"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn attack_a_pipe_in_the_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [folder.path(), &pipe] {
            assert_eq!(open(path).unwrap_err().to_string(), "this is not a file");
        }
        assert_eq!(open(&folder.path().join("nothing")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
