//! Checks that the current user can open or create the SQLite store.

use std::{fs, path::Path};

use rustix::fs::{Access, access};

/// Problem and remedy if the store cannot be opened or created. SQLite writes files beside it, so the folder is checked too.
pub fn check_location(file: &Path) -> Result<(), (String, String)> {
    let shown = file.display();
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let remedy = "make it, for the user Doorward runs as".to_owned();
        return Err((format!("{shown}: the folder {} does not exist", folder.display()), remedy));
    }
    if let Err(error) = access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        let problem =
            format!("{shown}: the folder {} cannot be written by this user: {error}", folder.display());
        let remedy =
            "check as the user Doorward runs as, and let it write there; or choose another folder".to_owned();
        return Err((problem, remedy));
    }
    match fs::metadata(file) {
        Ok(found) if !found.is_file() => Err((
            format!("{shown}: this is not a file"),
            "name a file, such as sqlite:doorward.db".to_owned(),
        )),
        Ok(_) => access(file, Access::READ_OK | Access::WRITE_OK).map_err(|error| {
            let remedy = "it belongs to the user Doorward runs as: check as that user".to_owned();
            (format!("{shown}: this user cannot open it: {error}"), remedy)
        }),
        // made at the first start
        Err(_) => Ok(()),
    }
}
