//! The page on which a password is changed, with what is asked of the new one.

use fluent_bundle::FluentArgs;
use minijinja::{Value, context};

use super::{Trouble, View};
use crate::web::i18n::Locale;

#[derive(Debug, Clone, Copy)]
pub struct PasswordView<'a> {
    pub action: &'a str,
    pub csrf: &'a str,
    pub to: Option<&'a str>,
    /// Fixed for whoever is signed in; otherwise the name typed before.
    pub login: &'a str,
    pub signed_in: bool,
    pub reason: Option<Reason>,
    pub rules: &'a [Rule],
    pub trouble: Option<Trouble>,
    /// Where "Cancel" leads.
    pub back: &'a str,
}

/// Why somebody has to change a password before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Expired,
    /// Somebody else has set it.
    Must,
}

impl Reason {
    const fn key(self) -> &'static str {
        match self {
            Self::Expired => "password-expired-reason",
            Self::Must => "password-must-reason",
        }
    }
}

/// One thing that is asked of a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub text: RuleText,
    /// Known once a password has been looked at.
    pub met: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleText {
    Min(u32),
    Max(u32),
    /// The operator's own words, where there are any.
    Pattern(Option<String>),
    /// Not the present one.
    New,
    /// None of the last ones.
    History(u32),
    Common,
    Guessable,
    Context,
    Breached,
}

impl RuleText {
    fn words(&self, locale: &Locale) -> String {
        let counted = |key, count: u32| {
            let mut arguments = FluentArgs::new();
            arguments.set("count", count);
            locale.text(key, &arguments)
        };
        match self {
            Self::Min(count) => counted("rule-min", *count),
            Self::Max(count) => counted("rule-max", *count),
            Self::History(count) => counted("rule-history", *count),
            Self::Pattern(Some(words)) => words.clone(),
            Self::Pattern(None) => locale.plain("rule-pattern"),
            Self::New => locale.plain("rule-new"),
            Self::Common => locale.plain("rule-common"),
            Self::Guessable => locale.plain("rule-guessable"),
            Self::Context => locale.plain("rule-context"),
            Self::Breached => locale.plain("rule-breached"),
        }
    }
}

impl View for PasswordView<'_> {
    fn template(&self) -> &'static str {
        "password.html"
    }

    fn title(&self) -> &'static str {
        "password-page-title"
    }

    fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    fn values(&self, locale: &Locale) -> Value {
        let rules = self.rules.iter().map(|rule| {
            let state = rule.met.map(|met| if met { "met" } else { "unmet" });
            context! { text => rule.text.words(locale), state => state }
        });
        context! {
            action => self.action,
            csrf => self.csrf,
            to => self.to,
            login => self.login,
            signed_in => self.signed_in,
            reason => self.reason.map(|reason| locale.plain(reason.key())),
            rules => rules.collect::<Value>(),
            back_href => self.back,
            current_invalid => matches!(self.trouble, Some(Trouble::WrongCurrent | Trouble::Wrong)),
            new_invalid => matches!(self.trouble, Some(Trouble::Refused)),
            again_invalid => matches!(self.trouble, Some(Trouble::Differs)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::i18n::Texts;

    #[test]
    fn every_rule_has_words() {
        let texts = Texts::new(None);
        for (rule, words) in [
            (RuleText::Min(15), "at least 15 characters long"),
            (RuleText::Max(1), "at most one character long"),
            (RuleText::Pattern(Some("two digits".to_owned())), "two digits"),
            (RuleText::Pattern(None), "in the form"),
            (RuleText::New, "not the one you have"),
            (RuleText::History(5), "not one of your last 5"),
            (RuleText::Common, "everybody tries"),
            (RuleText::Guessable, "hard to guess"),
            (RuleText::Context, "without your name"),
            (RuleText::Breached, "theft"),
        ] {
            assert!(rule.words(&texts.locale("en")).contains(words), "{rule:?}");
            assert!(!rule.words(&texts.locale("ar")).contains("rule-"), "{rule:?}");
        }
    }
}
