//! `[management]` as it would be written.

use super::path;
use crate::config::{
    model::ManagementSettings,
    sections,
    text_form::AsText,
    values::{address::OptionalListen, name::NotEmpty},
};

pub fn management(management: &ManagementSettings) -> sections::management::ManagementSection {
    let tls = management.tls.as_ref();
    let files = tls.map(|tls| &tls.certificate);
    let client_auth = tls.and_then(|tls| tls.client_auth.as_ref());
    sections::management::ManagementSection {
        listen: Some(AsText(OptionalListen(management.listen))),
        cert_file: files.map(|files| path(&files.cert_file)),
        key_file: files.map(|files| path(&files.key_file)),
        client_ca_file: client_auth.map(|auth| path(&auth.ca_file)),
        clear_text: Some(management.clear_text),
        public: Some(management.public),
        read_only: Some(management.read_only),
        allow: Some(management.allow.iter().copied().map(AsText).collect()),
        changes_per_hour: Some(management.budget.changes),
        audit_bytes_per_hour: Some(management.budget.audit_bytes),
        admin_roles: Some(
            management.admin_roles.iter().cloned().map(|role| AsText(NotEmpty(role))).collect(),
        ),
    }
}
