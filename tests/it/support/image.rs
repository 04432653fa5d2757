//! The binary with its store on a file system in an image file. A copy of the image contains what has reached the disk,
//! and not what the kernel has still to write, as after a power cut. Needs root, for a loop device in a mount namespace of its
//! own. `None` without root; `tests/all` reports it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

use super::{accounts::TestAccounts, binary::Binary, proxy::TestProxyBuilder};

const MOUNT: &str = "image";

pub struct Image {
    home: Arc<TempDir>,
    file: PathBuf,
    configuration: PathBuf,
}

impl TestProxyBuilder {
    /// Starts the binary with a copy of the store that `prepare` has filled.
    pub fn serve_on_image(self, prepare: impl FnOnce(&TestAccounts)) -> Option<(Binary, Image)> {
        let home = self.dir.path().to_owned();
        let (source, file) = (home.join("source"), home.join("disk.img"));
        fs::create_dir(&source).unwrap();
        fs::create_dir(home.join(MOUNT)).unwrap();
        let people = TestAccounts::in_folder(&source);
        prepare(&people);
        people.close();
        File::create(&file).unwrap().set_len(16 << 20).unwrap();
        let make = ["mkfs.ext4", "/usr/sbin/mkfs.ext4"]
            .map(|program| Command::new(program).arg("-q").arg("-d").args([&source, &file]).output());
        let is_formatted = make.into_iter().flatten().any(|output| output.status.success());
        if !is_formatted || !mounting(&file, &home.join(MOUNT)).arg("true").output().ok()?.status.success() {
            return None;
        }
        let proxy = self.setting("accounts.store_url", format!("sqlite:{MOUNT}/doorward.db"));
        let (configuration, home) = proxy.write();
        let image = Image { home: Arc::new(home), file, configuration };
        Some((image.serve(&image.file), image))
    }
}

impl Image {
    /// Copies the disk as it is now, ends the binary, and starts another on the copy.
    pub fn cut_power(&self, binary: &Binary) -> Binary {
        let copy = self.file.with_extension("copy");
        fs::copy(&self.file, &copy).unwrap();
        binary.signal("KILL");
        self.serve(&copy)
    }

    fn serve(&self, file: &Path) -> Binary {
        let mut command = mounting(file, &self.home.path().join(MOUNT));
        command.arg(env!("CARGO_BIN_EXE_doorward")).args(["serve", "--config"]).arg(&self.configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        TestProxyBuilder::started(command, Arc::clone(&self.home))
    }
}

/// A command that mounts the image and then runs the appended arguments.
fn mounting(file: &Path, at: &Path) -> Command {
    let script = format!("mount -o loop '{}' '{}' && exec \"$@\"", file.display(), at.display());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", &script, "sh"]);
    command
}
