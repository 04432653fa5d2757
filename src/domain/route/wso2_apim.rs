//! Portal profile `wso2-apim`: what the devportal of WSO2 API Manager serves.

use super::RouteRule;

pub fn rules() -> Vec<RouteRule> {
    Vec::new()
}
