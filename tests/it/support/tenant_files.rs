//! The tenants' folder, and how editors, tools and Kubernetes write a file in it.

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
    /// Kubernetes, a ConfigMap for each tenant: `..data` in the tenant's folder is swapped.
    DataSwap,
    /// Kubernetes, one ConfigMap for all: `..data` beside the tenants is swapped, each tenant's folder is a link.
    TreeSwap,
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
        if how != Edit::TreeSwap {
            fs::create_dir_all(&folder).unwrap();
        }
        match how {
            Edit::InPlace => fs::write(file, text).unwrap(),
            Edit::RenameOver => {
                let beside = folder.join(".tenant-conf.json.swp");
                fs::write(&beside, text).unwrap();
                fs::rename(beside, file).unwrap();
            }
            Edit::DataSwap => {
                let version =
                    swap(&folder, |version| fs::write(version.join("tenant-conf.json"), text).unwrap());
                if version == "..version" {
                    drop(fs::remove_file(&file));
                    symlink("..data/tenant-conf.json", file).unwrap();
                }
            }
            Edit::TreeSwap => self.swap_all(tenant, text),
        }
    }

    fn swap_all(&self, tenant: &str, text: &str) {
        let old = self.folder.join("..data");
        swap(&self.folder, |version| {
            let tenants = fs::read_dir(old).into_iter().flatten().map(|entry| entry.unwrap());
            for other in tenants.filter(|other| other.file_name() != tenant) {
                let copy = version.join(other.file_name());
                fs::create_dir(&copy).unwrap();
                fs::copy(other.path().join("tenant-conf.json"), copy.join("tenant-conf.json")).unwrap();
            }
            fs::create_dir(version.join(tenant)).unwrap();
            fs::write(version.join(tenant).join("tenant-conf.json"), text).unwrap();
        });
        let link = self.folder.join(tenant);
        if !link.exists() {
            symlink(format!("..data/{tenant}"), link).unwrap();
        }
    }

    pub fn remove(&self, tenant: &str) {
        fs::remove_dir_all(self.folder.join(tenant)).unwrap();
    }
}

/// As kubelet does it: a new folder is filled, `..data` is renamed over, the old folder goes. Names the new folder.
fn swap(folder: &Path, fill: impl FnOnce(&Path)) -> String {
    let old = fs::read_link(folder.join("..data")).ok();
    let version = match &old {
        Some(old) => format!("{}_next", old.display()),
        None => "..version".to_owned(),
    };
    fs::create_dir(folder.join(&version)).unwrap();
    fill(&folder.join(&version));
    symlink(&version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(folder.join(old)).unwrap();
    }
    version
}

#[test]
fn each_kind_of_edit_writes_the_new_text() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = TenantFiles { folder: folder.path().to_owned() };
    for how in [Edit::InPlace, Edit::RenameOver, Edit::DataSwap, Edit::DataSwap] {
        let text = format!("{how:?}");
        tenants.write("acme.com", &text, how);
        assert_eq!(fs::read_to_string(tenants.file("acme.com")).unwrap(), text);
    }
}

#[test]
fn a_swap_of_all_tenants_keeps_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = TenantFiles { folder: folder.path().to_owned() };
    for (tenant, text) in [("a.com", "1"), ("b.com", "2"), ("a.com", "3")] {
        tenants.write(tenant, text, Edit::TreeSwap);
        assert_eq!(fs::read_to_string(tenants.file(tenant)).unwrap(), text);
    }
    assert_eq!(fs::read_to_string(tenants.file("b.com")).unwrap(), "2");
}
