//! The demo's configuration: a real `deployment.toml` and four tenants.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::previous_config::{self, MARK};
use crate::demo::{AUDIENCE, ISSUER, MEMBERS, SamplePortal};

/// The folder of the demo; removed at the end, unless the caller named it.
pub struct DemoFolder {
    path: PathBuf,
    is_temporary: bool,
}

impl DemoFolder {
    pub fn make(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let is_ours = named.is_none();
        let path = named
            .unwrap_or_else(|| std::env::temp_dir().join(format!("doorward-demo-{:08x}", fastrand::u32(..))));
        let made = if is_ours { make_private(&path) } else { fs::create_dir_all(&path) };
        made.with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self { path, is_temporary: is_ours })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if self.is_temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(folder = %self.path.display(), %error, "the demo's folder could not be removed");
        }
    }
}

/// Fails if the name exists: every local user can write to the folder for temporary files.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes `deployment.toml` (into one of an earlier demo only the addresses) and the tenants' files (where missing). Returns
/// the former. A folder with a configuration that the demo did not write is not changed.
pub fn write(folder: &Path, listen: SocketAddr, portal: &SamplePortal) -> anyhow::Result<PathBuf> {
    let file = folder.join("deployment.toml");
    let deployment = match previous_config::read(&file)? {
        None => deployment_toml(listen, &portal.url()),
        Some(text) => previous_config::with_addresses(&text, listen, &portal.url())
            .with_context(|| format!("{}: fix it, or delete it to get a new one", file.display()))?,
    };
    write_file(&folder.join("sample-portal-keys.json"), &portal.key_set())?;
    write_file(&file, &deployment)?;
    for (tenant, content) in TENANTS {
        let conf = folder.join("tenants").join(tenant).join("tenant-conf.json");
        if !conf.exists() {
            write_file(&conf, content)?;
        }
    }
    Ok(file)
}

fn write_file(file: &Path, content: &str) -> anyhow::Result<()> {
    let written = || -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, content)
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}

fn deployment_toml(listen: SocketAddr, portal: &str) -> String {
    format!(
        r#"{MARK} Edit it while the demo runs: most keys count within a second.

[apim.devportal]
# Whether anonymous visitors may see the portal, where a tenant does not say otherwise.
enable_anonymous_mode = true

[server]
listen = ["{listen}"]
drain_delay = "0s"
drain_timeout = "1s"

[admin]
listen = "127.0.0.1:0"

[portal]
profile = "wso2-apim"

[[portal.upstream]]
url = "{portal}"

# The lab's WebSocket, for visitors too: without `upgrade` only users open one.
[[access.route]]
match = "/devportal/home/lab/socket"
access = "anonymous"
upgrade = true

# The sample portal signs its tokens with a key made at its start.
[[issuer]]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
jwks_file = "sample-portal-keys.json"
algorithms = ["ES256"]
tenant_claim = "tenant"

# Accounts and sessions of Doorward's own, in doorward.db beside this file; members.example uses them.
[accounts]
enabled = true

# All other tenants keep the sign-in of the portal ...
[sign_in]
url = "/devportal/services/configs?tenant={{tenant}}"

# ... and Doorward counts the wrong passwords there as well: by the form, and by programs that fetch a token.
[[guard]]
match = "/commonauth"
user_in = "form"
succeeded_redirect = ["*/devportal/services/auth/callback/login?code=*"]
failed_status = [401]

[[guard]]
match = "/oauth2/token"
user_in = "password-grant"

# Five wrong passwords lock for 5 minutes, five more for 10, then 20 ...
[account_lock]
enabled = true
max_attempts = 5
time = "5m"

[password_policy]
enabled = true
min_length = 8
max_length = 64
pattern = ".*"
common_list = true
min_score = 2
context_words = true

[log]
level = "warn"
access = "access.log"
"#
    )
}

