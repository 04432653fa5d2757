//! What a browser remembers for us between a refused page and its return from sign-in: where it wanted to go, how often
//! it has bounced, and which tenant it chose. None of it is proof of anything; everything is read as if an enemy wrote it.

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::bounce::Bounces;
use crate::domain::{return_address::ReturnAddress, tenant::TenantId};

/// RFC 3986's unreserved characters stay as they are.
pub const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const RETURN: &str = "doorward_return";
const BOUNCES: &str = "doorward_bounces";
const TENANT: &str = "doorward_tenant";

const RETURN_SECONDS: u32 = 15 * 60;
const BOUNCE_SECONDS: u32 = 30;
const TENANT_SECONDS: u32 = 90 * 24 * 3600;

/// Our cookies as a browser sent them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Whether it sent any cookie at all, ours or not.
    pub has_cookies: bool,
    pub return_to: Option<ReturnAddress>,
    pub bounces: Option<Bounces>,
    pub tenant: Option<TenantId>,
}

impl Memory {
    /// Over HTTPS only names with the `__Host-` prefix count, which no neighbour domain and no clear-text page can set.
    pub fn read(headers: &HeaderMap, https: bool) -> Self {
        let Some(cookies) = headers.get(header::COOKIE) else { return Self::default() };
        let mut memory = Self { has_cookies: true, ..Self::default() };
        let Ok(cookies) = cookies.to_str() else { return memory };
        if !cookies.contains("doorward_") {
            return memory;
        }
        for cookie in cookies.split(';') {
            let Some((name, value)) = cookie.trim().split_once('=') else { continue };
            let name = match (https, name.strip_prefix("__Host-")) {
                (true, Some(name)) => name,
                (false, None) => name,
                _ => continue,
            };
            match name {
                RETURN => {
                    let address = percent_decode_str(value).decode_utf8().ok();
                    memory.return_to = address.and_then(|address| ReturnAddress::parse(&address));
                }
                BOUNCES => memory.bounces = Bounces::parse(value),
                TENANT => memory.tenant = TenantId::parse(value).ok(),
                _ => {}
            }
        }
        memory
    }
}

pub fn remember_return(address: &ReturnAddress, https: bool) -> Option<HeaderValue> {
    let value = utf8_percent_encode(address.as_str(), COMPONENT).to_string();
    set_cookie(RETURN, &value, RETURN_SECONDS, https)
}

pub fn remember_bounces(bounces: Bounces, https: bool) -> Option<HeaderValue> {
    set_cookie(BOUNCES, &bounces.to_cookie(), BOUNCE_SECONDS, https)
}

pub fn remember_tenant(tenant: &TenantId, https: bool) -> Option<HeaderValue> {
    set_cookie(TENANT, tenant.as_str(), TENANT_SECONDS, https)
}

/// The visitor has arrived: neither the way nor the bounces matter any more.
pub fn forget_way(https: bool) -> impl Iterator<Item = HeaderValue> {
    [RETURN, BOUNCES].into_iter().filter_map(move |name| set_cookie(name, "", 0, https))
}

/// `Lax`, since the way back from sign-in is a navigation from another site.
fn set_cookie(name: &str, value: &str, max_age: u32, https: bool) -> Option<HeaderValue> {
    let (prefix, secure) = if https { ("__Host-", "; Secure") } else { ("", "") };
    HeaderValue::try_from(format!(
        "{prefix}{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"
    ))
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookie: &str, https: bool) -> Memory {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        Memory::read(&headers, https)
    }

    fn pair(set_cookie: &HeaderValue) -> String {
        set_cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[test]
    fn what_was_remembered_is_read_again() {
        for https in [false, true] {
            let address = ReturnAddress::parse("/devportal/apis?tenant=acme.com&q=a%20b").unwrap();
            let tenant = TenantId::parse("acme.com").unwrap();
            let bounces = Bounces { count: 2, since: 1_800_000_000 };
            let sent = [
                pair(&remember_return(&address, https).unwrap()),
                pair(&remember_bounces(bounces, https).unwrap()),
                pair(&remember_tenant(&tenant, https).unwrap()),
            ]
            .join("; ");
            let expected = Memory {
                has_cookies: true,
                return_to: Some(address),
                bounces: Some(bounces),
                tenant: Some(tenant),
            };
            assert_eq!(read(&sent, https), expected);
        }
    }

    /// A neighbour domain can plant cookies, but none with the `__Host-` prefix.
    #[test]
    fn cookie_tossing_over_https_is_ignored() {
        assert_eq!(
            read("doorward_return=%2Fx; doorward_tenant=open.com", true),
            Memory { has_cookies: true, ..Memory::default() }
        );
    }

    #[test]
    fn open_redirect_by_cookie_is_ignored() {
        for value in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%00"] {
            assert_eq!(read(&format!("doorward_return={value}"), false).return_to, None, "{value}");
        }
    }
}
