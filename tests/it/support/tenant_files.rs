//! The tenants' folder, and the ways in which people and machines edit a file in it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// How an edit reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// An editor that writes into the file.
    InPlace,
    /// An editor or a tool that writes beside the file and renames over it.
    RenameOver,
    /// Kubernetes: a new folder with all files, then `..data` is swapped to it.
    DataSwap,
}

pub struct TenantFiles {
    pub folder: PathBuf,
}

impl TenantFiles {
    pub fn file(&self, tenant: &str) -> PathBuf {
        self.folder.join(tenant).join("tenant-conf.json")
    }

    pub fn write(&self, tenant: &str, text: &str, how: Edit) {
        let file = self.file(tenant);
        let folder = self.folder.join(tenant);
        fs::create_dir_all(&folder).unwrap();
        match how {
            Edit::InPlace => fs::write(file, text).unwrap(),
            Edit::RenameOver => {
                let beside = folder.join(".tenant-conf.json.swp");
                fs::write(&beside, text).unwrap();
                fs::rename(beside, file).unwrap();
            }
            Edit::DataSwap => swap(&folder, &file, text),
        }
    }

    pub fn remove(&self, tenant: &str) {
        fs::remove_dir_all(self.folder.join(tenant)).unwrap();
    }
}

/// As kubelet does it: `tenant-conf.json → ..data/tenant-conf.json`, `..data → ..version`, swapped by a rename.
fn swap(folder: &Path, file: &Path, text: &str) {
    let old = fs::read_link(folder.join("..data")).ok();
    let version = match &old {
        Some(old) => format!("{}_next", old.display()),
        None => "..version".to_owned(),
    };
    fs::create_dir(folder.join(&version)).unwrap();
    fs::write(folder.join(&version).join("tenant-conf.json"), text).unwrap();
    symlink(&version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(folder.join(old)).unwrap();
    } else {
        drop(fs::remove_file(file));
        symlink("..data/tenant-conf.json", file).unwrap();
    }
}

#[test]
fn each_way_of_editing_ends_in_the_new_text() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = TenantFiles { folder: folder.path().to_owned() };
    for how in [Edit::InPlace, Edit::RenameOver, Edit::DataSwap, Edit::DataSwap] {
        let text = format!("{how:?}");
        tenants.write("acme.com", &text, how);
        assert_eq!(fs::read_to_string(tenants.file("acme.com")).unwrap(), text);
    }
}
