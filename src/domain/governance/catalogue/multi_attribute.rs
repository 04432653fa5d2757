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
            description: "The login name may be any of the claims below, if only one account has it. \
                          While this is off, only user names count. On unless it is switched off, unlike WSO2.",
            meta_type: None,
            default: "true",
            effect: enforced("at sign-in"),
            ..SWITCH
        },
        Property {
            name: "account.multiattributelogin.handler.allowedattributes",
            display_name: "Allowed Attribute Claim List",
            description: "The claims that identify a user, with commas between them, such as \
                          http://wso2.org/claims/username,http://wso2.org/claims/emailaddress,\
                          http://wso2.org/claims/mobile. There are no others, and a mobile number counts only \
                          where one account of the tenant has it.",
            meta_type: None,
            kind: Kind::Claims,
            default: "http://wso2.org/claims/username,http://wso2.org/claims/emailaddress",
            effect: enforced("at sign-in"),
            ..SWITCH
        },
    ],
    numbered: None,
};
