//! Security headers of every page: no scripts, no framing, no caching.

use http::{HeaderName, HeaderValue, header};

/// No script at all, styles and forms from our own origin only. Logos may come from anywhere by HTTPS.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' https: data:; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

static HEADERS: [(HeaderName, HeaderValue); 9] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Pages with a form may run our one script.
pub const FORM_CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' https: data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers that pages with a form replace. Browsers send `Origin: null` with the forms of a page that
/// sends no referrer, and without TLS that is their only origin header.
pub fn form_headers() -> [(HeaderName, HeaderValue); 2] {
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FORM_CONTENT_SECURITY_POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ]
}

/// For every page of ours; an asset replaces `Cache-Control` with its own.
pub fn security_headers() -> &'static [(HeaderName, HeaderValue)] {
    &HEADERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_nothing_inline_and_no_frame() {
        for policy in [CONTENT_SECURITY_POLICY, FORM_CONTENT_SECURITY_POLICY] {
            assert!(!policy.contains("unsafe"));
            for directive in
                ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
            {
                assert!(policy.split("; ").any(|written| written == directive), "{directive}");
            }
        }
        assert!(
            !CONTENT_SECURITY_POLICY.contains("script-src"),
            "default-src 'none' already forbids scripts"
        );
    }

    #[test]
    fn pages_are_never_stored() {
        let stored = security_headers().iter().find(|(name, _)| name == header::CACHE_CONTROL).unwrap();
        assert_eq!(stored.1, "no-store");
    }
}
