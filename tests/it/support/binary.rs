//! The real binary as a process of its own, as people run it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    answer::Answer,
    browser::TestBrowser,
    eventually,
    proxy::TestProxyBuilder,
    request::{Endpoint, RequestBuilder},
};

/// A `doorward serve`; killed when the test ends before it does.
pub struct Binary {
    child: Child,
    pub http: SocketAddr,
    pub admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    endpoint: Endpoint,
    dir: Arc<TempDir>,
}

/// The remains of a stopped binary.
pub struct Killed(Arc<TempDir>);

impl Killed {
    pub fn serve_again(self) -> Binary {
        TestProxyBuilder::started(serve_command(&self.0.path().join("deployment.toml")), self.0)
    }
}

/// `doorward` with these words; the environment of the test run decides nothing.
pub fn doorward<Word: AsRef<OsStr>>(words: impl IntoIterator<Item = Word>) -> Output {
    command(words).output().unwrap()
}

fn command<Word: AsRef<OsStr>>(words: impl IntoIterator<Item = Word>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(words).env_clear().stdin(Stdio::null());
    command
}

fn serve_command(file: &Path) -> Command {
    let mut command = command([OsStr::new("serve"), OsStr::new("--config"), file.as_os_str()]);
    command.stdout(Stdio::null());
    command
}

