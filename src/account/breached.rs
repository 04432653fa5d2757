//! Passwords known from breaches, asked of a service in the form of Have I Been Pwned's range API. The service learns the
//! first five digits of a hash that hundreds of passwords share.

use std::time::Duration;

use aws_lc_rs::digest;

use super::hashing::Password;

/// A person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Breached(reqwest::Client);

impl Breached {
    pub fn new(http: reqwest::Client) -> Self {
        Self(http)
    }

    /// Whether the service knows the password. When it does not answer the password passes, and the log says so.
    pub async fn has(&self, url: &str, password: &Password) -> bool {
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.expose().as_bytes());
        let hex = digest.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
        let (prefix, suffix) = hex.split_at(5);
        let url = format!("{}/{prefix}", url.trim_end_matches('/'));
        let asked = self.0.get(url).header("add-padding", "true").timeout(PATIENCE).send();
        let answer = async { asked.await?.error_for_status()?.text().await };
        match answer.await {
            Ok(list) => lists(&list, suffix),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "breached passwords cannot be looked up");
                false
            }
        }
    }
}

/// Lines of `SUFFIX:COUNT`; those that only pad the answer count 0.
fn lists(list: &str, suffix: &str) -> bool {
    list.lines().filter_map(|line| line.trim().split_once(':')).any(|(listed, count)| {
        listed.eq_ignore_ascii_case(suffix) && count.trim().parse::<u64>().is_ok_and(|count| count > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_suffix_counts_unless_it_is_padding() {
        let list = "0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n00D4F6E8FA6EECAD2A3AA415EEC418D38EC:0\r\nx\r\n";
        for (suffix, listed) in [
            ("0018A45C4D1DEF81644B54AB7F969B88D65", true),
            ("0018a45c4d1def81644b54ab7f969b88d65", true),
            ("00D4F6E8FA6EECAD2A3AA415EEC418D38EC", false),
            ("0018A45C4D1DEF81644B54AB7F969B88D66", false),
            ("", false),
        ] {
            assert_eq!(lists(list, suffix), listed, "{suffix}");
        }
    }
}
