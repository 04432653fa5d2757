//! Signing in with an e-mail address or a phone number in place of a user name.

use super::{ACCOUNT_MANAGEMENT, DEFAULT, SWITCH, enforced};
use crate::domain::governance::{Connector, Kind, Property};

pub(super) const CONNECTOR: Connector = Connector {
    name: "multiattribute.login.handler",
    friendly_name: "Multi Attribute Login",
    category: ACCOUNT_MANAGEMENT,
    sub_category: DEFAULT,
    order: 0,
    properties: &[
        Property {
            name: "account.multiattributelogin.handler.enable",
            display_name: "Enable Multi Attribute Login",
            description: "What is typed as the user name may be any of the claims below, if only one account has it.",
            meta_type: None,
            effect: enforced("at sign-in"),
            ..SWITCH
        },
        Property {
            name: "account.multiattributelogin.handler.allowedattributes",
            display_name: "Allowed Attribute Claim List",
            description: "The claims by which somebody is found, with commas between them, such as \
                          http://wso2.org/claims/username,http://wso2.org/claims/emailaddress,\
                          http://wso2.org/claims/mobile.",
            meta_type: None,
            kind: Kind::Claims,
            default: "http://wso2.org/claims/username",
            effect: enforced("at sign-in"),
            ..SWITCH
        },
    ],
    numbered: None,
};