const TENANTS: [(&str, &str); 4] = [
    (
        "carbon.super",
        r#"{
  "EnableAnonymous": true,
  "Doorward": {
    "branding": { "name": "Open data portal" }
  }
}
"#,
    ),
    (
        "closed.example",
        r##"{
  "EnableAnonymous": false,
  "Doorward": {
    "branding": { "name": "Closed Example Industries", "accent": "#8a1c5b" }
  }
}
"##,
    ),
    (
        "inherits.example",
        r#"{
  "EnableMonetization": false,
  "IsUnlimitedTierPaid": false
}
"#,
    ),
    (
        MEMBERS,
        r##"{
  "EnableAnonymous": false,
  "Doorward": {
    "branding": { "name": "Harbour Members", "accent": "#0b5d4e" },
    "sign_in": { "url": "/.doorward/sign-in?tenant={tenant}&to={return_path}" },
    "identity_headers": "authelia",
    "account_lock": { "show_failure_reason": true }
  }
}
"##,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> PathBuf {
        let portal = SamplePortal::start("127.0.0.1:0".parse().unwrap()).unwrap();
        write(folder, "127.0.0.1:8080".parse().unwrap(), &portal).unwrap()
    }

    #[test]
    fn the_configuration_is_toml_and_the_tenants_are_json() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        let read: toml::Table = fs::read_to_string(file).unwrap().parse().unwrap();
        assert_eq!(read["server"]["listen"][0].as_str(), Some("127.0.0.1:8080"));
        for (tenant, anonymous) in [
            ("carbon.super", Some(true)),
            ("closed.example", Some(false)),
            ("inherits.example", None),
            (MEMBERS, Some(false)),
        ] {
            let conf =
                fs::read_to_string(folder.path().join("tenants").join(tenant).join("tenant-conf.json"))
                    .unwrap();
            let conf: serde_json::Value = serde_json::from_str(&conf).unwrap();
            assert_eq!(conf["EnableAnonymous"].as_bool(), anonymous, "{tenant}");
        }
    }

    #[test]
    fn edits_of_a_tenants_file_survive_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("tenants/closed.example/tenant-conf.json");
        written(folder.path());
        fs::write(&conf, "{}").unwrap();
        written(folder.path());
        assert_eq!(fs::read_to_string(conf).unwrap(), "{}");
    }

    #[test]
    fn edited_configuration_survives_a_start_on_other_ports() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        let first = fs::read_to_string(&file).unwrap();
        let edited = first.replace("enable_anonymous_mode = true", "enable_anonymous_mode = false");
        assert_ne!(edited, first);
        fs::write(&file, &edited).unwrap();
        let portal = SamplePortal::start("127.0.0.1:0".parse().unwrap()).unwrap();
        write(folder.path(), "127.0.0.1:8088".parse().unwrap(), &portal).unwrap();
        let kept = fs::read_to_string(&file).unwrap();
        let read: toml::Table = kept.parse().unwrap();
        assert_eq!(read["server"]["listen"][0].as_str(), Some("127.0.0.1:8088"));
        assert_eq!(read["portal"]["upstream"][0]["url"].as_str(), Some(portal.url().as_str()));
        assert!(kept.contains("enable_anonymous_mode = false"), "{kept}");
        assert_eq!(kept.lines().count(), edited.lines().count());
    }

    #[test]
    fn foreign_configuration_is_not_overwritten() {
        for theirs in ["", "[server]\nlisten = [\"127.0.0.1:1\"]\n", "\n# Written by `doorward demo`.\n"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("deployment.toml");
            fs::write(&file, theirs).unwrap();
            let portal = SamplePortal::start("127.0.0.1:0".parse().unwrap()).unwrap();
            let message = write(folder.path(), "127.0.0.1:8080".parse().unwrap(), &portal).unwrap_err();
            let expected = format!("{} is not the demo's: name another --folder", file.display());
            assert_eq!(message.to_string(), expected);
            assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written beside it");
        }
    }

    #[test]
    fn removes_only_its_own_temporary_folder() {
        let named = tempfile::tempdir().unwrap();
        drop(DemoFolder::make(Some(named.path().to_owned())).unwrap());
        assert!(named.path().exists());
        let ours = DemoFolder::make(None).unwrap();
        let path = ours.path().to_owned();
        assert!(make_private(&path).is_err(), "what exists is never taken over");
        drop(ours);
        assert!(!path.exists());
    }
}
