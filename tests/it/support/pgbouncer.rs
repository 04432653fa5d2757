//! A real PgBouncer in transaction mode before the tests' PostgreSQL server.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{database::Database, eventually, postgres::ServerUser};

const PROGRAM: &str = "/usr/sbin/pgbouncer";

pub struct PgBouncer {
    process: Child,
    url: String,
    _folder: TempDir,
}

impl PgBouncer {
    /// With these settings more. `None` where it is not installed and may be left out.
    pub fn before(database: &Database, settings: &str) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            let strict = std::env::var_os("CI").is_some() || std::env::var("STRICT").is_ok_and(|s| s == "1");
            assert!(!strict, "PgBouncer is not installed, and nothing may be left out here");
            eprintln!("left out: PgBouncer is not installed");
            return None;
        }
        let (path, query) = database.url.split_once('?').unwrap();
        let (name, host) = (path.rsplit('/').next().unwrap(), query.split('&').next().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = {host} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\n{settings}\n"
        );
        fs::write(&file, text).unwrap();
        // it refuses to run as root, as PostgreSQL does
        let user = ServerUser::of_server(folder.path());
        user.chown(folder.path());
        let mut command = user.command(Path::new(PROGRAM));
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        eventually(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
        Some(Self { process, url, _folder: folder })
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Whether it keeps prepared statements in transaction mode, from 1.21 on.
    pub fn keeps_statements() -> bool {
        let output = Command::new(PROGRAM).arg("--version").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_whitespace().nth(1).unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
        (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (1, 21)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // `runuser` passes TERM on, which ends it at once
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
