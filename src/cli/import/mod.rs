//! `doorward import`: makes a configuration folder from the files of another product.
//!
//! The translations are pure: settings of the source to a draft and a report. This module reads and writes the files.

mod authelia;
mod deployment_draft;
mod oauth2_proxy;
mod report;
mod route_regex;
mod source_settings;
mod users_file;
mod wso2;
mod wso2_folder;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow, bail};

use self::{
    authelia::AutheliaContext, deployment_draft::DeploymentDraft, oauth2_proxy::ProxyContext,
    source_settings::SourceSettings, users_file::USERS_FILE,
};
use super::{
    output_folder::{ConfigFile, OutputError, write_files},
    shell_quoted,
};
use crate::{config::load, domain::tenant::TenantId};

const DEPLOYMENT: &str = "deployment.toml";
/// The text for an option that is off, which is also Doorward's default.
const OFF: &str = "off, as in Doorward";
const FILES_OF_EVERY_SITE: &str = "GET of /favicon.ico and /robots.txt needs no user in Doorward";

/// Make a configuration from the files of WSO2, oauth2-proxy or Authelia
///
/// Writes a folder that `doorward check` accepts, and reports each setting of the source: taken over, noted (nothing to
/// do), or left (to be decided or done by hand). A path that the source opened to some users or requests only is never opened to
/// everyone.
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    source: ImportSource,
}