/// `doorward serve` where a process may open so many files.
pub fn with_descriptors(soft: u32, hard: u32, file: &Path) -> Command {
    let mut command = Command::new("sh");
    let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
    command.args(["-ec", &limits, "sh", env!("CARGO_BIN_EXE_doorward"), "serve", "--config"]).arg(file);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl TestProxyBuilder {
    /// Writes the configuration and leaves the rest to the test; the folder goes when it is dropped.
    pub fn write(self) -> (PathBuf, TempDir) {
        let file = self.dir.path().join("deployment.toml");
        self.configuration.write(&file);
        (file, self.dir)
    }

    /// Starts the binary and waits until it is ready.
    pub fn serve(self) -> Binary {
        let (file, home) = self.write();
        Self::started(serve_command(&file), Arc::new(home))
    }

    /// The same where no more than so many folders can be watched: in a user namespace of its own, which this machine does
    /// not notice. `None` where such namespaces are not allowed; `tests/all` says so.
    pub fn serve_with_watches(self, watches: u32) -> Option<Binary> {
        self.serve_in_namespace(&format!("echo {watches} > /proc/sys/user/max_inotify_watches"))
    }

    /// The same with a folder `disk` in its home that is a file system of its own, of this size.
    pub fn serve_with_disk(self, size: &str) -> Option<Binary> {
        let disk = self.dir.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        self.serve_in_namespace(&format!("mount -t tmpfs -o size={size} tmpfs {}", disk.display()))
    }

    fn serve_in_namespace(self, prepare: &str) -> Option<Binary> {
        let unshare = |then: &str| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]);
            unshare.args([&format!("{prepare}; {then}"), "sh"]);
            unshare
        };
        if !unshare("true").output().is_ok_and(|output| output.status.success()) {
            return None;
        }
        let (file, home) = self.write();
        let mut command = unshare("exec \"$@\"");
        command.arg(env!("CARGO_BIN_EXE_doorward")).args(["serve", "--config"]).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Some(Self::started(command, Arc::new(home)))
    }

    /// Starts the binary with `SIGXFSZ` ignored: a write above the file size limit fails and does not end the process.
    pub fn serve_without_size_signal(self) -> Binary {
        let (file, home) = self.write();
        let mut command = Command::new("sh");
        command.args(["-ec", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_doorward")]);
        command.args(["serve", "--config"]).arg(file);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        Self::started(command, Arc::new(home))
    }

    /// Starts the binary with this standard output.
    pub fn serve_with_stdout(self, stdout: impl Into<Stdio>) -> Binary {
        let (file, home) = self.write();
        let mut command = serve_command(&file);
        command.stdout(stdout);
        Self::started(command, Arc::new(home))
    }

    /// Starts the binary where a process may open so many files.
    pub fn serve_with_descriptors(self, soft: u32, hard: u32) -> Binary {
        let (file, home) = self.write();
        Self::started(with_descriptors(soft, hard, &file), Arc::new(home))
    }

    pub(super) fn started(mut command: Command, home: Arc<TempDir>) -> Binary {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = collect_log(child.stderr.take().unwrap());
        let mut serving = None;
        eventually(|| {
            serving = find_log_line(&log, "serving");
            serving.is_some()
        });
        let serving = serving.unwrap();
        let address = |key: &str| {
            let text = serving[key].as_str().unwrap();
            let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches([']', ')']);
            digits.parse().unwrap_or_else(|error| panic!("{key} is {text}: {error}"))
        };
        let http = address("http");
        let endpoint = Endpoint { http, https: None, tls_clients: None };
        let binary = Binary { http, admin: address("admin"), child, log, endpoint, dir: home };
        eventually(|| binary.admin("/readyz").status == 200);
        binary
    }
}

impl Binary {
    pub fn get(&self, target: &str) -> RequestBuilder<'static> {
        RequestBuilder::new(self.endpoint.clone(), "GET", target)
    }

    pub fn post(&self, target: &str) -> RequestBuilder<'static> {
        RequestBuilder::new(self.endpoint.clone(), "POST", target)
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn browser(&self) -> TestBrowser<'_> {
        TestBrowser::new(&self.endpoint)
    }

    /// A path as the process sees it, which may have file systems of its own.
    pub fn path_in_namespace(&self, path: &str) -> PathBuf {
        let inside = self.dir.path().join(path);
        let root = Path::new("/proc").join(self.child.id().to_string()).join("root");
        root.join(inside.strip_prefix("/").unwrap())
    }

    /// The value of a metric without labels.
    #[track_caller]
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.admin("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// How many lines of its log have this message.
    pub fn log_count(&self, message: &str) -> usize {
        let lines = self.log.lock().unwrap();
        lines.iter().filter(|line| line.contains(&format!("\"message\":\"{message}"))).count()
    }

    /// Whether some line of its log contains this.
    pub fn has_line(&self, part: &str) -> bool {
        self.log.lock().unwrap().iter().any(|line| line.contains(part))
    }

    /// As in a crash: SIGKILL cannot be handled.
    pub fn kill_9(self) -> Killed {
        Killed(Arc::clone(&self.dir))
    }

    #[track_caller]
    pub fn admin(&self, target: &str) -> Answer {
        RequestBuilder::new(Endpoint { http: self.admin, https: None, tls_clients: None }, "GET", target)
            .send()
    }

    /// Sends `TERM` or `INT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
        assert!(sent.success());
    }

    /// Limits the size of the files that it writes (`RLIMIT_FSIZE`); `None`: the hard limit.
    pub fn limit_file_size(&self, bytes: Option<u64>) {
        let id = Pid::from_raw(self.child.id().try_into().unwrap());
        let maximum = getrlimit(Resource::Fsize).maximum;
        prlimit(id, Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end; the exit code.
    #[track_caller]
    pub fn exit_code(&mut self) -> Option<i32> {
        let mut status = None;
        eventually(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whether its log has this message.
    pub fn has_logged(&self, message: &str) -> bool {
        self.log_line(message).is_some()
    }

    /// The first line of its log with this message.
    pub fn log_line(&self, message: &str) -> Option<Value> {
        find_log_line(&self.log, message)
    }

    /// Resident memory in KiB.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Memory of its own, without the program's file, in KiB.
    pub fn anonymous_memory(&self) -> u64 {
        self.status("RssAnon:")
    }

    /// The most it ever had resident, in KiB.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join("status"));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn find_log_line(log: &Mutex<Vec<String>>, message: &str) -> Option<Value> {
    let lines = log.lock().unwrap();
    let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["message"].as_str().is_some_and(|printed| printed.starts_with(message)))
}

fn collect_log(stderr: ChildStderr) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
    log
}
