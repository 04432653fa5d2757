//! Why a form was not accepted, in words for whoever sent it; and what was done when it was.

use fluent_bundle::FluentArgs;

use crate::{account::hashing::BusyCause, web::i18n::Locale};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The one sentence for unknown names, wrong passwords, and accounts whose state is nobody's business.
    Wrong,
    /// A field was left empty.
    Empty,
    /// Told only where the policy says so. `None`: until somebody unlocks it.
    Locked {
        minutes: Option<u32>,
    },
    Disabled,
    /// The password was not verified.
    Busy {
        seconds: u32,
        cause: BusyCause,
    },
    Unavailable,
    /// The form's token does not count any more.
    FormExpired,
    /// `Wrong`, for whoever changes a password.
    WrongCurrent,
    /// `Empty`, there.
    EmptyPassword,
    /// The new password was typed in two ways.
    Differs,
    /// The new password does not meet the policy.
    Refused,
    /// Whether it does cannot be found out now.
    Unchecked,
    /// The policy itself is broken.
    Misconfigured,
}

impl Trouble {
    const fn key(self) -> &'static str {
        match self {
            Self::Wrong => "sign-in-wrong",
            Self::Empty => "sign-in-empty",
            Self::Locked { minutes: Some(_) } => "sign-in-locked",
            Self::Locked { minutes: None } => "sign-in-locked-for-good",
            Self::Disabled => "sign-in-disabled",
            Self::Busy { .. } => "sign-in-busy",
            Self::Unavailable => "sign-in-unavailable",
            Self::FormExpired => "form-expired",
            Self::WrongCurrent => "password-wrong",
            Self::EmptyPassword => "password-empty",
            Self::Differs => "password-differs",
            Self::Refused => "password-refused",
            Self::Unchecked => "password-unchecked",
            Self::Misconfigured => "password-misconfigured",
        }
    }

    /// The status the page is sent with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Empty | Self::EmptyPassword | Self::Differs | Self::Refused => 400,
            // RFC 9110 §15.5.4: credentials were given and do not suffice. Browsers do not offer to keep such a password
            Self::Wrong | Self::Locked { .. } | Self::Disabled | Self::FormExpired | Self::WrongCurrent => {
                403
            }
            Self::Busy { .. } => 429,
            Self::Unavailable | Self::Unchecked => 503,
            Self::Misconfigured => 500,
        }
    }

    /// Title and text.
    pub fn words(self, locale: &Locale) -> [String; 2] {
        let mut arguments = FluentArgs::new();
        match self {
            Self::Locked { minutes: Some(minutes) } => arguments.set("minutes", minutes),
            Self::Busy { seconds, .. } => arguments.set("seconds", seconds),
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

    /// As it stands in the address the browser is sent to afterwards.
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

    #[test]
    fn every_trouble_and_notice_has_its_words_in_every_language() {
        let texts = Texts::new(None);
        for trouble in [
            Trouble::Wrong,
            Trouble::Empty,
            Trouble::Locked { minutes: Some(3) },
            Trouble::Locked { minutes: None },
            Trouble::Disabled,
            Trouble::Busy { seconds: 2, cause: BusyCause::Queue },
            Trouble::Busy { seconds: 2, cause: BusyCause::ClientShare },
            Trouble::Busy { seconds: 2, cause: BusyCause::SameName },
            Trouble::Unavailable,
            Trouble::FormExpired,
            Trouble::WrongCurrent,
            Trouble::EmptyPassword,
            Trouble::Differs,
            Trouble::Refused,
            Trouble::Unchecked,
            Trouble::Misconfigured,
        ] {
            for tag in ["en", "ar"] {
                let words = trouble.words(&texts.locale(tag)).join(" ");
                assert!(!words.contains(trouble.key()) && !words.contains('{'), "{trouble:?}: {words}");
            }
            assert!(trouble.status() >= 400);
        }
        for notice in Notice::ALL {
            assert_ne!(texts.locale("en").plain(notice.key()), notice.key());
            assert_eq!(Notice::parse(notice.word()), Some(notice));
        }
        assert_eq!(Notice::parse("nonsense"), None);
    }

    #[test]
    fn each_cause_of_a_full_queue_has_a_title_of_its_own() {
        let texts = Texts::new(None);
        for tag in ["en", "ar"] {
            let title = |cause| Trouble::Busy { seconds: 2, cause }.words(&texts.locale(tag))[0].clone();
            let titles = [BusyCause::Queue, BusyCause::ClientShare, BusyCause::SameName].map(title);
            assert!(titles[0] != titles[1] && titles[1] != titles[2] && titles[0] != titles[2], "{titles:?}");
        }
    }

    /// The sentence must not say which of the reasons it was.
    #[test]
    fn the_one_sentence_names_all_reasons_at_once() {
        let words = Trouble::Wrong.words(&Texts::new(None).locale("en")).join(" ");
        for reason in ["user name", "password", "cannot be used", "locked"] {
            assert!(words.contains(reason), "{reason}: {words}");
        }
    }
}
