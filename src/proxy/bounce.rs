//! The loop breaker: a browser that was sent to sign-in three times within 30 s and still comes back unknown is not sent
//! a fourth time. It is told why instead.
//!
//! A cookie counts, so that visitors behind one address are told apart. A browser that sends no cookie at all (they may be
//! blocked: the usual reason for a loop) is counted by address, browser and target, and with more patience: a class that
//! opens the same page for the first time looks like one browser that forgets.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Duration,
};

use moka::sync::Cache;

const LIMIT: u32 = 3;
/// Of visits without cookies. With two redirects a bounce, browsers themselves give up after ten.
const COOKIELESS_LIMIT: u32 = 8;
const WINDOW: Duration = Duration::from_secs(30);
/// Browsers without cookies that are remembered at a time.
const CAPACITY: u64 = 10_000;

/// What the cookie says: how many bounces since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounces {
    pub count: u32,
    /// Seconds since the epoch of the first of them.
    pub since: u64,
}

impl Bounces {
    /// Reads `<count>.<since>`; anything else is no bounce yet (the cookie is the visitor's to write: lying only gets them
    /// the loop or the page).
    pub fn parse(cookie: &str) -> Option<Self> {
        let (count, since) = cookie.split_once('.')?;
        Some(Self { count: count.parse().ok()?, since: since.parse().ok()? })
    }

    pub fn to_cookie(self) -> String {
        format!("{}.{}", self.count, self.since)
    }

    /// The bounces after one more at `now`; `None` when the loop must end.
    pub fn next(before: Option<Self>, now: u64) -> Option<Self> {
        Self::within(LIMIT, before, now)
    }

    fn within(limit: u32, before: Option<Self>, now: u64) -> Option<Self> {
        match before {
            Some(Self { count, since }) if since <= now && now - since < WINDOW.as_secs() => {
                (count < limit).then(|| Self { count: count + 1, since })
            }
            _ => Some(Self { count: 1, since: now }),
        }
    }
}

/// Bounces of browsers that send no cookies.
pub struct Cookieless {
    counts: Cache<u64, Bounces>,
    hasher: RandomState,
}

impl Default for Cookieless {
    fn default() -> Self {
        Self {
            counts: Cache::builder().max_capacity(CAPACITY).time_to_live(WINDOW).build(),
            hasher: RandomState::new(),
        }
    }
}

impl Cookieless {
    /// Counts one more bounce of a browser (address, `User-Agent`) from a page (host, path and query); `None` when the loop
    /// must end.
    pub fn next(&self, browser: (IpAddr, &[u8]), target: (&[u8], &str), now: u64) -> Option<Bounces> {
        let key = self.hasher.hash_one((browser, target));
        let next = Bounces::within(COOKIELESS_LIMIT, self.counts.get(&key), now)?;
        self.counts.insert(key, next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_bounces_in_thirty_seconds_and_no_fourth() {
        let mut bounces = None;
        for now in [100, 110, 120] {
            bounces = Some(Bounces::next(bounces, now).unwrap());
        }
        assert_eq!(Bounces::next(bounces, 129), None);
        assert_eq!(Bounces::next(bounces, 130), Some(Bounces { count: 1, since: 130 }), "a new window");
    }

    #[test]
    fn a_cookie_at_the_end_of_numbers_ends_the_loop() {
        assert_eq!(Bounces::next(Bounces::parse("4294967295.1000"), 1000), None);
    }

    #[test]
    fn a_cookie_from_the_future_or_of_nonsense_starts_anew() {
        for cookie in ["3.999999", "x.y", "", "3", "-1.5", "99999999999999.1"] {
            let next = Bounces::next(Bounces::parse(cookie), 1000);
            assert_eq!(next, Some(Bounces { count: 1, since: 1000 }), "{cookie:?}");
        }
    }

    #[test]
    fn browsers_without_cookies_are_counted_one_by_one() {
        let bounces = Cookieless::default();
        let browser = |last: u8| (IpAddr::from([192, 0, 2, last]), b"agent".as_slice());
        for _ in 0..COOKIELESS_LIMIT {
            assert!(bounces.next(browser(1), (b"portal", "/devportal/apis"), 100).is_some());
        }
        assert!(bounces.next(browser(1), (b"portal", "/devportal/apis"), 100).is_none());
        assert!(bounces.next(browser(1), (b"portal", "/devportal/home"), 100).is_some(), "another page");
        assert!(bounces.next(browser(2), (b"portal", "/devportal/apis"), 100).is_some(), "another visitor");
    }
}
