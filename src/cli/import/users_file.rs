//! Accounts of other products as lines of `doorward user import`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{
    deployment_draft::DeploymentDraft,
    source_settings::{SourceSettings, UnreadableSource},
};
use crate::account::hashing::hash_method::HashMethod;

/// The name of the file that the import writes.
pub const USERS_FILE: &str = "users.jsonl";

/// Fields of Authelia and of `doorward user import`.
const FIELDS: [(&str, &str); 5] = [
    ("displayname", "given_name"),
    ("email", "email"),
    ("given_name", "given_name"),
    ("family_name", "family_name"),
    ("phone_number", "mobile"),
];

const NO_PASSWORD: &str = "Doorward cannot verify a hash of this kind: the account is in users.jsonl without a password, \
                           set one with `doorward user set-password`";

/// Authelia's `users_database.yml`.
pub fn from_authelia(text: &str, draft: &mut DeploymentDraft) -> Result<String, UnreadableSource> {
    let mut source = SourceSettings::from_yaml(text)?;
    let mut lines = String::new();
    for (name, mut user) in source.take_entries("users") {
        let key = format!("users.{name}");
        let mut line = Map::from_iter([("username".to_owned(), name.into())]);
        let hash = user.take_text("password").filter(|hash| !hash.is_empty());
        if let Some(hash) = hash.and_then(|hash| usable_hash(&hash, &format!("{key}.password"), draft)) {
            line.insert("password_hash".to_owned(), hash.into());
        }
        for (theirs, ours) in FIELDS {
            if let Some(text) = user.take_text(theirs).filter(|text| !text.is_empty()) {
                line.insert(ours.to_owned(), text.into());
            }
        }
        if let Some(groups) = user.take_list("groups") {
            line.insert("roles".to_owned(), groups.into());
        }
        if user.take_bool("disabled").unwrap_or(false) {
            line.insert("disabled".to_owned(), true.into());
        }
        for field in user.remaining() {
            draft.left(&format!("{key}.{field}"), "accounts have no such field");
        }
        let _ = writeln!(lines, "{}", Value::Object(line));
    }
    Ok(lines)
}

/// An `htpasswd` file: a name, a colon and a hash in each line.
pub fn from_htpasswd(text: &str, groups: &[String], draft: &mut DeploymentDraft) -> String {
    let mut lines = String::new();
    let entries = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for (name, hash) in entries.filter_map(|line| line.split_once(':')) {
        let mut line = Map::from_iter([("username".to_owned(), name.into())]);
        if let Some(hash) = usable_hash(hash, &format!("htpasswd, user {name}"), draft) {
            line.insert("password_hash".to_owned(), hash.into());
        }
        if !groups.is_empty() {
            line.insert("roles".to_owned(), groups.into());
        }
        let _ = writeln!(lines, "{}", Value::Object(line));
    }
    lines
}

fn usable_hash(hash: &str, key: &str, draft: &mut DeploymentDraft) -> Option<String> {
    // older versions of Authelia wrote this before the hash
    let plain = hash.strip_prefix("{CRYPT}").unwrap_or(hash);
    if HashMethod::parse(plain).is_ok() {
        return Some(plain.to_owned());
    }
    draft.left(key, NO_PASSWORD);
    None
}
