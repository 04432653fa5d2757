//! Opens files that a configuration names, regular files only.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::Path,
};

/// Opening a named pipe would block for ever.
pub fn open_regular_file(path: &Path) -> io::Result<File> {
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
    fn attack_named_pipe_in_place_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [folder.path(), &pipe] {
            assert_eq!(open_regular_file(path).unwrap_err().to_string(), "this is not a file");
        }
        assert_eq!(
            open_regular_file(&folder.path().join("nothing")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
