//! Login names as users enter them: `alex`, `PRIMARY/alex`, `alex@acme.com`, an e-mail address.
//!
//! Spellings that users treat as equal are equal. A name with an `@` has two readings: the whole text (an
//! e-mail address, or a user name with an `@` in it), and a user of the tenant after the `@`. The whole
//! text has precedence, so that a tenant named like a mail domain cannot take over an e-mail address.

use unicode_normalization::UnicodeNormalization as _;

use super::PRIMARY;
use crate::domain::tenant::TenantId;

/// No e-mail address is longer.
const MAX_NAME_BYTES: usize = 254;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLoginName {
    #[error("the name is empty")]
    Empty,
    #[error("the name is longer than 254 bytes")]
    TooLong,
    #[error("the name has an invisible character, or a '/' that does not follow a user store")]
    Forbidden,
}

/// A login name in canonical form, which is the form that is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginName {
    pub tenant: TenantId,
    pub user_store: String,
    pub canonical: String,
    /// The same text not split at the `@`, in the requested tenant.
    unsplit: Option<(TenantId, String)>,
}

impl LoginName {
    /// Parses a login name entered at the tenant `requested`. The part after the last `@` is a tenant only
    /// if it is that tenant or one for which `is_known` returns true.
    pub fn parse(
        written: &str,
        requested: &TenantId,
        is_known: impl Fn(&TenantId) -> bool,
    ) -> Result<Self, BadLoginName> {
        if written.len() > 4 * MAX_NAME_BYTES {
            return Err(BadLoginName::TooLong);
        }
        let (user_store, name) = match written.split_once('/') {
            Some((user_store, name)) => (canonical_user_store(user_store)?, name),
            None => (PRIMARY.to_owned(), written),
        };
        let canonical = canonical(name)?;
        if let Some((user, suffix)) = canonical.rsplit_once('@')
            && !user.is_empty()
            && let Ok(tenant) = TenantId::parse(suffix)
            && (tenant == *requested || is_known(&tenant))
        {
            let (user, unsplit) = (user.to_owned(), (requested.clone(), canonical.clone()));
            return Ok(Self { tenant, user_store, canonical: user, unsplit: Some(unsplit) });
        }
        Ok(Self { tenant: requested.clone(), user_store, canonical, unsplit: None })
    }

    /// The names to look up in order of precedence: a tenant, and a name in the form of `key`.
    pub fn candidates(&self) -> impl Iterator<Item = (&TenantId, String)> {
        let unsplit = self.unsplit.as_ref().map(|(tenant, name)| (tenant, name.as_str()));
        unsplit
            .into_iter()
            .chain([(&self.tenant, self.canonical.as_str())])
            .map(|(tenant, name)| (tenant, key(&self.user_store, name)))
    }
}

/// The canonical form in which names and e-mail addresses are compared: trimmed, NFKC, lower case.
pub fn canonical(written: &str) -> Result<String, BadLoginName> {
    let written = written.trim();
    if written.is_empty() {
        return Err(BadLoginName::Empty);
    }
    if written.len() > 4 * MAX_NAME_BYTES {
        return Err(BadLoginName::TooLong);
    }
    // lower case may need composing again, and what was composed may have a lower case
    let folded: String =
        written.nfkc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).nfkc().collect();
    let folded = folded.trim();
    if folded.is_empty() {
        return Err(BadLoginName::Empty);
    }
    if folded.len() > MAX_NAME_BYTES {
        return Err(BadLoginName::TooLong);
    }
    if folded.chars().any(|c| c == '/' || is_invisible(c)) {
        return Err(BadLoginName::Forbidden);
    }
    Ok(folded.to_owned())
}

/// User stores are named in upper case: ASCII letters, digits, `.`, `-` and `_`.
pub fn canonical_user_store(written: &str) -> Result<String, BadLoginName> {
    let written = written.trim();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if written.is_empty() || written.len() > 64 || !written.bytes().all(allowed) {
        return Err(BadLoginName::Forbidden);
    }
    Ok(written.to_ascii_uppercase())
}

/// A name within its tenant: canonical names of the primary user store as they are, others behind their store's.
/// No canonical name has a `/`, so no two names share a key.
pub fn key(user_store: &str, canonical: &str) -> String {
    if user_store == PRIMARY { canonical.to_owned() } else { format!("{user_store}/{canonical}") }
}

