//! Text that must not be shown.

use std::{fmt, io::Read, path::Path};

use serde::{Serialize, Serializer};

use super::{file_problem::FileProblem, regular_file};

/// A secret. It prints and serialises as `********`; only `expose` gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("********")
    }
}

/// No secret is longer; keeps a wrong path (a log, a device) from being read whole.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// The secret in a file, without the line break that editors leave at its end. The error never holds the content.
pub fn read_file(path: &Path) -> Result<Secret, FileProblem> {
    let mut text = String::new();
    regular_file::open_regular_file(path)?.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(FileProblem::TooLong);
    }
    let secret =
        text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if secret.is_empty() { Err(FileProblem::Empty) } else { Ok(Secret::new(secret)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("geheim");
        assert_eq!(
            format!("{secret:?} {}", serde_json::to_string(&secret).unwrap()),
            "******** \"********\""
        );
    }

    #[test]
    fn one_line_break_at_the_end_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        for (text, secret) in [
            ("s", Some("s")),
            ("s\n", Some("s")),
            ("s\r\n", Some("s")),
            (" s \n\n", Some(" s \n")),
            ("\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read_file(&file).ok().as_ref().map(Secret::expose), secret, "{text:?}");
        }
        assert!(read_file(folder.path()).is_err());
    }
}
