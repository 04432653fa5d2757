//! Attributes that identify an account at sign-in: WSO2's multi-attribute login.

use std::sync::Arc;

/// An attribute that is accepted instead of the user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoginAttribute {
    Username,
    Email,
    /// Only where one account of the tenant has it.
    Mobile,
}

impl LoginAttribute {
    pub const ALL: [Self; 3] = [Self::Username, Self::Email, Self::Mobile];

    /// The WSO2 claim URI.
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Username => "http://wso2.org/claims/username",
            Self::Email => "http://wso2.org/claims/emailaddress",
            Self::Mobile => "http://wso2.org/claims/mobile",
        }
    }

    pub fn from_claim(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.claim() == uri)
    }
}

/// The login attributes that a tenant allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttributes {
    /// If `false`, only the user name is accepted, whatever `attributes` contains.
    pub multi_attribute: bool,
    pub attributes: Arc<[LoginAttribute]>,
}

impl Default for LoginAttributes {
    fn default() -> Self {
        Self { multi_attribute: true, attributes: [LoginAttribute::Username, LoginAttribute::Email].into() }
    }
}

impl LoginAttributes {
    pub fn allows(&self, attribute: LoginAttribute) -> bool {
        if self.multi_attribute {
            self.attributes.contains(&attribute)
        } else {
            attribute == LoginAttribute::Username
        }
    }
}

/// A phone number without separators; `None` if the text is not a phone number.
pub fn normalize_phone(written: &str) -> Option<String> {
    let plain: String = written.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/')).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    let is_number = (4..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switched_off_only_user_names_count() {
        use LoginAttribute::{Email, Mobile, Username};
        for (several, listed, allowed) in [
            (true, &[Username, Email][..], [true, true, false]),
            (true, &[Mobile], [false, false, true]),
            (false, &[Email, Mobile], [true, false, false]),
        ] {
            let attributes = LoginAttributes { multi_attribute: several, attributes: listed.into() };
            assert_eq!(LoginAttribute::ALL.map(|attribute| attributes.allows(attribute)), allowed);
        }
        for attribute in LoginAttribute::ALL {
            assert_eq!(LoginAttribute::from_claim(attribute.claim()), Some(attribute));
        }
    }

    #[test]
    fn a_phone_number_is_its_digits() {
        for (written, plain) in [
            ("+49 (30) 123-45.67", Some("+49301234567")),
            ("030 1234567", Some("0301234567")),
            ("030/1234567", Some("0301234567")),
            ("1234", Some("1234")),
            ("123", None),
            ("alex", None),
            ("1234x", None),
            ("+", None),
            ("12+34", None),
            ("١٢٣٤", None),
            ("123456789012345678901", None),
        ] {
            assert_eq!(normalize_phone(written).as_deref(), plain, "{written}");
        }
    }
}
