//! Checks that the current user can open or create the SQLite store.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

/// Why the current user cannot open or create the file of the store.
#[derive(Debug, thiserror::Error)]
pub enum LocationProblem {
    #[error("the folder {} does not exist", .0.display())]
    NoFolder(PathBuf),
    #[error("the folder {} cannot be written by this user: {error}", .folder.display())]
    FolderNotWritable { folder: PathBuf, error: Errno },
    #[error("this is not a file")]
    NotAFile,
    #[error("this user cannot open it: {0}")]
    NotAccessible(Errno),
}

impl LocationProblem {
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoFolder(_) => "make it, for the user Doorward runs as",
            Self::FolderNotWritable { .. } => {
                "check as the user Doorward runs as, and let it write there; or choose another folder"
            }
            Self::NotAFile => "name a file, such as sqlite:doorward.db",
            Self::NotAccessible(_) => "it belongs to the user Doorward runs as: check as that user",
        }
    }
}

/// SQLite writes files beside the store, so its folder is checked too.
pub fn check_location(file: &Path) -> Result<(), LocationProblem> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(LocationProblem::NoFolder(folder.to_owned()));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| LocationProblem::FolderNotWritable { folder: folder.to_owned(), error })?;
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => Err(LocationProblem::NotAFile),
        Ok(_) => access(file, Access::READ_OK | Access::WRITE_OK).map_err(LocationProblem::NotAccessible),
        // made at the first start
        Err(_) => Ok(()),
    }
}
