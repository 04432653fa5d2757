//! Runs `doorward` commands while a proxy serves.

use std::process::Output;

use serde_json::Value;

use super::{TestProxy, binary::doorward};

pub struct Shell<'a>(pub &'a TestProxy);

impl Shell<'_> {
    pub fn run(&self, words: &[&str]) -> Output {
        let config = self.0.folder().join("deployment.toml").display().to_string();
        doorward(words.iter().copied().chain(["--config", &config]))
    }

    #[track_caller]
    pub fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{words:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// It could not be done; standard error.
    #[track_caller]
    pub fn fails(&self, words: &[&str]) -> String {
        self.exits_with(words, 1)
    }

    /// It was asked wrongly; standard error.
    #[track_caller]
    pub fn usage_error(&self, words: &[&str]) -> String {
        self.exits_with(words, 2)
    }

    #[track_caller]
    fn exits_with(&self, words: &[&str], code: i32) -> String {
        let output = self.run(words);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {message}");
        assert!(
            output.stdout.is_empty() || code == 1,
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        message
    }

    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[words, &["--json"]].concat())).unwrap()
    }
}
