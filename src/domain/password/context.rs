//! Context words that an attacker tries first for this user.

use unicode_normalization::UnicodeNormalization;

use crate::domain::tenant::TenantId;

/// Shorter words occur in too many strong passwords.
const MIN_WORD_CHARS: usize = 4;

/// The user of the password.
#[derive(Debug, Clone, Copy)]
pub struct PasswordContext<'a> {
    pub username: &'a str,
    pub email: Option<&'a str>,
    pub given_name: Option<&'a str>,
    pub family_name: Option<&'a str>,
    pub tenant: &'a TenantId,
}

impl PasswordContext<'_> {
    pub(super) fn is_username(&self, password: &str) -> bool {
        fold(self.username) == fold(password)
    }

    /// All words, folded and without duplicates: the names as a whole and in parts, the e-mail address in
    /// parts, the tenant's domain, and the configured words.
    pub(super) fn words(&self, configured: &[String]) -> Vec<String> {
        let mut words = Vec::new();
        let names = [Some(self.username), self.email, self.given_name, self.family_name];
        for name in names.into_iter().flatten() {
            add(&mut words, name);
            match name.rsplit_once('@') {
                Some((local, domain)) => {
                    add_parts(&mut words, local);
                    add_domain(&mut words, domain);
                }
                None => add_parts(&mut words, name),
            }
        }
        // the super tenant is not specific to the user
        if !self.tenant.is_super_tenant() {
            add_domain(&mut words, self.tenant.as_str());
        }
        for word in configured {
            add(&mut words, word);
        }
        words
    }
}

fn add(words: &mut Vec<String>, word: &str) {
    let word = fold(word.trim());
    if word.chars().count() >= MIN_WORD_CHARS && !words.contains(&word) {
        words.push(word);
    }
}

fn add_parts(words: &mut Vec<String>, name: &str) {
    add(words, name);
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        add(words, part);
    }
}

/// `acme` of `acme.co.uk`.
fn add_domain(words: &mut Vec<String>, domain: &str) {
    add(words, domain);
    add(words, domain.split('.').next().unwrap_or_default());
}

pub(super) fn contains_any(password: &str, words: &[String]) -> bool {
    let password = fold(password);
    words.iter().any(|word| password.contains(word.as_str()))
}

/// Folds case and character width.
fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}
