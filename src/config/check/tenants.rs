//! Every tenant's folder, one after the other: nothing is kept of one when the next is read, but its host names.

use std::{
    collections::HashMap,
    fs::{self, DirEntry, File},
    io::{self, Read},
    path::Path,
};

use super::{files, notes};
use crate::{
    config::{
        document::{Findings, Key, Node, json},
        hosts::is_claimable,
        mistake::Mistake,
        model::Settings,
        tenant_file::{self, MAX_BYTES, OURS, TenantConf},
    },
    domain::tenant::TenantId,
};

/// What is in the tenants' files.
#[derive(Debug, Default)]
pub struct Found {
    /// Folders.
    pub tenants: usize,
    pub mistakes: Vec<Mistake>,
    pub notes: Vec<Mistake>,
    /// Some tenant has issuers of its own.
    pub issuers: bool,
    /// Some tenant locks names that are guessed for, by its own file or as all do.
    pub locks: bool,
}

/// Without `settings` only what does not depend on them is checked.
pub fn check(folder: &Path, settings: Option<&Settings>) -> Found {
    let mut found = Found::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // whether it has to be there is asked elsewhere
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return found;
        }
        Err(error) => {
            found.mistakes.push(unlisted(folder, &error));
            return found;
        }
    };
    let mut hosts = Hosts { settings, claimed: HashMap::new(), elsewhere: &|_| None, names_tenants: true };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.mistakes.push(unlisted(folder, &error));
                break;
            }
        };
        let name = entry.file_name();
        // `..data` and its kin are how Kubernetes swaps a volume's content
        let hidden = name.as_encoded_bytes().starts_with(b".");
        if hidden || !is_folder(&entry) {
            continue;
        }
        found.tenants += 1;
        match name.to_str().map(|name| (name, TenantId::parse(name))) {
            Some((name, Ok(tenant))) if tenant.as_str() == name => {
                one(&tenant, &entry.path(), &mut hosts, &mut found);
            }
            Some((_, Ok(tenant))) => {
                found.mistakes.push(Mistake::whole(
                    &entry.path(),
                    "tenant domains are lower case, so this folder is never found".to_owned(),
                    format!("rename it to {tenant}"),
                ));
            }
            Some((_, Err(problem))) => {
                found.mistakes.push(Mistake::whole(
                    &entry.path(),
                    format!("no tenant can be called that: {problem}"),
                    "rename it",
                ));
            }
            None => {
                found.mistakes.push(Mistake::whole(&entry.path(), "this name is not UTF-8", "rename it"));
            }
        }
    }
    found
}

fn unlisted(folder: &Path, error: &io::Error) -> Mistake {
    let remedy = "let the user Doorward runs as read it";
    let mistake = Mistake::whole(folder, format!("cannot be listed: {error}"), remedy);
    Mistake { key: "tenancy.folder".to_owned(), ..mistake }
}

fn is_folder(entry: &DirEntry) -> bool {
    // a link to a folder is a folder
    entry.file_type().is_ok_and(|kind| kind.is_dir() || (kind.is_symlink() && entry.path().is_dir()))
}

fn one(tenant: &TenantId, folder: &Path, hosts: &mut Hosts<'_>, found: &mut Found) {
    let file = folder.join("tenant-conf.json");
    let text = match read(&file) {
        Ok(text) => text,
        // a tenant without a file inherits everything
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.is_symlink() => return,
        Err(error) => {
            found.mistakes.push(Mistake::whole(
                &file,
                format!("cannot be read: {error}"),
                "make it a readable file",
            ));
            return;
        }
    };
    said(tenant, (&file, &text), hosts, found);
}

/// The mistakes in the text of a tenant's file, before it is the file, for one who may not know the other tenants' names.
/// `elsewhere` says which of them claims a host. Reads the files that the text names.
pub fn in_text(
    settings: &Settings,
    tenant: &TenantId,
    (file, text): (&Path, &str),
    elsewhere: &dyn Fn(&str) -> Option<TenantId>,
) -> Vec<Mistake> {
    let mut found = Found::default();
    let mut hosts =
        Hosts { settings: Some(settings), claimed: HashMap::new(), elsewhere, names_tenants: false };
    said(tenant, (file, text), &mut hosts, &mut found);
    found.mistakes
}

