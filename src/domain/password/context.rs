//! Words an attacker would try first because of whose password it is.

use unicode_normalization::UnicodeNormalization;

use crate::domain::tenant::TenantId;

/// A shorter word is found in too many good passwords.
const SHORTEST: usize = 4;

/// Whose password it is to be.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub username: &'a str,
    pub email: Option<&'a str>,
    pub given_name: Option<&'a str>,
    pub family_name: Option<&'a str>,
    pub tenant: &'a TenantId,
}

impl About<'_> {
    pub(super) fn is_username(&self, password: &str) -> bool {
        fold(self.username) == fold(password)
    }

    /// Every word, folded, each once: the names whole and in parts, the e-mail address in parts, the tenant's domain,
    /// and the operator's own.
    pub(super) fn words(&self, more: &[String]) -> Vec<String> {
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
        // the tenant that stands for "none" says nothing about anybody
        if !self.tenant.is_super_tenant() {
            add_domain(&mut words, self.tenant.as_str());
        }
        for word in more {
            add(&mut words, word);
        }
        words
    }
}

fn add(words: &mut Vec<String>, word: &str) {
    let word = fold(word.trim());
    if word.chars().count() >= SHORTEST && !words.contains(&word) {
        words.push(word);
    }
}

fn add_parts(words: &mut Vec<String>, name: &str) {
    add(words, name);
    for part in name.split(|c: char| !c.is_alphanumeric()) {
        add(words, part);
    }
}

/// `acme` of `acme.co.uk`; a domain's end is no secret and no hint.
fn add_domain(words: &mut Vec<String>, domain: &str) {
    add(words, domain);
    add(words, domain.split('.').next().unwrap_or_default());
}

pub(super) fn contains_any(password: &str, words: &[String]) -> bool {
    let password = fold(password);
    words.iter().any(|word| password.contains(word.as_str()))
}

/// Upper and lower case, wide and narrow letters are the same.
fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}
