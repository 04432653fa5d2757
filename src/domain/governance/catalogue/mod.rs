//! Every category, connector and property, as data. Names, display names, types and defaults are WSO2's.

mod password_expiry;
mod password_history;
mod password_policy;

use super::{Category, Effect, Kind, Property};

pub use password_expiry::RULE as PASSWORD_EXPIRY_RULE;
pub(super) use password_policy::CONNECTOR as PASSWORD_POLICY;

/// The version that first enforced what is marked with it.
const SINCE_0_1: &str = "0.1.0";

const DEFAULT: &str = "DEFAULT";

static CATEGORIES: [Category; 1] = [Category {
    name: PASSWORD_POLICIES,
    connectors: &[password_history::CONNECTOR, password_policy::CONNECTOR, password_expiry::CONNECTOR],
}];

const PASSWORD_POLICIES: &str = "Password Policies";

pub fn categories() -> &'static [Category] {
    &CATEGORIES
}

/// What most properties are: a switch that is off.
const SWITCH: Property = Property {
    name: "",
    aliases: &[],
    display_name: "",
    description: "",
    meta_type: Some("boolean"),
    kind: Kind::Boolean,
    unit: None,
    default: "false",
    effect: Effect::Shown,
};

const fn enforced(how: &'static str) -> Effect {
    Effect::Enforced { since: SINCE_0_1, how }
}
