//! `[management]` as it would be written.

use super::path;
use crate::config::{
    model::Management,
    raw::{
        self,
        text::As,
        values::{address::MaybeListen, name::NotEmpty},
    },
};

pub fn management(management: &Management) -> raw::management::Management {
    let files = management.certificate.as_ref();
    raw::management::Management {
        listen: Some(As(MaybeListen(management.listen))),
        cert_file: files.map(|files| path(&files.cert_file)),
        key_file: files.map(|files| path(&files.key_file)),
        clear_text: Some(management.clear_text),
        public: Some(management.public),
        read_only: Some(management.read_only),
        admin_roles: Some(management.admin_roles.iter().cloned().map(|role| As(NotEmpty(role))).collect()),
    }
}
