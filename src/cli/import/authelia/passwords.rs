//! Rules for passwords, their hashes, and the users.

use crate::cli::import::{
    deployment_draft::DeploymentDraft, is_on, source_settings::SourceSettings, users_file,
};

pub(super) fn translate_policy(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const STANDARD: &str = "password_policy.standard";
    let is_standard = is_on(source, &format!("{STANDARD}.enabled"), draft);
    if is_standard {
        draft.set(&format!("{STANDARD}.enabled"), "password_policy.enabled", true);
        let least = source.take_number(&format!("{STANDARD}.min_length")).unwrap_or(8).clamp(1, 256);
        let most =
            source.take_number(&format!("{STANDARD}.max_length")).filter(|most| *most > 0).unwrap_or(256);
        // together, as one alone may not fit the default of the other
        for (name, length) in [("min_length", least), ("max_length", most.clamp(least, 256))] {
            draft.add_default(&format!("password_policy.{name}"), i64::from(length));
            draft.taken_over(&format!("{STANDARD}.{name}"), format!("as `password_policy.{name}`"));
        }
        let mut pattern = String::new();
        for (name, class) in [
            ("require_lowercase", "[a-z]"),
            ("require_uppercase", "[A-Z]"),
            ("require_number", "[0-9]"),
            ("require_special", "[^a-zA-Z0-9]"),
        ] {
            if is_on(source, &format!("{STANDARD}.{name}"), draft) {
                pattern.extend(["(?=.*", class, ")"]);
                draft.taken_over(&format!("{STANDARD}.{name}"), "as part of `password_policy.pattern`");
            }
        }
        pattern.push_str(".*");
        draft.add_default("password_policy.pattern", pattern);
    }
    if is_on(source, "password_policy.zxcvbn.enabled", draft) {
        let score = source.take_number("password_policy.zxcvbn.min_score").unwrap_or(3);
        draft.set("password_policy.zxcvbn", "password_policy.min_score", i64::from(score));
    }
    for key in source.remaining().into_iter().filter(|key| key.starts_with("password_policy.")) {
        source.take(&key);
        draft.noted(&key, "belongs to a policy that is off");
    }
}

pub(super) fn translate_hashing(source: &mut SourceSettings, draft: &mut DeploymentDraft) {
    const ARGON2: &str = "authentication_backend.file.password.argon2";
    if let Some(memory) = source.take_number(&format!("{ARGON2}.memory")) {
        draft.set(&format!("{ARGON2}.memory"), "accounts.hash_memory", i64::from(memory));
    }
    if let Some(iterations) = source.take_number(&format!("{ARGON2}.iterations")) {
        draft.set(&format!("{ARGON2}.iterations"), "accounts.hash_iterations", i64::from(iterations));
    }
    for key in
        source.remaining().into_iter().filter(|key| key.starts_with("authentication_backend.file.password"))
    {
        source.take(&key);
        draft.noted(&key, "new passwords are hashed with argon2id");
    }
}

/// Returns the accounts as lines for `doorward user import`. `text` is that of the users' file.
pub(super) fn translate_users(
    source: &mut SourceSettings,
    text: Option<&str>,
    draft: &mut DeploymentDraft,
) -> Option<String> {
    const KEY: &str = "authentication_backend.file.path";
    for key in
        source.remaining().into_iter().filter(|key| key.starts_with("authentication_backend.file.search"))
    {
        source.take(&key);
        draft.left(
            &key,
            "`account.multiattributelogin.handler.enable` of `[governance]` lets users sign in with other names",
        );
    }
    let file = source.take_text(KEY);
    let Some(text) = text else {
        if let Some(file) = file {
            draft.left(KEY, format!("{file} cannot be read here: name it with --users"));
        }
        return None;
    };
    let key = if file.is_some() { KEY } else { "--users" };
    match users_file::from_authelia(text, draft) {
        Ok(users) => {
            draft.taken_over(key, format!("as {} for `doorward user import`", users_file::USERS_FILE));
            Some(users)
        }
        Err(problem) => {
            draft.left(key, format!("not taken over: {problem}"));
            None
        }
    }
}
