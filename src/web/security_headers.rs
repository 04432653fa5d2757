//! The headers every page of ours carries: nothing runs, nothing is framed, nothing is kept.

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

/// For every page of ours; an asset replaces `Cache-Control` with its own.
pub fn security_headers() -> &'static [(HeaderName, HeaderValue)] {
    &HEADERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_nothing_inline_and_no_frame() {
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
        for directive in
            ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(CONTENT_SECURITY_POLICY.split("; ").any(|written| written == directive), "{directive}");
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
