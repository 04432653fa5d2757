//! Cookies that a browser holds between a refused page and its return from sign-in: the requested page, the number of
//! redirects, and the chosen tenant. None of them authenticates; a client can forge each of them.

use http::{HeaderMap, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::redirect_loop::SignInRedirects;
use crate::{
    domain::{return_address::ReturnAddress, tenant::TenantId},
    http::cookie::{self, SetCookie},
};

/// Characters of a cookie value (RFC 6265 §4.1.1) stay as they are, since browsers drop a cookie of more than 4096 bytes.
const COOKIE_VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// RFC 3986's unreserved characters stay as they are.
pub const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Debug, Clone, Copy)]
enum VisitorCookie {
    Return,
    Redirects,
    Tenant,
}

impl VisitorCookie {
    /// Over HTTPS with the prefix `__Host-`, which no sibling domain and no clear-text page can set.
    const fn name(self, https: bool) -> &'static str {
        match (self, https) {
            (Self::Return, true) => "__Host-doorward_return",
            (Self::Return, false) => "doorward_return",
            (Self::Redirects, true) => "__Host-doorward_bounces",
            (Self::Redirects, false) => "doorward_bounces",
            (Self::Tenant, true) => "__Host-doorward_tenant",
            (Self::Tenant, false) => "doorward_tenant",
        }
    }

    const fn max_age(self) -> u32 {
        match self {
            Self::Return => 15 * 60,
            Self::Redirects => 30,
            Self::Tenant => 90 * 24 * 3600,
        }
    }

    fn set(self, value: &str, https: bool) -> Option<HeaderValue> {
        let max_age = Some(self.max_age());
        SetCookie { name: self.name(https), value, max_age, secure: https }.to_header()
    }

    fn clear(self, https: bool) -> Option<HeaderValue> {
        SetCookie { name: self.name(https), value: "", max_age: Some(0), secure: https }.to_header()
    }
}

/// Doorward's cookies as a browser sent them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct VisitorCookies {
    pub return_to: Option<ReturnAddress>,
    pub sign_in_redirects: SignInRedirects,
    pub tenant: Option<TenantId>,
}

impl VisitorCookies {
    /// An ambiguous cookie counts as absent.
    pub fn read(headers: &HeaderMap, https: bool) -> Self {
        let Some(line) = headers.get(header::COOKIE) else { return Self::default() };
        if memchr::memmem::find(line.as_bytes(), b"doorward_").is_none() {
            return Self::default();
        }
        let value = |own: VisitorCookie| cookie::read_text(headers, own.name(https));
        let return_to = value(VisitorCookie::Return).map(percent_decode_str);
        Self {
            return_to: return_to.and_then(|address| ReturnAddress::parse(&address.decode_utf8().ok()?)),
            sign_in_redirects: value(VisitorCookie::Redirects)
                .map(SignInRedirects::parse)
                .unwrap_or_default(),
            tenant: value(VisitorCookie::Tenant).and_then(|tenant| TenantId::parse(tenant).ok()),
        }
    }
}

pub fn return_cookie(address: &ReturnAddress, https: bool) -> Option<HeaderValue> {
    let value = utf8_percent_encode(address.as_str(), COOKIE_VALUE).to_string();
    VisitorCookie::Return.set(&value, https)
}

pub fn redirects_cookie(redirects: &SignInRedirects, https: bool) -> Option<HeaderValue> {
    VisitorCookie::Redirects.set(&redirects.to_string(), https)
}

pub fn tenant_cookie(tenant: &TenantId, https: bool) -> Option<HeaderValue> {
    VisitorCookie::Tenant.set(tenant.as_str(), https)
}

/// The browser has reached the requested page: removes the return address and the redirect count.
pub fn expire_return_cookies(https: bool) -> impl Iterator<Item = HeaderValue> {
    [VisitorCookie::Return, VisitorCookie::Redirects].into_iter().filter_map(move |own| own.clear(https))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let redirects = SignInRedirects::parse("1f.2.1800000000~2.1.1800000001");
            let sent = [
                pair(&return_cookie(&address, https).unwrap()),
                pair(&redirects_cookie(&redirects, https).unwrap()),
                pair(&tenant_cookie(&tenant, https).unwrap()),
            ]
            .join("; ");
            let expected = VisitorCookies {
                return_to: Some(address),
                sign_in_redirects: redirects,
                tenant: Some(tenant),
            };
            assert_eq!(read(&sent, https), expected);
        }
    }

    /// A sibling domain can plant cookies, but none with the `__Host-` prefix.
    #[test]
    fn attack_cookie_tossing_over_https() {
        assert_eq!(read("doorward_return=%2Fx; doorward_tenant=open.com", true), VisitorCookies::default());
    }

    #[test]
    fn attack_second_cookie_with_another_tenant() {
        assert_eq!(read("doorward_tenant=acme.com; doorward_tenant=open.com", false).tenant, None);
    }

    #[test]
    fn attack_open_redirect_by_cookie() {
        for value in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%00"] {
            assert_eq!(read(&format!("doorward_return={value}"), false).return_to, None, "{value}");
        }
    }
}