/// Control characters and invisible characters, which make two names look equal: all of
/// `Default_Ignorable_Code_Point`, and all that a directory ignores in a name (RFC 4518 §2.2).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{1806}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    /// Parses at the tenant acme.com, where globex.com is known as well.
    fn read(written: &str) -> Result<Vec<String>, BadLoginName> {
        let name = LoginName::parse(written, &tenant("acme.com"), |t| t.as_str() == "globex.com")?;
        Ok(name.candidates().map(|(tenant, key)| format!("{key} of {tenant}")).collect())
    }

    #[test]
    fn parses_user_store_and_tenant_suffix() {
        for (written, candidates) in [
            ("alex", &["alex of acme.com"][..]),
            ("  Alex\t", &["alex of acme.com"]),
            ("PRIMARY/alex", &["alex of acme.com"]),
            ("primary/ALEX", &["alex of acme.com"]),
            ("ldap/alex", &["LDAP/alex of acme.com"]),
            // the tenant's own name behind the @: first the e-mail address, then the user
            ("alex@acme.com", &["alex@acme.com of acme.com", "alex of acme.com"]),
            ("Alex@ACME.com", &["alex@acme.com of acme.com", "alex of acme.com"]),
            // a user of another tenant signs in here
            ("alex@globex.com", &["alex@globex.com of acme.com", "alex of globex.com"]),
            // an e-mail address, and one as user name with the tenant behind it
            ("alex@example.org", &["alex@example.org of acme.com"]),
            (
                "alex@example.org@acme.com",
                &["alex@example.org@acme.com of acme.com", "alex@example.org of acme.com"],
            ),
            ("@acme.com", &["@acme.com of acme.com"]),
            ("alex@", &["alex@ of acme.com"]),
        ] {
            assert_eq!(read(written).unwrap(), candidates, "{written:?}");
        }
    }

    #[test]
    fn spellings_of_one_name_are_one_name() {
        for (one, other) in [
            ("ALEX", "alex"),
            ("ａｌｅｘ", "alex"),
            ("Å", "a\u{30a}"),
            ("\u{212b}", "å"),
            ("ﬁona", "fiona"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
            ("\u{212a}im", "kim"),
        ] {
            assert_eq!(canonical(one), canonical(other), "{one} and {other}");
        }
        // letters of other scripts and the dotless i stay apart
        for (one, other) in [("аlex", "alex"), ("alıx", "alix")] {
            assert_ne!(canonical(one), canonical(other), "{one} and {other}");
        }
    }

    #[test]
    fn attack_names_that_look_like_others_are_no_names() {
        for written in [
            "al\u{200b}ex",
            "al\u{ad}ex",
            "\u{202e}xela",
            "alex\u{feff}",
            "alex\0",
            "al\nex",
            "a/b/c",
            "PRI MARY/alex",
            "/alex",
            "PRIMARY//alex",
            "al\u{fe0f}ex",
            "al\u{3164}ex",
            "al\u{e0041}ex",
            "al\u{fffc}ex",
            "al\u{1806}ex",
            "al\u{6dd}ex",
            "al\u{70f}ex",
            "al\u{1bca0}ex",
            "al\u{1d173}ex",
            "㏋/alex",
            "al\u{2100}ex",
        ] {
            assert_eq!(read(written), Err(BadLoginName::Forbidden), "{written:?}");
        }
        for written in ["", " \t ", "PRIMARY/", "PRIMARY/  "] {
            assert_eq!(read(written), Err(BadLoginName::Empty), "{written:?}");
        }
        assert!(read(&"a".repeat(254)).is_ok());
        for long in ["a".repeat(255), "ﷺ".repeat(50), "a".repeat(1_000_000)] {
            assert_eq!(read(&long), Err(BadLoginName::TooLong));
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own(written in any::<String>()) {
            if let Ok(once) = canonical(&written) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
                prop_assert!(once.len() <= MAX_NAME_BYTES && !once.contains('/'));
            }
        }

        #[test]
        fn parsed_name_stays_within_known_tenants(written in any::<String>()) {
            if let Ok(name) = LoginName::parse(&written, &tenant("acme.com"), |_| false) {
                prop_assert!(name.candidates().all(|(tenant, _)| tenant.as_str() == "acme.com"));
            }
        }

        #[test]
        fn names_of_two_user_stores_share_no_key(one in "[a-z@.]{1,8}", other in "[a-z@.]{1,8}", store in "[A-Z]{1,8}") {
            prop_assume!(store != PRIMARY);
            prop_assert_ne!(key(PRIMARY, &one), key(&store, &other));
        }
    }
}
