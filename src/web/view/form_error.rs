//! Errors and notices of forms, with their texts.

use std::time::Duration;

use fluent_bundle::FluentArgs;

use crate::{
    account::hashing::BusyCause,
    domain::time::{whole_minutes, whole_seconds},
    web::i18n::Locale,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormError {
    /// The uniform error for unknown names, wrong passwords, and account states that must not be disclosed.
    WrongCredentials,
    /// A field was left empty.
    EmptyField,
    /// Disclosed only if the policy allows it. `None`: until an administrator unlocks it.
    Locked {
        remaining: Option<Duration>,
    },
    Disabled,
    /// The password was not verified.
    Busy {
        retry_after: Duration,
        cause: BusyCause,
    },
    Unavailable,
    /// The CSRF token of the form is no longer valid.
    FormExpired,
    /// Like `WrongCredentials`, for a password change.
    WrongCurrentPassword,
    /// Like `EmptyField`, for a password change.
    EmptyPassword,
    /// The two entries of the new password differ.
    PasswordsDiffer,
    /// The new password does not meet the policy.
    PolicyViolated,
    /// The policy check is unavailable.
    CheckUnavailable,
    /// The policy itself is broken.
    PolicyMisconfigured,
}

impl FormError {
    const fn key(self) -> &'static str {
        match self {
            Self::WrongCredentials => "sign-in-wrong",
            Self::EmptyField => "sign-in-empty",
            Self::Locked { remaining: Some(_) } => "sign-in-locked",
            Self::Locked { remaining: None } => "sign-in-locked-for-good",
            Self::Disabled => "sign-in-disabled",
            Self::Busy { .. } => "sign-in-busy",
            Self::Unavailable => "sign-in-unavailable",
            Self::FormExpired => "form-expired",
            Self::WrongCurrentPassword => "password-wrong",
            Self::EmptyPassword => "password-empty",
            Self::PasswordsDiffer => "password-differs",
            Self::PolicyViolated => "password-refused",
            Self::CheckUnavailable => "password-unchecked",
            Self::PolicyMisconfigured => "password-misconfigured",
        }
    }

    /// The status the page is sent with.
    pub const fn status(self) -> u16 {
        match self {
            Self::EmptyField | Self::EmptyPassword | Self::PasswordsDiffer | Self::PolicyViolated => 400,
            // RFC 9110 §15.5.4: credentials were given and do not suffice. Browsers do not offer to keep such a password
            Self::WrongCredentials
            | Self::Locked { .. }
            | Self::Disabled
            | Self::FormExpired
            | Self::WrongCurrentPassword => 403,
            Self::Busy { .. } => 429,
            Self::Unavailable | Self::CheckUnavailable => 503,
            Self::PolicyMisconfigured => 500,
        }
    }

    /// Title and text.
    pub fn title_and_text(self, locale: &Locale) -> [String; 2] {
        let mut arguments = FluentArgs::new();
        match self {
            Self::Locked { remaining: Some(remaining) } => {
                arguments.set("minutes", whole_minutes(remaining));
            }
            Self::Busy { retry_after, .. } => arguments.set("seconds", whole_seconds(retry_after)),
            _ => {}
        }
        [self.title_key(), format!("{}-text", self.key())].map(|key| locale.text(&key, &arguments))
    }

    /// The title names the cause; the text is the same for all causes.
    fn title_key(self) -> String {
        match self {
            Self::Busy { cause: BusyCause::ClientShare, .. } => "sign-in-busy-client-title".to_owned(),
            Self::Busy { cause: BusyCause::SameName, .. } => "sign-in-busy-name-title".to_owned(),
            _ => format!("{}-title", self.key()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    PasswordChanged,
    SessionEnded,
    OthersEnded,
    AlreadyEnded,
}

impl Notice {
    const ALL: [Self; 4] = [Self::PasswordChanged, Self::SessionEnded, Self::OthersEnded, Self::AlreadyEnded];

    /// The value of the query parameter in the redirect.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PasswordChanged => "password",
            Self::SessionEnded => "session",
            Self::OthersEnded => "others",
            Self::AlreadyEnded => "already",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.word() == word)
    }

    pub const fn key(self) -> &'static str {
        match self {
            Self::PasswordChanged => "password-changed",
            Self::SessionEnded => "sessions-ended-one",
            Self::OthersEnded => "sessions-ended-others",
            Self::AlreadyEnded => "sessions-already-ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::i18n::Texts;

    const RETRY_AFTER: Duration = Duration::from_secs(2);

    #[test]
    fn every_error_and_notice_has_texts_in_every_language() {
        let texts = Texts::new(None);
        for form_error in [
            FormError::WrongCredentials,
            FormError::EmptyField,
            FormError::Locked { remaining: Some(Duration::from_mins(3)) },
            FormError::Locked { remaining: None },
            FormError::Disabled,
            FormError::Busy { retry_after: RETRY_AFTER, cause: BusyCause::Queue },
            FormError::Busy { retry_after: RETRY_AFTER, cause: BusyCause::ClientShare },
            FormError::Busy { retry_after: RETRY_AFTER, cause: BusyCause::SameName },
            FormError::Unavailable,
            FormError::FormExpired,
            FormError::WrongCurrentPassword,
            FormError::EmptyPassword,
            FormError::PasswordsDiffer,
            FormError::PolicyViolated,
            FormError::CheckUnavailable,
            FormError::PolicyMisconfigured,
        ] {
            for tag in ["en", "ar"] {
                let words = form_error.title_and_text(&texts.locale(tag)).join(" ");
                assert!(!words.contains(form_error.key()) && !words.contains('{'), "{form_error:?}: {words}");
            }
            assert!(form_error.status() >= 400);
        }
        for notice in Notice::ALL {
            assert_ne!(texts.locale("en").plain(notice.key()), notice.key());
            assert_eq!(Notice::parse(notice.word()), Some(notice));
        }
        assert_eq!(Notice::parse("nonsense"), None);
    }

    #[test]
    fn each_busy_cause_has_its_own_title() {
        let texts = Texts::new(None);
        for tag in ["en", "ar"] {
            let title = |cause| {
                FormError::Busy { retry_after: RETRY_AFTER, cause }.title_and_text(&texts.locale(tag))[0]
                    .clone()
            };
            let titles = [BusyCause::Queue, BusyCause::ClientShare, BusyCause::SameName].map(title);
            assert!(titles[0] != titles[1] && titles[1] != titles[2] && titles[0] != titles[2], "{titles:?}");
        }
    }

    /// The text must not disclose the reason.
    #[test]
    fn uniform_error_names_all_reasons() {
        let words = FormError::WrongCredentials.title_and_text(&Texts::new(None).locale("en")).join(" ");
        for reason in ["user name", "password", "cannot be used", "locked"] {
            assert!(words.contains(reason), "{reason}: {words}");
        }
    }
}
