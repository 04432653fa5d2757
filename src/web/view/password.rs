//! The page on which a password is changed, with what is asked of the new one.

use fluent_bundle::FluentArgs;
use minijinja::{Value, context};

use super::{Trouble, View};
use crate::{
    domain::password::{Rule, WSO2_MESSAGE},
    web::i18n::Locale,
};

#[derive(Debug, Clone, Copy)]
pub struct PasswordView<'a> {
    pub action: &'a str,
    pub csrf: &'a str,
    pub to: Option<&'a str>,
    /// Fixed for whoever is signed in; otherwise the name typed before.
    pub login: &'a str,
    pub signed_in: bool,
    pub reason: Option<Reason>,
    pub rules: &'a [RuleLine],
    /// For password managers that make one up.
    pub passwordrules: &'a str,
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

/// One line of what is asked of a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    pub asked: Asked,
    /// Known once a password has been looked at.
    pub met: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Rule(Rule),
    /// Another one than now.
    Another,
}

impl Asked {
    fn words(&self, locale: &Locale) -> String {
        let Self::Rule(rule) = self else { return locale.plain("rule-another") };
        match rule {
            // the operator's own words, unless there are none
            Rule::Pattern(words) if words != WSO2_MESSAGE => words.clone(),
            _ => {
                let mut arguments = FluentArgs::new();
                if let Some(number) = rule.number() {
                    arguments.set("count", number);
                }
                locale.text(&format!("rule-{}", rule.id()), &arguments)
            }
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
            context! { text => rule.asked.words(locale), state => state }
        });
        context! {
            action => self.action,
            csrf => self.csrf,
            to => self.to,
            login => self.login,
            signed_in => self.signed_in,
            reason => self.reason.map(|reason| locale.plain(reason.key())),
            rules => rules.collect::<Value>(),
            passwordrules => self.passwordrules,
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
            (Rule::MinLength(15), "At least 15 characters"),
            (Rule::MaxLength(1), "At most one character"),
            (Rule::NotUsername, "Not your user name"),
            (Rule::Pattern("two digits".to_owned()), "two digits"),
            (Rule::Pattern(WSO2_MESSAGE.to_owned()), "A digit"),
            (Rule::NotCommon, "everybody tries"),
            (Rule::NoContextWord, "Without your name"),
            (Rule::MinScore(3), "Hard to guess"),
            (Rule::NotBreached, "theft"),
            (Rule::NotUsedBefore(5), "Not one of your last 5"),
        ] {
            let asked = Asked::Rule(rule);
            assert!(asked.words(&texts.locale("en")).contains(words), "{asked:?}");
            assert!(!asked.words(&texts.locale("ar")).contains("rule-"), "{asked:?}");
        }
        assert!(Asked::Another.words(&texts.locale("en")).contains("Not the one you have"));
    }
}