#[derive(clap::Subcommand)]
enum ImportSource {
    /// WSO2 API Manager: deployment.toml, tenant-conf.json, email-admin-config.xml
    Wso2 {
        /// WSO2's folder, such as <API-M_HOME>/repository/conf, or its deployment.toml
        path: PathBuf,
        /// The tenant of a tenant-conf.json that is in no folder of a tenant
        #[arg(long, value_parser = TenantId::parse, default_value = "carbon.super")]
        tenant: TenantId,
        #[command(flatten)]
        target: TargetArgs,
    },
    /// oauth2-proxy: its configuration file, and the htpasswd file that it names
    #[command(name = "oauth2-proxy")]
    OAuth2Proxy {
        /// The configuration file, such as /etc/oauth2-proxy.cfg
        file: PathBuf,
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Authelia: configuration.yml and users_database.yml
    Authelia {
        /// The configuration file, such as /config/configuration.yml
        file: PathBuf,
        /// The host of the portal, whose rules are taken over [default: the only one that the rules name]
        #[arg(long)]
        domain: Option<String>,
        /// The users' file [default: the one that the configuration names, if it is there]
        #[arg(long)]
        users: Option<PathBuf>,
        #[command(flatten)]
        target: TargetArgs,
    },
}

#[derive(clap::Args)]
struct TargetArgs {
    /// The folder to write
    #[arg(long)]
    to: PathBuf,
    /// The portal's address, such as http://127.0.0.1:3000 [default: as the source says]
    #[arg(long)]
    upstream: Option<String>,
    /// Replace existing files
    #[arg(long)]
    force: bool,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Exit code 0: written. 1: not written. 2: the source cannot be read.
pub fn run(options: &Options) -> ExitCode {
    let (target, imported) = match &options.source {
        ImportSource::Wso2 { path, tenant, target } => {
            (target, wso2_folder::import(path, tenant, target.upstream.as_deref()))
        }
        ImportSource::OAuth2Proxy { file, target } => (target, import_oauth2_proxy(file, target)),
        ImportSource::Authelia { file, domain, users, target } => {
            (target, import_authelia(file, domain.as_deref(), users.as_deref(), target))
        }
    };
    let (result, code) = match imported {
        Ok(import) => (write(import, target), ExitCode::FAILURE),
        Err(error) => (Err(error), ExitCode::from(2)),
    };
    match result {
        Ok(text) => {
            // a closed pipe means that the reader needs no more
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", super::error_chain_text(&error));
            code
        }
    }
}

/// A translated source.
struct TranslatedSource {
    /// For the first line of the file.
    origin: String,
    draft: DeploymentDraft,
    /// Beside `deployment.toml`.
    files: Vec<ConfigFile>,
}

fn import_oauth2_proxy(file: &Path, target: &TargetArgs) -> anyhow::Result<TranslatedSource> {
    let mut source =
        SourceSettings::from_toml(&read(file)?, file).with_context(|| file.display().to_string())?;
    let htpasswd =
        source.text("htpasswd_file").and_then(|named| fs::read_to_string(beside(file, &named)).ok());
    let mut draft = DeploymentDraft::default();
    let context = ProxyContext { upstream: target.upstream.as_deref(), htpasswd };
    let users = oauth2_proxy::translate(&mut source, &context, &mut draft);
    Ok(TranslatedSource { origin: "oauth2-proxy".to_owned(), draft, files: users_output(users) })
}

fn import_authelia(
    file: &Path,
    domain: Option<&str>,
    users: Option<&Path>,
    target: &TargetArgs,
) -> anyhow::Result<TranslatedSource> {
    let mut source = SourceSettings::from_yaml(&read(file)?).with_context(|| file.display().to_string())?;
    let users = match users {
        Some(named) => Some(read(named)?),
        None => {
            authelia::users_database(&source).and_then(|named| fs::read_to_string(beside(file, &named)).ok())
        }
    };
    let mut draft = DeploymentDraft::default();
    let context = AutheliaContext { upstream: target.upstream.as_deref(), domain, users };
    let users = authelia::translate(&mut source, &context, &mut draft);
    Ok(TranslatedSource { origin: "Authelia".to_owned(), draft, files: users_output(users) })
}

fn users_output(lines: Option<String>) -> Vec<ConfigFile> {
    // hashes of passwords
    lines
        .map(|text| ConfigFile { name: USERS_FILE.to_owned(), text: text.into(), is_secret: true })
        .into_iter()
        .collect()
}

fn read(file: &Path) -> anyhow::Result<String> {
    if file.is_dir() {
        bail!("{} is a folder: name the file", file.display());
    }
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// A path as the source writes it, or the file of that name beside the source.
fn beside(source: &Path, named: &str) -> PathBuf {
    let named = Path::new(named);
    let sibling = source.parent().unwrap_or(Path::new("")).join(named.file_name().unwrap_or_default());
    if named.is_file() { named.to_owned() } else { sibling }
}

/// Checks the result, writes it, and returns what to print.
fn write(import: TranslatedSource, target: &TargetArgs) -> anyhow::Result<String> {
    let TranslatedSource { origin, draft, mut files } = import;
    let text = draft.to_toml(&origin);
    let file = target.to.join(DEPLOYMENT);
    if let Err(mistakes) = load::parse(&text, &file, &BTreeMap::new()) {
        let lines: Vec<String> =
            mistakes.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.message)).collect();
        bail!("nothing was written: the result would have a mistake: {}", lines.join("; "));
    }
    files.push(ConfigFile { name: DEPLOYMENT.to_owned(), text: text.into(), is_secret: false });
    let written = write_files(&target.to, &files, target.force).map_err(|error| match error {
        OutputError::NotAFolder(_) => anyhow!("{error}, with --to"),
        OutputError::Exists(_) => anyhow!("{error}. Name another folder with --to, or replace with --force"),
        OutputError::Io { .. } => error.into(),
    })?;
    if target.json {
        return Ok(format!(
            "{:#}\n",
            serde_json::json!({ "written": written, "settings": draft.report.settings })
        ));
    }
    let mut shown = draft.report.to_text();
    for path in &written {
        let _ = writeln!(shown, "written: {}", path.display());
    }
    let config = shell_quoted(&file.display().to_string()).into_owned();
    let _ = writeln!(shown, "next:    doorward check --config {config}");
    if let Some(users) = written.iter().find(|path| path.ends_with(USERS_FILE)) {
        let users = shell_quoted(&users.display().to_string()).into_owned();
        let _ =
            writeln!(shown, "then:    doorward user import {users} --config {config}, and remove that file");
    }
    Ok(shown)
}

/// `:9091`, `localhost:9091`, `tcp://0.0.0.0:9091/` as an address to listen on; `None` for a socket or another host name.
fn listen_address(written: &str) -> Option<String> {
    let plain = match written.split_once("://") {
        Some(("http" | "https" | "tcp" | "tcp4" | "tcp6", rest)) => rest,
        Some(_) => return None,
        None => written,
    };
    let plain = plain.split('/').next().unwrap_or_default();
    let (host, port) = plain.rsplit_once(':')?;
    let host = match host {
        "" | "*" => "0.0.0.0",
        "localhost" => "127.0.0.1",
        host => host,
    };
    let address: std::net::SocketAddr = format!("{host}:{port}").parse().ok()?;
    Some(address.to_string())
}

/// Whether the option is on. One that is off is noted.
fn is_on(source: &mut SourceSettings, key: &str, draft: &mut DeploymentDraft) -> bool {
    let value = source.take_bool(key);
    if value == Some(false) {
        draft.noted(key, OFF);
    }
    value == Some(true)
}

/// Notes and takes out options without a value.
fn note_empty_values(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    for key in source.remaining() {
        if source.is_empty(&key) {
            source.take(&key);
            draft.noted(&key, "empty");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on() {
        for (written, expected) in [
            ("127.0.0.1:4180", Some("127.0.0.1:4180")),
            (":4180", Some("0.0.0.0:4180")),
            ("http://[::1]:4180", Some("[::1]:4180")),
            ("tcp://:9091/", Some("0.0.0.0:9091")),
            ("tcp4://localhost:9091/auth", Some("127.0.0.1:9091")),
            ("unix:///run/x.sock", None),
            ("portal.example:80", None),
            ("4180", None),
        ] {
            assert_eq!(listen_address(written).as_deref(), expected, "{written}");
        }
    }
}
