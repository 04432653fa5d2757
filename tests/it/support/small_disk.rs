//! The binary with its store on a disk of its own, which the test fills and frees: a tmpfs in a mount namespace that this
//! machine does not notice. `None` where such namespaces are not allowed; `tests/all` says so.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use super::{accounts::TestAccounts, binary::Binary, proxy::TestProxyBuilder};

const MOUNT: &str = "small";

/// The disk as the binary sees it.
pub struct SmallDisk {
    folder: PathBuf,
}

impl TestProxyBuilder {
    /// Starts the binary with a copy of the store that `prepare` has filled, on a disk of `size`.
    pub fn serve_on_small_disk(
        self,
        size: &str,
        prepare: impl FnOnce(&TestAccounts),
    ) -> Option<(Binary, SmallDisk)> {
        let home = self.dir.path().to_owned();
        let (source, mount) = (home.join("source"), home.join(MOUNT));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&mount).unwrap();
        let accounts = TestAccounts::in_folder(&source);
        prepare(&accounts);
        accounts.close();
        let proxy = self.setting("accounts.store_url", format!("sqlite:{MOUNT}/doorward.db"));
        let (file, home) = proxy.write();
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs '{mount}' && cp '{source}'/* '{mount}' && exec \"$@\"",
            mount = mount.display(),
            source = source.display(),
        );
        let unshare = |script: &str| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh"]);
            unshare
        };
        if !unshare(&script).arg("true").output().is_ok_and(|output| output.status.success()) {
            return None;
        }
        let mut command = unshare(&script);
        command
            .arg(env!("CARGO_BIN_EXE_doorward"))
            .args(["serve", "--config"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0);
        let binary = Self::started(command, Arc::new(home));
        // without `--fork` the binary has the process id of `unshare`
        let root = Path::new("/proc").join(binary.id().to_string()).join("root");
        let folder = root.join(mount.strip_prefix("/").unwrap());
        Some((binary, SmallDisk { folder }))
    }
}

impl SmallDisk {
    pub fn fill(&self) {
        // appends, so that no space becomes free in between
        let mut file = File::options().create(true).append(true).open(self.folder.join("fill")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    /// Fills it except for `bytes`.
    pub fn fill_but(&self, bytes: u64) {
        self.fill();
        let file = File::options().write(true).open(self.folder.join("fill")).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(bytes)).unwrap();
    }

    pub fn free(&self) {
        fs::remove_file(self.folder.join("fill")).unwrap();
    }
}
