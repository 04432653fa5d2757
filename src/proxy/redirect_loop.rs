//! Loop breaker: a browser that was redirected from one page to sign-in three times within 30 s and is still anonymous gets an
//! error page instead of a fourth redirect.
//!
//! A cookie holds the count of each page, so that neither users behind one address nor pages that a browser opens together, as
//! when it restores its tabs, count for each other. A browser without cookies is not counted: it ends a loop itself, after about
//! twenty redirects, and cannot be distinguished from the first visits of others behind its address.

use std::{fmt, time::Duration};

use crate::{crypto::sha256, domain::time::Timestamp};

const MAX_REDIRECTS: u32 = 3;
const WINDOW: Duration = Duration::from_secs(30);
/// Pages that are counted at a time; the one that was requested longest ago is forgotten.
const MAX_PAGES: usize = 8;

/// Content of the cookie: redirects from each page. A client can forge it, which gets it the loop or the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignInRedirects(Vec<PageRedirects>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageRedirects {
    /// Of path and query.
    page: u32,
    count: u32,
    /// When the first redirect was; the cookie has it in seconds.
    since: Timestamp,
}

impl SignInRedirects {
    /// Reads `<page>.<count>.<since>`, joined by `~`; leaves out what cannot be read.
    pub fn parse(cookie: &str) -> Self {
        Self(cookie.split('~').filter_map(PageRedirects::parse).take(MAX_PAGES).collect())
    }

    /// The counts after one more redirect from `page`; `None` if the loop must end.
    pub fn next(mut self, page: &str, now: Timestamp) -> Option<Self> {
        let page = page_number(page);
        self.0.retain(|known| known.since <= now && now.saturating_since(known.since) < WINDOW);
        let known = self.0.iter().position(|known| known.page == page).map(|at| self.0.remove(at));
        let counted = match known {
            Some(known) if known.count >= MAX_REDIRECTS => return None,
            Some(known) => PageRedirects { count: known.count + 1, ..known },
            None => PageRedirects { page, count: 1, since: now },
        };
        if self.0.len() == MAX_PAGES {
            self.0.remove(0);
        }
        self.0.push(counted);
        Some(self)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As the cookie's value.
impl fmt::Display for SignInRedirects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, PageRedirects { page, count, since }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "~" };
            write!(f, "{separator}{page:x}.{count}.{}", since.as_seconds())?;
        }
        Ok(())
    }
}

impl PageRedirects {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (page, count, since) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            page: u32::from_str_radix(page, 16).ok()?,
            count: count.parse().ok()?,
            since: Timestamp::from_seconds(since.parse().ok()?),
        })
    }
}

/// Two pages of one number are counted together, which does no harm.
fn page_number(page: &str) -> u32 {
    let [first, second, third, fourth, ..] = sha256(page.as_bytes());
    u32::from_be_bytes([first, second, third, fourth])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// The cookie after redirects from these pages at these times; `None` where a loop has ended.
    fn after(redirects: &[(&str, u64)]) -> Option<SignInRedirects> {
        redirects.iter().try_fold(SignInRedirects::default(), |before, (page, now)| {
            SignInRedirects::parse(&before.to_string()).next(page, at(*now))
        })
    }

    #[test]
    fn stops_after_three_redirects_within_thirty_seconds() {
        let three = [("/a", 100), ("/a", 110), ("/a", 120)];
        assert!(after(&three).is_some());
        for (now, goes_on) in [(129, false), (130, true)] {
            assert_eq!(after(&[&three[..], &[("/a", now)]].concat()).is_some(), goes_on, "{now}");
        }
    }

    #[test]
    fn restored_tabs_are_no_loop() {
        let pages = ["/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9", "/10", "/1?x"];
        let opened: Vec<_> = pages.into_iter().map(|page| (page, 100)).collect();
        assert!(after(&opened).is_some());
        // and a loop of two of them ends
        let looping: Vec<_> = [("/1", 100), ("/2", 100)].into_iter().cycle().take(7).collect();
        assert!(after(&looping[..6]).is_some() && after(&looping).is_none());
    }

    #[test]
    fn forged_cookie_is_bounded_and_ends_in_a_page_at_most() {
        let page = format!("{:x}", page_number("/a"));
        for (cookie, goes_on) in [
            (format!("{page}.4294967295.1000"), false),
            (format!("{page}.3.999999"), true),
            (format!("{page}.3.1"), true),
            ("x.y.z~~..~1.2~-1.5.7".to_owned(), true),
            (String::new(), true),
            ("1.1.1000~".repeat(5000), true),
        ] {
            let next = SignInRedirects::parse(&cookie).next("/a", at(1000));
            assert_eq!(next.is_some(), goes_on, "{cookie:.60}");
            assert!(next.is_none_or(|next| next.to_string().len() < 300));
        }
    }
}