fn said(tenant: &TenantId, (file, text): (&Path, &str), hosts: &mut Hosts<'_>, all: &mut Found) {
    let conf = match tenant_file::parse(text, file) {
        Ok(conf) => conf,
        Err(mistakes) => return all.mistakes.extend(mistakes),
    };
    all.issuers |= !conf.issuers().is_empty();
    let mut noted = Vec::new();
    if let Some(settings) = hosts.settings {
        let policy = tenant_file::resolve(settings, tenant, &conf, 0);
        let locks = policy.rules.account_lock.enabled;
        all.locks |= locks;
        // without accounts guards are a mistake
        if settings.accounts.enabled {
            let own = policy.guards.iter().map(AsRef::as_ref).filter(|guard| guard.of_tenant);
            noted = notes::guards(&Key::root().name(OURS).name("guards"), own, &policy.routes, locks);
        }
        noted.extend(notes::spellings(&Key::root().name(OURS).name("routes"), conf.routes()));
        all.mistakes.extend(policy.problem);
    }
    let found = claims(tenant, &conf, hosts);
    let kept =
        hosts.settings.map(|settings| tenant_file::without_effect(settings, &conf)).unwrap_or_default();
    let nothing = found.is_empty() && kept.is_empty() && noted.is_empty();
    if nothing && conf.issuers().is_empty() && !may_be_misspelt(text) {
        return;
    }
    // parsed again for the places: few files come this far
    let Ok(root) = json::parse(text) else { return };
    let mut findings = Findings::new(file);
    for (key, (message, remedy)) in found {
        findings.add(&root, &key, message, remedy);
    }
    for (key, message, remedy) in kept {
        findings.add(&root, &key, message, remedy);
    }
    for (key, problem) in unusable_files(&conf) {
        findings.add(&root, &key, problem, "");
    }
    misspelt(&root, &mut findings);
    all.mistakes.extend(findings.into_mistakes());
    let mut findings = Findings::new(file);
    for (key, message, remedy) in noted {
        findings.add(&root, &key, message, remedy);
    }
    all.notes.extend(findings.into_mistakes());
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    // one byte more than is allowed, so that `parse` sees that it is too much
    File::open(file)?.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn claims(tenant: &TenantId, conf: &TenantConf, hosts: &mut Hosts<'_>) -> Vec<(Key, Complaint)> {
    let key = Key::root().name("Doorward").name("hosts");
    let claims = conf.hosts.iter().enumerate();
    claims.filter_map(|(index, host)| Some((key.item(index), hosts.claim(host, tenant)?))).collect()
}

/// WSO2 and we ignore keys we do not know; one that differs in case only was meant to count.
fn misspelt(root: &Node, findings: &mut Findings) {
    for entry in root.entries() {
        if entry.name != OURS && entry.name.eq_ignore_ascii_case(OURS) {
            let message = format!("this key has no effect: its name is `{OURS}`");
            let key = Key::root().name(&entry.name);
            findings.push(key, entry.place.clone(), message, "correct it".to_owned());
        }
    }
}

fn may_be_misspelt(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    folded.matches(&OURS.to_ascii_lowercase()).count() > text.matches(OURS).count()
}

/// The files that the tenant's issuers name and that are of no use, each with its key and the reason. Blocking.
pub fn unusable_files(conf: &TenantConf) -> Vec<(Key, String)> {
    let key = Key::root().name(OURS).name("issuers");
    let mut found = Vec::new();
    for (index, issuer) in conf.issuers().iter().enumerate() {
        files::issuer_files(&key.item(index), issuer, &mut |key, path, problem| {
            found.push((key, format!("{}: {problem}", path.display())));
        });
    }
    found
}

/// What is wrong, and what to do about it.
type Complaint = (String, &'static str);

const ONE_OWNER: &str = "a host name belongs to one tenant";
const ALLOW: &str = "add it to tenancy.claimable_hosts in deployment.toml, or map it in tenancy.hosts";

/// Which tenant's a host name is.
struct Hosts<'a> {
    settings: Option<&'a Settings>,
    claimed: HashMap<String, TenantId>,
    /// Which other tenant claims a host, where that is known without its file.
    elsewhere: &'a dyn Fn(&str) -> Option<TenantId>,
    /// Whoever reads it may know which other tenants there are.
    names_tenants: bool,
}

impl Hosts<'_> {
    fn named(&self, owner: &TenantId) -> String {
        if self.names_tenants { owner.to_string() } else { "another tenant".to_owned() }
    }

    /// Says whose it is, when it is somebody else's or nobody may claim it.
    fn claim(&mut self, host: &str, tenant: &TenantId) -> Option<Complaint> {
        if let Some(tenancy) = self.settings.map(|settings| &settings.tenancy) {
            let by_pattern = tenancy
                .host_pattern
                .as_ref()
                .and_then(|pattern| host.strip_prefix(&pattern.before)?.strip_suffix(&pattern.after))
                .and_then(|name| TenantId::parse(name).ok());
            let owner = tenancy.hosts.get(host).cloned().map(|owner| (owner, "tenancy.hosts"));
            let owner = owner.or_else(|| by_pattern.map(|owner| (owner, "tenancy.host_pattern")));
            if let Some((owner, key)) = owner {
                return (owner != *tenant).then(|| {
                    let owner = self.named(&owner);
                    (format!("{host} belongs to {owner} by {key} of deployment.toml"), ONE_OWNER)
                });
            }
            if tenancy.portal_host.as_deref() == Some(host) {
                return Some((format!("{host} is the portal's own host (server.public_url)"), ONE_OWNER));
            }
            if !is_claimable(tenancy, host) {
                return Some((
                    format!("deployment.toml does not let tenants claim {host}: this has no effect"),
                    ALLOW,
                ));
            }
        }
        match self.claimed.get(host).cloned().or_else(|| (self.elsewhere)(host)) {
            Some(owner) if owner != *tenant => {
                let owner = self.named(&owner);
                Some((format!("{owner} claims {host} too, so it is nobody's"), ONE_OWNER))
            }
            Some(_) => None,
            None => {
                self.claimed.insert(host.to_owned(), tenant.clone());
                None
            }
        }
    }
}
