//! Portal profile `generic`: nothing is known of the portal beyond what the configuration says.

use super::RouteRule;

pub fn rules() -> Vec<RouteRule> {
    Vec::new()
}
