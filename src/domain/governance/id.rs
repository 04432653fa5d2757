//! Ids of categories and connectors: their names in base64url without padding.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub fn id_of(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// `None`: the id is not the encoding of a name.
pub fn name_of(id: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()
}
