//! The type of a property value.

use crate::domain::account::LoginAttribute;

/// The effective type: WSO2 sends every value as a text and checks next to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    /// Where `never`, `-1` and every other negative number stand for "does not end".
    Integer {
        min: u32,
        max: u32,
        never: bool,
    },
    /// Numbers of days with commas between them.
    Days {
        most: usize,
        max: u32,
    },
    /// A regular expression for the whole password, in Java syntax. Blank: the default.
    PasswordPattern,
    /// A regular expression for the whole callback URL, in Java syntax. Blank: the portal's own origin only.
    CallbackPattern,
    /// A regular expression for the whole answer, in Java syntax. Blank: the default.
    AnswerPattern,
    /// `[a-zA-Z0-9]{6}`: WSO2's notation for the characters and the length.
    OtpFormat,
    /// An absolute `http` or `https` URL.
    Url {
        may_be_blank: bool,
    },
    Choice(&'static [&'static str]),
    /// Comma-separated claim URIs that identify a user at sign-in. Blank: the default.
    Claims,
    /// `priority,days,attribute,operator,value…`. Blank: no rule.
    ExpiryRule,
    /// A date in Java's letters, such as `dd-MM-yyyy`.
    DateFormat,
    /// One line of at most `most` characters.
    Text {
        most: usize,
        blank_is_default: bool,
    },
    /// The address of a page; its value is its default.
    Link,
}

impl Kind {
    /// As named in the reference documentation, which a test writes.
    #[cfg(test)]
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer { .. } => "whole number",
            Self::Days { .. } => "list of days",
            Self::PasswordPattern | Self::CallbackPattern | Self::AnswerPattern => "pattern (Java)",
            Self::OtpFormat => "code format",
            Self::Url { .. } => "URL",
            Self::Choice(_) => "choice",
            Self::Claims => "list of claims",
            Self::ExpiryRule => "expiry rule",
            Self::DateFormat => "date format",
            Self::Text { .. } => "text",
            Self::Link => "link",
        }
    }

    /// The accepted values, for the reference documentation and for errors: "give …".
    pub fn bounds(self) -> String {
        match self {
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Integer { min, max, never: false } => format!("{min} to {max}"),
            Self::Integer { min, max, never: true } => format!("{min} to {max}, or -1 for never"),
            Self::Days { most, max } => {
                format!("1 to {most} numbers from 1 to {max} with commas between them")
            }
            Self::PasswordPattern | Self::AnswerPattern => {
                "a regular expression of at most 512 characters; blank stands for the default".to_owned()
            }
            Self::CallbackPattern => "a regular expression of at most 512 characters; blank lets only the \
                                      portal's own origin pass"
                .to_owned(),
            Self::OtpFormat => {
                "one to three of `a-z`, `A-Z`, `0-9` in brackets and a length from 4 to 32 in \
                                braces, such as `[a-zA-Z0-9]{6}`"
                    .to_owned()
            }
            Self::Url { may_be_blank } => format!(
                "an absolute http or https URL without user name of at most 2048 characters{}",
                if may_be_blank { ", or nothing" } else { "" }
            ),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(" or ")
            }
            Self::Claims => {
                let claims =
                    LoginAttribute::ALL.map(|attribute| format!("`{}`", attribute.claim())).join(", ");
                format!("any of {claims} with commas between them; blank stands for the default")
            }
            Self::ExpiryRule => {
                "`priority,days,roles or groups,eq or ne,` and 1 to 5 values with commas between \
                                 them; blank removes the rule"
                    .to_owned()
            }
            Self::DateFormat => {
                "`d`, `M`, `y` and `E`, each up to four times, and ` `, `-`, `/`, `.` or `,` between \
                                 them; with day, month and year"
                    .to_owned()
            }
            Self::Text { most, blank_is_default } => format!(
                "one line of at most {most} characters{}",
                if blank_is_default { "; blank stands for the default" } else { "" }
            ),
            Self::Link => "cannot be changed".to_owned(),
        }
    }
}
