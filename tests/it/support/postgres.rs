//! A real PostgreSQL server for the tests: started by the first that needs one, shared by all, also by those in other
//! processes, and ended when the last of them is gone, however it went.
//!
//! Each process that uses the server holds a shared lock on a file. A shell beside the server waits for the exclusive lock: it
//! gets it when no process uses the server any more, and ends it.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::{fs::MetadataExt as _, net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use super::eventually::within;

/// Debian's places, then whatever is on the path.
fn programs() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.splice(0..0, std::env::split_paths(&path));
    found.into_iter().rev().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

pub struct Postgres {
    folder: PathBuf,
    /// The shared lock that keeps the server running.
    _in_use: File,
}

impl Postgres {
    /// The server, or `None` where PostgreSQL is not installed and may be left out.
    pub fn server() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
        SERVER.get_or_init(Self::join_or_start).as_ref()
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.folder.display())
    }

    fn join_or_start() -> Option<Self> {
        let Some(programs) = programs() else {
            let strict = std::env::var_os("CI").is_some() || std::env::var("STRICT").is_ok_and(|s| s == "1");
            assert!(!strict, "PostgreSQL is not installed, and nothing may be left out here");
            eprintln!("left out: PostgreSQL is not installed");
            return None;
        };
        let ours = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // one process at a time joins or starts
        let turn = lock_file(&ours.join("postgres.turn"));
        turn.lock().unwrap();
        let current = ours.join("postgres.current");
        let server = fs::read_to_string(&current).ok().and_then(|folder| Self::join(Path::new(&folder)));
        let server = server.unwrap_or_else(|| {
            let started = Self::start(&programs, &ours.join("postgres.initdb"));
            fs::write(&current, started.folder.display().to_string()).unwrap();
            started
        });
        Some(server)
    }

    fn join(folder: &Path) -> Option<Self> {
        let in_use = File::open(folder.join("in-use")).ok()?;
        // another process holds it exclusively: the server is being ended
        in_use.try_lock_shared().ok()?;
        answers(folder).then(|| Self { folder: folder.to_owned(), _in_use: in_use })
    }

    fn start(programs: &Path, template: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("doorward-postgres-").tempdir().unwrap().keep();
        let user = ServerUser::of_server(&folder);
        user.chown(&folder);
        let data = folder.join("data");
        // making the files takes seconds, copying them does not
        if template.join("PG_VERSION").exists() {
            succeeded(&Command::new("cp").arg("-r").args([template, &data]).output().unwrap());
            succeeded(&Command::new("chmod").args(["-R", "go-rwx"]).arg(&data).output().unwrap());
            user.chown(&data);
        } else {
            let made = user
                .command(&programs.join("initdb"))
                .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"])
                .args([Path::new("--no-sync"), Path::new("--pgdata"), &data])
                .output();
            succeeded(&made.unwrap());
            drop(fs::remove_dir_all(template));
            // half a copy must not be taken for a whole one
            let copy = template.with_extension("copy");
            drop(fs::remove_dir_all(&copy));
            succeeded(&Command::new("cp").arg("-r").args([&data, &copy]).output().unwrap());
            fs::rename(&copy, template).unwrap();
        }
        let in_use = lock_file(&folder.join("in-use"));
        in_use.lock_shared().unwrap();
        let mut server = user.command(Path::new("sh"));
        server
            .arg("-c")
            .arg(
                "\"$1\" -D \"$2/data\" -k \"$2\" -c listen_addresses= -c fsync=off -c max_connections=200 \
                 >\"$2/log\" 2>&1 & server=$!
                 flock \"$2/in-use\" sh -c \"kill -INT $server; while kill -0 $server 2>/dev/null; do sleep 0.1; done\"
                 rm -rf \"$2/data\" \"$2/in-use\" \"$2/log\"; rmdir \"$2\" 2>/dev/null",
            )
            .arg("doorward-tests")
            .args([&programs.join("postgres"), &folder])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // lives on when the test that started it is killed with its group
            .process_group(0)
            .current_dir(&folder);
        drop(server.spawn().unwrap());
        within(std::time::Duration::from_secs(30), || answers(&folder));
        Self { folder, _in_use: in_use }
    }
}

/// PostgreSQL and PgBouncer refuse to run as root.
pub(super) struct ServerUser {
    name: Option<&'static str>,
}

impl ServerUser {
    pub fn of_server(ours: &Path) -> Self {
        let is_root = fs::metadata(ours).unwrap().uid() == 0;
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let exists = |name: &str| users.lines().any(|line| line.split(':').next() == Some(name));
        Self { name: is_root.then(|| if exists("postgres") { "postgres" } else { "nobody" }) }
    }

    pub fn command(&self, program: &Path) -> Command {
        let Some(name) = self.name else { return Command::new(program) };
        let mut command = Command::new("runuser");
        command.args(["-u", name, "--"]).arg(program);
        command.current_dir("/");
        command
    }

    pub fn chown(&self, folder: &Path) {
        if let Some(name) = self.name {
            succeeded(&Command::new("chown").args(["-R", name]).arg(folder).output().unwrap());
        }
    }
}

fn lock_file(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).unwrap()
}

/// Takes connections: not while it starts, nor while it ends.
fn answers(folder: &Path) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut socket) = UnixStream::connect(folder.join(".s.PGSQL.5432")) else { return false };
    // protocol 3.0, user postgres: 'R' if it lets us in, 'E' if it is not ready
    let words = b"user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(8 + words.len()).unwrap();
    let mut message = [length.to_be_bytes(), 196_608_u32.to_be_bytes()].concat();
    message.extend_from_slice(words);
    let mut first = [0];
    socket.write_all(&message).is_ok() && socket.read_exact(&mut first).is_ok() && first == *b"R"
}

#[track_caller]
fn succeeded(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
}
