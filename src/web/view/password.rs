//! The password page, with the requirements for the new password.

use fluent_bundle::FluentArgs;
use minijinja::{Value, context};

use super::{FormError, FormView};
use crate::{
    domain::password::{PasswordRule, WSO2_MESSAGE},
    web::i18n::Locale,
};

#[derive(Debug, Clone, Copy)]
pub struct PasswordView<'a> {
    pub action: &'a str,
    pub csrf: &'a str,
    pub to: Option<&'a str>,
    /// Fixed for a signed-in user; otherwise the name typed before.
    pub login: &'a str,
    pub signed_in: bool,
    pub reason: Option<ChangeReason>,
    pub rules: &'a [RuleLine],
    /// For password managers that make one up.
    pub passwordrules: &'a str,
    pub error: Option<FormError>,
    /// Where "Cancel" leads.
    pub back: &'a str,
}

/// Why a password has to be changed before a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeReason {
    Expired,
    /// An administrator has set it.
    SetByAdministrator,
}

impl ChangeReason {
    const fn key(self) -> &'static str {
        match self {
            Self::Expired => "password-expired-reason",
            Self::SetByAdministrator => "password-must-reason",
        }
    }
}

/// One requirement for the new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    pub requirement: Requirement,
    /// Known once a password has been evaluated.
    pub is_met: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    Rule(PasswordRule),
    /// Different from the current password.
    DifferentPassword,
}

impl Requirement {
    fn label(&self, locale: &Locale) -> String {
        let Self::Rule(rule) = self else { return locale.plain("rule-another") };
        match rule {
            // the operator's own words, unless there are none
            PasswordRule::Pattern(words) if words != WSO2_MESSAGE => words.clone(),
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

impl FormView for PasswordView<'_> {
    fn template(&self) -> &'static str {
        "password.html"
    }

    fn title(&self) -> &'static str {
        "password-page-title"
    }

    fn error(&self) -> Option<FormError> {
        self.error
    }

    fn values(&self, locale: &Locale) -> Value {
        let rules = self.rules.iter().map(|rule| {
            let state = rule.is_met.map(|met| if met { "met" } else { "unmet" });
            context! { text => rule.requirement.label(locale), state => state }
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
            current_invalid => matches!(self.error, Some(FormError::WrongCurrentPassword | FormError::WrongCredentials)),
            new_invalid => matches!(self.error, Some(FormError::PolicyViolated)),
            again_invalid => matches!(self.error, Some(FormError::PasswordsDiffer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::i18n::Texts;

    #[test]
    fn every_rule_has_a_text() {
        let texts = Texts::new(None);
        for (rule, words) in [
            (PasswordRule::MinLength(15), "At least 15 characters"),
            (PasswordRule::MaxLength(1), "At most one character"),
            (PasswordRule::NotUsername, "Not your user name"),
            (PasswordRule::Pattern("two digits".to_owned()), "two digits"),
            (PasswordRule::Pattern(WSO2_MESSAGE.to_owned()), "A digit"),
            (PasswordRule::NotCommon, "everybody tries"),
            (PasswordRule::NoContextWord, "Without your name"),
            (PasswordRule::MinScore(3), "Hard to guess"),
            (PasswordRule::NotBreached, "theft"),
            (PasswordRule::NotUsedBefore(5), "Not one of your last 5"),
        ] {
            let asked = Requirement::Rule(rule);
            assert!(asked.label(&texts.locale("en")).contains(words), "{asked:?}");
            assert!(!asked.label(&texts.locale("ar")).contains("rule-"), "{asked:?}");
        }
        assert!(Requirement::DifferentPassword.label(&texts.locale("en")).contains("Not the one you have"));
    }
}
