//! Errors of governance requests, with WSO2's codes and messages.

use std::fmt;

use super::{BadValue, Connector, lookup::connector_named};

/// `IDG-50001` to `IDG-50018`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    ListingCategories,
    ReadingCategory,
    ReadingConnector,
    Updating,
    Pagination,
    Filtering,
    Sorting,
    NoSuchCategory,
    NoSuchConnector,
    ReadingPreferences,
    NoSuchConnectorName,
    UnsupportedProperty,
    UpdateRefused,
    BadExpiryRule,
    BadPasswordPattern,
    NothingToRevert,
    NoSuchProperty,
    Reverting,
}

impl ErrorCode {
    #[cfg(test)]
    pub const ALL: [Self; 18] = [
        Self::ListingCategories,
        Self::ReadingCategory,
        Self::ReadingConnector,
        Self::Updating,
        Self::Pagination,
        Self::Filtering,
        Self::Sorting,
        Self::NoSuchCategory,
        Self::NoSuchConnector,
        Self::ReadingPreferences,
        Self::NoSuchConnectorName,
        Self::UnsupportedProperty,
        Self::UpdateRefused,
        Self::BadExpiryRule,
        Self::BadPasswordPattern,
        Self::NothingToRevert,
        Self::NoSuchProperty,
        Self::Reverting,
    ];

    /// Number, HTTP status, message, and description with `{}` for the subject.
    const fn row(self) -> (u32, u16, &'static str, &'static str) {
        match self {
            Self::ListingCategories => (
                50001,
                500,
                "Unable to get the identity governance categories.",
                "Server Encountered an error while retrieving identity governance categories.",
            ),
            Self::ReadingCategory => (
                50002,
                500,
                "Unable to get the identity governance category.",
                "Server Encountered an error while retrieving identity governance category.",
            ),
            Self::ReadingConnector => (
                50003,
                500,
                "Unable to get the identity governance connector.",
                "Server Encountered an error while retrieving identity governance connector.",
            ),
            Self::Updating => (
                50004,
                500,
                "Unable to update the identity governance connector property.",
                "Server Encountered an error while updating identity governance connector property.",
            ),
            Self::Pagination => (
                50005,
                501,
                "Pagination not supported.",
                "Pagination capabilities are not supported in this version of the API.",
            ),
            Self::Filtering => (
                50006,
                501,
                "Filtering not supported.",
                "Filtering capability is not supported in this version of the API.",
            ),
            Self::Sorting => (
                50007,
                501,
                "Sorting not supported.",
                "Sorting capability is not supported in this version of the API.",
            ),
            Self::NoSuchCategory => (
                50008,
                404,
                "Resource not found.",
                "Unable to find any category with the provided identifier {}.",
            ),
            Self::NoSuchConnector => (
                50009,
                404,
                "Resource not found.",
                "Unable to find any connector with the provided identifier {}.",
            ),
            Self::ReadingPreferences => (
                50010,
                500,
                "Unable to get the identity governance preferences.",
                "Server Encountered an error while retrieving identity governance connector preferences.",
            ),
            Self::NoSuchConnectorName => {
                (50011, 400, "Invalid connector name", "Unable to find a connector with the name {}.")
            }
            Self::UnsupportedProperty => (
                50012,
                400,
                "Unsupported property is requested.",
                "The property {} is not supported by this API.",
            ),
            Self::UpdateRefused => (
                50013,
                400,
                "Connector update failed.",
                "Unable to update the identity governance connector {}.",
            ),
            Self::BadExpiryRule => {
                (50014, 400, "Connector update failed.", "Password expiry rule: {} is invalid.")
            }
            Self::BadPasswordPattern => {
                (50015, 400, "Connector update failed.", "Password pattern regex is invalid.")
            }
            Self::NothingToRevert => {
                (50016, 400, "No properties to revert.", "No properties were provided to revert.")
            }
            Self::NoSuchProperty => {
                (50017, 400, "Property not found.", "The property: {} is not found in the connector: {}.")
            }
            Self::Reverting => (
                50018,
                500,
                "Unable to revert the identity governance connector properties.",
                "Server Encountered an error while reverting identity governance connector properties.",
            ),
        }
    }

    pub const fn number(self) -> u32 {
        self.row().0
    }

    pub const fn status(self) -> u16 {
        self.row().1
    }

    pub const fn message(self) -> &'static str {
        self.row().2
    }

    /// WSO2's description with the subjects filled in, in order.
    pub fn description(self, about: &[&str]) -> String {
        let mut pieces = self.row().3.split("{}");
        let mut sentence = pieces.next().unwrap_or_default().to_owned();
        for (number, piece) in pieces.enumerate() {
            sentence.push_str(&printable(about.get(number).unwrap_or(&"")));
            sentence.push_str(piece);
        }
        sentence
    }
}

/// `IDG-50013`
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IDG-{}", self.number())
    }
}

/// Why a change was rejected as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateRefusal {
    UnknownProperty {
        connector: &'static Connector,
        name: String,
    },
    BadValue {
        connector: &'static Connector,
        name: String,
        problem: BadValue,
    },
    /// The password pattern cannot be used.
    BadPasswordPattern {
        name: String,
        problem: BadValue,
    },
    /// A password expiry rule that cannot be read.
    BadExpiryRule {
        name: String,
        problem: BadValue,
    },
    /// One request gives a property two values.
    DuplicateValue {
        connector: &'static Connector,
        name: String,
    },
    /// The resulting settings contradict each other; the sentence names the conflict and the remedy.
    Contradiction {
        connector: &'static str,
        sentence: String,
    },
    NothingToRevert,
}

impl UpdateRefusal {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownProperty { .. } => ErrorCode::NoSuchProperty,
            Self::BadPasswordPattern { .. } => ErrorCode::BadPasswordPattern,
            Self::BadExpiryRule { .. } => ErrorCode::BadExpiryRule,
            Self::NothingToRevert => ErrorCode::NothingToRevert,
            Self::BadValue { .. } | Self::DuplicateValue { .. } | Self::Contradiction { .. } => {
                ErrorCode::UpdateRefused
            }
        }
    }

    /// WSO2's description, followed by the problem and the remedy.
    pub fn description(&self) -> String {
        let sentence = |about: &[&str]| self.code().description(about);
        match self {
            Self::UnknownProperty { connector, name } => sentence(&[name, connector.friendly_name]),
            Self::BadValue { connector, name, problem } => {
                format!("{} {name}: {problem}.", sentence(&[connector.friendly_name]))
            }
            Self::BadPasswordPattern { name, problem } => format!("{} {name}: {problem}.", sentence(&[])),
            Self::BadExpiryRule { name, problem } => format!("{} {name}: {problem}.", sentence(&[name])),
            Self::DuplicateValue { connector, name } => format!(
                "{} {name} is given twice with different values: give it once.",
                sentence(&[connector.friendly_name])
            ),
            Self::Contradiction { connector, sentence: what } => {
                let friendly = connector_named(connector).map_or(*connector, |known| known.friendly_name);
                format!("{} {what}", sentence(&[friendly]))
            }
            Self::NothingToRevert => sentence(&[]),
        }
    }
}

impl fmt::Display for UpdateRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.description())
    }
}

impl std::error::Error for UpdateRefusal {}

/// Client input for one line of a log or response: truncated, with control characters escaped.
pub(super) fn printable(sent: &str) -> String {
    const LONGEST: usize = 100;
    let mut text = String::new();
    for c in sent.chars().take(LONGEST) {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    if sent.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
