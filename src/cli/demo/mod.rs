//! `doorward demo`: starts the sample portal with Doorward in front of it, and prints the URLs to open and the demo accounts.

mod files;
mod previous_config;
mod users;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use serde_json::json;

use super::shell_quoted;
use crate::{
    demo::{LoopbackServer, MEMBERS, PASSWORD, SamplePortal, USERS},
    web::{HtmlPages, gallery},
};

/// Try Doorward with a sample portal and four tenants, one of which has accounts
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Port to open in a browser; 0 picks a free one [default: 8080, or a free one where that is taken]
    #[arg(long)]
    pub port: Option<u16>,
    /// Where the configuration goes; one from an earlier demo is kept with what was edited, but for the addresses of
    /// Doorward and of the sample portal, and so are tenant files and accounts [default: a folder that is removed at the
    /// end]
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Print the addresses as one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// The default port of the demo.
const DEFAULT_PORT: u16 = 8080;

/// The running Doorward, as `boot` started it.
pub struct RunningServer {
    pub http: SocketAddr,
    pub admin: Option<SocketAddr>,
    /// Returns when Doorward has stopped.
    pub wait: Box<dyn FnOnce() -> anyhow::Result<()>>,
}

/// `open` starts Doorward with a configuration file, just as `doorward serve` does.
pub fn run(options: &Options, open: impl FnOnce(&Path) -> anyhow::Result<RunningServer>) -> ExitCode {
    match try_run(options, open) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", super::error_chain_text(&error));
            ExitCode::from(2)
        }
    }
}

