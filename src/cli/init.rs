//! `doorward init`: writes a commented configuration to begin with.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

/// The published files, word for word; the configuration itself last, so that it is never there without the rest.
const FILES: [(&str, &str); 4] = [
    ("deployment.schema.json", include_str!("../../config/deployment.schema.json")),
    ("tenant-conf.schema.json", include_str!("../../config/tenant-conf.schema.json")),
    (
        "tenants/carbon.super/tenant-conf.json",
        include_str!("../../config/tenants/carbon.super/tenant-conf.json"),
    ),
    ("deployment.toml", include_str!("../../config/deployment.toml")),
];

/// Exit code 0: written. 1: not, and why is on standard error.
pub fn run(folder: &Path) -> ExitCode {
    match write(folder) {
        Ok(()) => {
            let file = folder.join("deployment.toml");
            let _ = writeln!(
                io::stdout(),
                "written: {file}\nnext:    doorward check --config {file}",
                file = file.display()
            );
            ExitCode::SUCCESS
        }
        Err(problem) => {
            let _ = writeln!(io::stderr(), "doorward init: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> Result<(), String> {
    let said = |path: &Path, error: &io::Error| format!("{}: {error}", path.display());
    for (name, _) in FILES {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(format!("{} is there already; nothing was written", path.display()));
        }
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| said(parent, &error))?;
        // never over a file that appeared in the meantime
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| said(&path, &error))?;
        file.write_all(text.as_bytes()).map_err(|error| said(&path, &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::check::check;

    #[test]
    fn what_it_writes_passes_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new");
        write(&new).unwrap();
        let report = check(&new.join("deployment.toml"), &BTreeMap::new());
        assert!(report.is_clean() && report.tenants == 1, "{report:#?}");
    }

    #[test]
    fn it_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for (name, _) in FILES {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "mine").unwrap();
            assert!(write(folder.path()).unwrap_err().contains("nothing was written"));
            assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
            fs::remove_file(&path).unwrap();
        }
        assert!(write(folder.path()).is_ok());
    }
}
