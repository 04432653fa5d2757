//! The data controller named in consent receipts.

use super::{DEFAULT, OTHER_SETTINGS, SWITCH, waits_for};
use crate::domain::governance::{Connector, Effect, Kind, Property};

// WSO2's product configuration has the placeholder `change-me` everywhere here; Doorward's default is blank.
const CONSENT: Effect = waits_for("consent receipts");

pub(super) const CONNECTOR: Connector = Connector {
    name: "pii-controller",
    friendly_name: "Consent Information Controller",
    category: OTHER_SETTINGS,
    sub_category: DEFAULT,
    order: 4,
    properties: &[
        Property {
            name: "piiController",
            display_name: "Controller Name",
            description: "Name of the first Controller who collects the data.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "contact",
            display_name: "Contact Name",
            description: "Contact name of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            // in WSO2's list of properties this name is missing
            name: "email",
            display_name: "Email Address",
            description: "Contact email address of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "phone",
            display_name: "Phone Number",
            description: "Contact phone number of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "onBehalf",
            display_name: "On Behalf",
            description: "A user information (PII) Processor acting on behalf of a Controller or PII \
                          Processor.",
            meta_type: None,
            kind: Kind::Boolean,
            default: "false",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "piiControllerUrl",
            display_name: "Url",
            description: "A URL for contacting the Controller.",
            meta_type: None,
            kind: Kind::Url { may_be_blank: true },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "addressCountry",
            display_name: "Country",
            description: "Country of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "addressLocality",
            display_name: "Locality",
            description: "Locality of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "addressRegion",
            display_name: "Region",
            description: "Region of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "postOfficeBoxNumber",
            display_name: "Post Office Box Number",
            description: "Post Office Box Number of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "postalCode",
            display_name: "Postal Code",
            description: "Postal Code of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
        Property {
            name: "streetAddress",
            display_name: "Street Address",
            description: "Street Address of the Controller.",
            meta_type: None,
            kind: Kind::Text { most: 255, blank_is_default: false },
            default: "",
            effect: CONSENT,
            ..SWITCH
        },
    ],
    numbered: None,
};
