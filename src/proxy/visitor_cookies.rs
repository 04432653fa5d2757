//! Cookies that a browser holds between a refused page and its return from sign-in: the requested page, the number of
//! redirects, and the chosen tenant. None of them authenticates; a client can forge each of them.

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::redirect_loop::SignInRedirects;
use crate::domain::{return_address::ReturnAddress, tenant::TenantId};

/// Characters of a cookie value (RFC 6265 §4.1.1) stay as they are, since browsers drop a cookie of more than 4096 bytes.
const COOKIE_VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// RFC 3986's unreserved characters stay as they are.
pub const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const RETURN_COOKIE: &str = "doorward_return";
const REDIRECTS_COOKIE: &str = "doorward_bounces";
const TENANT_COOKIE: &str = "doorward_tenant";

const RETURN_ADDRESS_SECONDS: u32 = 15 * 60;
const REDIRECTS_SECONDS: u32 = 30;
const TENANT_SECONDS: u32 = 90 * 24 * 3600;

/// Doorward's cookies as a browser sent them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct VisitorCookies {
    /// Whether it sent any cookie at all, ours or not.
    pub has_cookies: bool,
    pub return_to: Option<ReturnAddress>,
    pub sign_in_redirects: Option<SignInRedirects>,
    pub tenant: Option<TenantId>,
}

impl VisitorCookies {
    /// Over HTTPS only names with the `__Host-` prefix are read, which no sibling domain and no clear-text page can set.
    pub fn read(headers: &HeaderMap, https: bool) -> Self {
        let Some(cookies) = headers.get(header::COOKIE) else { return Self::default() };
        let mut visitor_cookies = Self { has_cookies: true, ..Self::default() };
        let Ok(cookies) = cookies.to_str() else { return visitor_cookies };
        if !cookies.contains("doorward_") {
            return visitor_cookies;
        }
        for cookie in cookies.split(';') {
            let Some((name, value)) = cookie.trim().split_once('=') else { continue };
            let name = match (https, name.strip_prefix("__Host-")) {
                (true, Some(name)) => name,
                (false, None) => name,
                _ => continue,
            };
            match name {
                RETURN_COOKIE => {
                    let address = percent_decode_str(value).decode_utf8().ok();
                    visitor_cookies.return_to = address.and_then(|address| ReturnAddress::parse(&address));
                }
                REDIRECTS_COOKIE => visitor_cookies.sign_in_redirects = SignInRedirects::parse(value),
                TENANT_COOKIE => visitor_cookies.tenant = TenantId::parse(value).ok(),
                _ => {}
            }
        }
        visitor_cookies
    }
}

pub fn return_cookie(address: &ReturnAddress, https: bool) -> Option<HeaderValue> {
    let value = utf8_percent_encode(address.as_str(), COOKIE_VALUE).to_string();
    set_cookie(RETURN_COOKIE, &value, RETURN_ADDRESS_SECONDS, https)
}

pub fn redirects_cookie(bounces: SignInRedirects, https: bool) -> Option<HeaderValue> {
    set_cookie(REDIRECTS_COOKIE, &bounces.to_cookie(), REDIRECTS_SECONDS, https)
}

pub fn tenant_cookie(tenant: &TenantId, https: bool) -> Option<HeaderValue> {
    set_cookie(TENANT_COOKIE, tenant.as_str(), TENANT_SECONDS, https)
}

/// The browser has reached the requested page: removes the return address and the redirect count.
pub fn expire_return_cookies(https: bool) -> impl Iterator<Item = HeaderValue> {
    [RETURN_COOKIE, REDIRECTS_COOKIE].into_iter().filter_map(move |name| set_cookie(name, "", 0, https))
}

/// `Lax`, since the return from sign-in is a navigation from another site.
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
    use crate::domain::time::Timestamp;

    fn read(cookie: &str, https: bool) -> VisitorCookies {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        VisitorCookies::read(&headers, https)
    }

    fn pair(set_cookie: &HeaderValue) -> String {
        set_cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    #[test]
    fn reads_back_the_cookies_it_sets() {
        for https in [false, true] {
            let address = ReturnAddress::parse("/devportal/apis;x=1?tenant=acme.com&q=a%20b,%zz\\").unwrap();
            let tenant = TenantId::parse("acme.com").unwrap();
            let bounces = SignInRedirects { count: 2, since: Timestamp::from_seconds(1_800_000_000) };
            let sent = [
                pair(&return_cookie(&address, https).unwrap()),
                pair(&redirects_cookie(bounces, https).unwrap()),
                pair(&tenant_cookie(&tenant, https).unwrap()),
            ]
            .join("; ");
            let expected = VisitorCookies {
                has_cookies: true,
                return_to: Some(address),
                sign_in_redirects: Some(bounces),
                tenant: Some(tenant),
            };
            assert_eq!(read(&sent, https), expected);
        }
    }

    /// A sibling domain can plant cookies, but none with the `__Host-` prefix.
    #[test]
    fn attack_cookie_tossing_over_https() {
        assert_eq!(
            read("doorward_return=%2Fx; doorward_tenant=open.com", true),
            VisitorCookies { has_cookies: true, ..VisitorCookies::default() }
        );
    }

    #[test]
    fn attack_open_redirect_by_cookie() {
        for value in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%00"] {
            assert_eq!(read(&format!("doorward_return={value}"), false).return_to, None, "{value}");
        }
    }
}
