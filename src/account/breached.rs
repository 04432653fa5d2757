//! Passwords known from breaches, asked of a service in the form of Have I Been Pwned's range API. The service learns the
//! first five digits of a hash that hundreds of passwords share.

use std::time::Duration;

use aws_lc_rs::digest;

use super::hashing::Password;
use crate::domain::password::breached::Query;

/// A person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Far more than any answer has.
const LONGEST: usize = 1024 * 1024;

pub struct Breaches(reqwest::Client);

impl Breaches {
    pub fn new(http: reqwest::Client) -> Self {
        Self(http)
    }

    /// How often the password was seen; `None` without an answer.
    pub async fn seen(&self, url: &str, password: &Password) -> Option<u64> {
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.expose().as_bytes());
        let query = Query::new(digest.as_ref().try_into().ok()?);
        match self.ask(&format!("{}/{}", url.trim_end_matches('/'), query.prefix())).await {
            Ok(body) => query
                .seen(&body)
                .inspect_err(|problem| tracing::warn!(%problem, "breached passwords cannot be looked up"))
                .ok(),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "breached passwords cannot be looked up");
                None
            }
        }
    }

    async fn ask(&self, url: &str) -> reqwest::Result<String> {
        // all answers of one length, for whoever looks on
        let asked = self.0.get(url).header("add-padding", "true").timeout(PATIENCE).send();
        let mut answer = asked.await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
