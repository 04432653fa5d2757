//! Loop breaker: a browser that was redirected to sign-in three times within 30 s and is still anonymous gets an error page
//! instead of a fourth redirect.
//!
//! A cookie holds the count, so that users behind one address are distinguished. A browser that sends no cookies (they may be
//! blocked: the usual reason for a loop) is counted by address, browser and target, with a higher limit: many users behind one
//! address that open the same page for the first time look like one browser without cookies.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Duration,
};

use moka::sync::Cache;

use crate::domain::time::Timestamp;

const MAX_REDIRECTS: u32 = 3;
/// For browsers without cookies. With two redirects a round, browsers themselves give up after ten.
const MAX_COOKIELESS_REDIRECTS: u32 = 8;
const WINDOW: Duration = Duration::from_secs(30);
/// Browsers without cookies that are counted at a time.
const CAPACITY: u64 = 10_000;

/// Content of the cookie: number of redirects since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInRedirects {
    pub count: u32,
    /// When the first redirect was; the cookie has it in seconds.
    pub since: Timestamp,
}

impl SignInRedirects {
    /// Reads `<count>.<since>`; anything else counts as no redirect yet (a client can forge the cookie: that only gets it
    /// the loop or the page).
    pub fn parse(cookie: &str) -> Option<Self> {
        let (count, since) = cookie.split_once('.')?;
        Some(Self { count: count.parse().ok()?, since: Timestamp::from_seconds(since.parse().ok()?) })
    }

    pub fn to_cookie(self) -> String {
        format!("{}.{}", self.count, self.since.as_seconds())
    }

    /// The count after one more redirect at `now`; `None` if the loop must end.
    pub fn next(before: Option<Self>, now: Timestamp) -> Option<Self> {
        Self::next_within(MAX_REDIRECTS, before, now)
    }

    fn next_within(limit: u32, before: Option<Self>, now: Timestamp) -> Option<Self> {
        match before {
            Some(Self { count, since }) if since <= now && now.saturating_since(since) < WINDOW => {
                (count < limit).then(|| Self { count: count + 1, since })
            }
            _ => Some(Self { count: 1, since: now }),
        }
    }
}

/// How a browser that sends no cookies is recognised.
#[derive(Clone, Copy, Hash)]
pub struct CookielessBrowser<'a> {
    pub address: IpAddr,
    pub user_agent: &'a [u8],
    pub host: &'a [u8],
    /// Path and query of the page.
    pub target: &'a str,
}

/// Redirects of browsers that send no cookies.
pub struct CookielessRedirects {
    redirects: Cache<u64, SignInRedirects>,
    hasher: RandomState,
}

impl Default for CookielessRedirects {
    fn default() -> Self {
        Self {
            redirects: Cache::builder().max_capacity(CAPACITY).time_to_live(WINDOW).build(),
            hasher: RandomState::new(),
        }
    }
}

impl CookielessRedirects {
    /// Counts one more redirect; `None` if the loop must end.
    pub fn next(&self, browser: &CookielessBrowser<'_>, now: Timestamp) -> Option<SignInRedirects> {
        let key = self.hasher.hash_one(browser);
        let next = SignInRedirects::next_within(MAX_COOKIELESS_REDIRECTS, self.redirects.get(&key), now)?;
        self.redirects.insert(key, next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn stops_after_three_redirects_within_thirty_seconds() {
        let mut redirects = None;
        for now in [100, 110, 120] {
            redirects = Some(SignInRedirects::next(redirects, at(now)).unwrap());
        }
        assert_eq!(SignInRedirects::next(redirects, at(129)), None);
        assert_eq!(
            SignInRedirects::next(redirects, at(130)),
            Some(SignInRedirects { count: 1, since: at(130) }),
            "a new window"
        );
    }

    #[test]
    fn stops_if_cookie_count_cannot_be_incremented() {
        assert_eq!(SignInRedirects::next(SignInRedirects::parse("4294967295.1000"), at(1000)), None);
    }

    #[test]
    fn restarts_count_if_cookie_is_invalid_or_from_the_future() {
        for cookie in ["3.999999", "x.y", "", "3", "-1.5", "99999999999999.1"] {
            let next = SignInRedirects::next(SignInRedirects::parse(cookie), at(1000));
            assert_eq!(next, Some(SignInRedirects { count: 1, since: at(1000) }), "{cookie:?}");
        }
    }

    #[test]
    fn counts_cookieless_browsers_by_address_and_page() {
        let redirects = CookielessRedirects::default();
        let next = |last: u8, target| {
            let address = IpAddr::from([192, 0, 2, last]);
            let browser = CookielessBrowser { address, user_agent: b"agent", host: b"portal", target };
            redirects.next(&browser, at(100))
        };
        for _ in 0..MAX_COOKIELESS_REDIRECTS {
            assert!(next(1, "/devportal/apis").is_some());
        }
        assert!(next(1, "/devportal/apis").is_none());
        assert!(next(1, "/devportal/home").is_some(), "another page");
        assert!(next(2, "/devportal/apis").is_some(), "another client");
    }
}