fn try_run(
    options: &Options,
    open: impl FnOnce(&Path) -> anyhow::Result<RunningServer>,
) -> anyhow::Result<()> {
    let print = |line: &str| -> io::Result<()> {
        if options.json {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    };
    print("Starting a sample developer portal, and Doorward in front of it ...")?;
    let port = options.port.unwrap_or_else(free_port);
    if options.port.is_none() && port != DEFAULT_PORT {
        print(&format!("Port {DEFAULT_PORT} is taken; using a free one."))?;
    }
    let portal = SamplePortal::start(loopback(0))?;
    let folder = files::DemoFolder::make(options.folder.clone())?;
    let file = files::write(folder.path(), loopback(port), &portal)?;

    users::add_users(&file)?;

    let pages = HtmlPages::new(Some(folder.path())).with_start_page("/devportal/");
    let gallery = LoopbackServer::serve(loopback(0), gallery::router(Arc::new(pages)))?;

    let server = open(&file)?;
    let addresses = Addresses {
        server: server.http,
        admin: server.admin,
        portal: portal.addr,
        gallery: gallery.addr,
        folder: folder.path(),
    };
    let text = if options.json { addresses.json() } else { addresses.text() };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    drop(out);
    (server.wait)()?;
    print("Stopped.")?;
    Ok(())
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The default port, or 0 (any free one) if it is in use.
fn free_port() -> u16 {
    match TcpListener::bind(loopback(DEFAULT_PORT)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => 0,
        _ => DEFAULT_PORT,
    }
}

struct Addresses<'a> {
    server: SocketAddr,
    admin: Option<SocketAddr>,
    portal: SocketAddr,
    gallery: SocketAddr,
    folder: &'a Path,
}

impl Addresses<'_> {
    /// For programs; the browser tests read it.
    fn json(&self) -> String {
        let http = |address: SocketAddr| format!("http://{address}");
        let line = json!({
            "proxy": http(self.server),
            "admin": self.admin.map(http),
            "portal": http(self.portal),
            "gallery": http(self.gallery),
            "folder": self.folder,
            "password": PASSWORD,
            "members": { "tenant": MEMBERS, "users": users::USERNAMES, "password": users::USER_PASSWORD },
        });
        format!("{line}\n")
    }

    fn text(&self) -> String {
        let proxy = self.server;
        let folder = self.folder.display();
        let user = USERS.first().copied().unwrap_or_default();
        let mut text =
            String::from("\nDoorward runs in front of a sample developer portal. Ctrl-C stops it.\n");
        if cfg!(debug_assertions) {
            text.push_str("This is a debug build: good for trying, not for measuring speed.\n");
        }
        let mut section = |title: &str, rows: &[(&str, String)]| {
            let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
            // writing to a string cannot fail
            let _ = writeln!(text, "\n{title}");
            for (name, value) in rows {
                let _ = writeln!(text, "  {name:<width$}  {value}");
            }
        };
        section(
            "Open in a browser",
            &[
                ("choose a tenant", format!("http://{proxy}/devportal/")),
                ("open tenant", format!("http://{proxy}/devportal/apis?tenant=carbon.super")),
                ("closed tenant", format!("http://{proxy}/devportal/apis?tenant=closed.example")),
                ("inheriting tenant", format!("http://{proxy}/devportal/apis?tenant=inherits.example")),
                ("tenant with accounts", format!("http://{proxy}/devportal/apis?tenant={MEMBERS}")),
                ("unknown tenant", format!("http://{proxy}/devportal/apis?tenant=unknown.example")),
                ("all of our pages", format!("http://{}/", self.gallery)),
            ],
        );
        section(
            "Sign in at the portal's own form; Doorward guards it",
            &[("user", USERS.join(" or ")), ("password", PASSWORD.to_owned())],
        );
        let member = users::USERNAMES.first().copied().unwrap_or_default();
        let doorward =
            std::env::current_exe().map_or_else(|_| "doorward".into(), |path| path.display().to_string());
        let doorward = shell_quoted(&doorward);
        let options =
            format!("--tenant {MEMBERS} --config {}", shell_quoted(&format!("{folder}/deployment.toml")));
        section(
            "Sign in to the tenant with accounts, on Doorward's own page",
            &[
                ("user", users::USERNAMES.join(" or ")),
                ("password", users::USER_PASSWORD.to_owned()),
                ("your account", format!("http://{proxy}/.doorward/account?tenant={MEMBERS}")),
                ("sign out", format!("http://{proxy}/.doorward/sign-out?tenant={MEMBERS}")),
                (
                    "be locked out",
                    "five wrong passwords; the next try, even with the right one, says that the account is locked"
                        .to_owned(),
                ),
                ("see the lock", format!("{doorward} user show {member} {options}")),
                ("remove the lock", format!("{doorward} user unlock {member} {options}")),
                ("add a user", format!("{doorward} user add erin {options}")),
            ],
        );
        section(
            "Turn anonymous mode on or off: edit, then reload the browser. It applies within a second",
            &[
                ("tenants that inherit", format!("enable_anonymous_mode in {folder}/deployment.toml")),
                (
                    "closed tenant",
                    format!("EnableAnonymous in {folder}/tenants/closed.example/tenant-conf.json"),
                ),
                (
                    "inheriting tenant",
                    format!(
                        "EnableAnonymous (not written yet) in {folder}/tenants/inherits.example/tenant-conf.json"
                    ),
                ),
            ],
        );
        let api = format!("http://{proxy}/api/am/devportal/v3");
        let token_call = format!(
            "TOKEN=$(curl -s http://{proxy}/oauth2/token -d grant_type=password -d username={user}@closed.example \
             -d password={PASSWORD} | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')"
        );
        section(
            "Try in a terminal",
            &[
                ("refused, 401", format!("curl -i {api}/apis -H 'X-WSO2-Tenant: closed.example'")),
                ("get a token", token_call),
                (
                    "accepted, 200",
                    format!(
                        "curl -i {api}/apis -H 'X-WSO2-Tenant: closed.example' -H \"Authorization: Bearer $TOKEN\""
                    ),
                ),
                (
                    "what the portal sees",
                    format!(
                        "curl {api}/echo -H 'X-WSO2-Tenant: closed.example' -H \"Authorization: Bearer $TOKEN\""
                    ),
                ),
                (
                    "two tenants, 400",
                    format!("curl -i '{api}/apis?tenant=closed.example' -H 'X-WSO2-Tenant: carbon.super'"),
                ),
            ],
        );
        let mut internals = vec![("portal itself", format!("http://{}/", self.portal))];
        if let Some(admin) = self.admin {
            internals.push(("metrics", format!("http://{admin}/metrics")));
            internals.push(("readiness", format!("http://{admin}/readyz")));
        }
        internals.push(("access log", format!("{folder}/access.log")));
        section("Internal addresses", &internals);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(folder: &Path) -> Addresses<'_> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Addresses { server: at(8080), admin: Some(at(9901)), portal: at(3000), gallery: at(3001), folder }
    }

    #[test]
    fn the_list_is_aligned_and_complete() {
        let text = addresses(Path::new("/tmp/demo")).text();
        for part in [
            "  choose a tenant       http://127.0.0.1:8080/devportal/\n",
            "  open tenant           http://",
            "/tmp/demo/tenants/closed.example/tenant-conf.json",
            "http://127.0.0.1:9901/metrics",
            PASSWORD,
            users::USER_PASSWORD,
            "user unlock carol --tenant members.example --config /tmp/demo/deployment.toml\n",
            "five wrong passwords; the next try, even with the right one, says that the account is locked\n",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = addresses(Path::new("/tmp/my demo")).text();
        assert!(text.contains("--config '/tmp/my demo/deployment.toml'\n"), "it can be pasted: {text}");
    }

    #[test]
    fn programs_get_one_line_of_json() {
        let line = addresses(Path::new("/tmp/demo")).json();
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["proxy"], "http://127.0.0.1:8080");
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn writes_configuration_and_removes_temporary_folder() {
        let options = Options { port: Some(0), folder: None, json: true };
        let mut seen = PathBuf::new();
        try_run(&options, |file| {
            seen = file.to_owned();
            assert!(std::fs::read_to_string(file)?.contains("[portal]"));
            let report = crate::config::check::check(
                file,
                &crate::config::environment(),
                crate::domain::time::Timestamp::EPOCH,
            );
            assert!(report.is_clean() && report.tenants == 4, "{:?}", report.mistakes);
            assert!(file.with_file_name("doorward.db").exists(), "people have been added");
            Ok(RunningServer {
                http: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
                admin: None,
                wait: Box::new(|| Ok(())),
            })
        })
        .unwrap();
        assert!(seen.ends_with("deployment.toml") && !seen.exists());
    }
}
