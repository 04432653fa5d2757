//! Classifies the caller of a request: a browser navigation gets a redirect, a program gets a 401.

use super::route::RouteKind;

/// The headers that classify the caller; absent headers are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FetchMetadata<'a> {
    pub method: &'a str,
    pub sec_fetch_mode: Option<&'a str>,
    pub sec_fetch_dest: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub x_requested_with: Option<&'a str>,
    /// The request asks to switch protocols (WebSocket).
    pub upgrade: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// A browser navigation: redirect to sign-in (302).
    Navigation,
    /// A form submission: a redirect would lose the body, and repeating it to the sign-in service would
    /// disclose it. The response is a page (401).
    Submission,
    /// A script, a program, a WebSocket: 401 in the format of the API.
    Program,
}

/// `Sec-Fetch-*` is authoritative where the browser sends it (over HTTPS, and to localhost); otherwise
/// `X-Requested-With` and `Accept` decide. An API never redirects.
pub fn classify_caller(asked: &FetchMetadata<'_>, kind: RouteKind) -> CallerKind {
    let navigates = match kind {
        RouteKind::Wso2Api | RouteKind::Api => false,
        _ if asked.upgrade => false,
        RouteKind::Page | RouteKind::Asset => match asked.sec_fetch_mode {
            // a sign-in page cannot be used in `embed`, `object` or an image
            Some(mode) => {
                mode.eq_ignore_ascii_case("navigate")
                    && asked.sec_fetch_dest.is_none_or(|dest| {
                        ["document", "iframe", "frame"].iter().any(|page| dest.eq_ignore_ascii_case(page))
                    })
            }
            // Android's WebView puts the name of the app into this header, on navigations too
            None if asked
                .x_requested_with
                .is_some_and(|w| w.trim().eq_ignore_ascii_case("XMLHttpRequest")) =>
            {
                false
            }
            // without Sec-Fetch-* a script and a navigation may request an asset with the same headers
            None => kind == RouteKind::Page && asked.accept.is_some_and(prefers_html),
        },
    };
    match asked.method {
        _ if !navigates => CallerKind::Program,
        "GET" | "HEAD" => CallerKind::Navigation,
        _ => CallerKind::Submission,
    }
}

/// Whether a page of our own origin sent this request. Cookies that our scripts can read prove the identity
/// only then (or where nothing is changed): otherwise any website could submit a form in the user's name.
/// Browsers set both headers themselves; `Origin` is `null` where the page suppresses its referrer.
pub fn is_same_origin(sec_fetch_site: Option<&str>, origin: Option<&str>, own_origin: Option<&str>) -> bool {
    match sec_fetch_site {
        Some(site) => site.eq_ignore_ascii_case("same-origin"),
        None => origin.is_some() && origin == own_origin,
    }
}

/// Whether HTML is listed, and no JSON type has a higher weight, or the same weight and an earlier position. `*/*` is ignored.
pub fn prefers_html(accept: &str) -> bool {
    let mut html = 0;
    let mut json = 0;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let weight =
            parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q="))).map_or(1000, weight);
        let is = |known: &[&str]| known.iter().any(|k| media.eq_ignore_ascii_case(k));
        if is(&["text/html", "application/xhtml+xml", "text/*"]) {
            // the same weight later does not count
            html = html.max(if weight > json { weight } else { 0 });
        } else if is(&["application/json", "application/problem+json", "text/event-stream"])
            || media.to_ascii_lowercase().ends_with("+json")
        {
            json = json.max(weight);
        }
    }
    html > 0 && html >= json
}

/// In thousandths; an invalid weight is 0.
fn weight(written: &str) -> u16 {
    match written.parse::<f32>() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1000.0) as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

    fn asked(mode: &'static str, dest: &'static str, accept: &'static str) -> FetchMetadata<'static> {
        let some = |s: &'static str| (!s.is_empty()).then_some(s);
        FetchMetadata {
            method: "GET",
            sec_fetch_mode: some(mode),
            sec_fetch_dest: some(dest),
            accept: some(accept),
            ..FetchMetadata::default()
        }
    }

    fn is_redirected(asked: &FetchMetadata<'_>, kind: RouteKind) -> bool {
        classify_caller(asked, kind) == CallerKind::Navigation
    }

    /// oauth2-proxy#1522, #1393, #2292, envoy#30102, pomerium#456: a script never gets a redirect to sign-in.
    #[test]
    fn redirects_only_navigations() {
        for (mode, dest, accept, redirected, what) in [
            ("navigate", "document", CHROME, true, "a browser"),
            ("navigate", "iframe", CHROME, true, "a frame"),
            ("navigate", "", CHROME, true, "no destination"),
            ("Navigate", "Document", "", true, "any case"),
            ("navigate", "embed", CHROME, false, "a plug-in"),
            ("navigate", "object", CHROME, false, "a plug-in"),
            ("cors", "empty", "application/json", false, "fetch()"),
            ("cors", "empty", CHROME, false, "fetch() that accepts HTML"),
            ("same-origin", "empty", "*/*", false, "fetch()"),
            ("no-cors", "image", "image/avif,*/*", false, "an image"),
            ("no-cors", "script", "*/*", false, "a script"),
            ("websocket", "empty", "", false, "a WebSocket"),
            ("", "", CHROME, true, "a browser over plain HTTP"),
            ("", "", "text/html", true, "an old browser"),
            ("", "", "TEXT/HTML;level=1", true, "any case"),
            ("", "", "*/*", false, "curl, XHR"),
            ("", "", "", false, "nothing said"),
            ("", "", "application/json, text/plain, */*", false, "axios"),
            ("", "", "application/json, text/javascript, */*; q=0.01", false, "jQuery"),
            ("", "", "application/json, text/html", false, "JSON first"),
            ("", "", "text/html, application/json", true, "HTML first"),
            ("", "", "text/html;q=0.8, application/json", false, "JSON weighs more"),
            ("", "", "application/json;q=0.5, text/html;q=0.9", true, "HTML weighs more"),
            ("", "", "text/html;q=0", false, "HTML refused"),
            ("", "", "text/html;q=x", false, "no weight"),
            ("", "", "application/vnd.api+json, text/html", false, "JSON of some kind first"),
            ("", "", "text/event-stream", false, "an event source"),
        ] {
            assert_eq!(
                is_redirected(&asked(mode, dest, accept), RouteKind::Page),
                redirected,
                "{what}: {accept}"
            );
        }
    }

    #[test]
    fn an_api_never_redirects() {
        for kind in [RouteKind::Wso2Api, RouteKind::Api] {
            assert_eq!(classify_caller(&asked("navigate", "document", CHROME), kind), CallerKind::Program);
        }
    }

    #[test]
    fn redirects_assets_only_with_fetch_metadata() {
        assert!(is_redirected(&asked("navigate", "document", CHROME), RouteKind::Asset));
        assert!(!is_redirected(&asked("no-cors", "style", "text/css,*/*;q=0.1"), RouteKind::Asset));
        assert!(!is_redirected(&asked("", "", CHROME), RouteKind::Asset));
    }

    #[test]
    fn xhr_and_upgrades_are_not_redirected() {
        let browser = asked("", "", CHROME);
        let with = |w| FetchMetadata { x_requested_with: Some(w), ..browser };
        assert_eq!(classify_caller(&with("XMLHttpRequest"), RouteKind::Page), CallerKind::Program);
        assert_eq!(classify_caller(&with("xmlhttprequest"), RouteKind::Page), CallerKind::Program);
        assert_eq!(classify_caller(&with("com.example.app"), RouteKind::Page), CallerKind::Navigation);
        let upgrade = FetchMetadata { upgrade: true, ..asked("navigate", "document", CHROME) };
        assert_eq!(classify_caller(&upgrade, RouteKind::Page), CallerKind::Program);
    }

    /// Attack: cross-site request forgery. A form of another website arrives with the user's cookies.
    #[test]
    fn cross_site_request_forgery_is_not_from_an_own_page() {
        const OWN: Option<&str> = Some("https://portal.example");
        for (site, origin, own) in [
            (Some("same-origin"), OWN, true),
            (Some("same-origin"), Some("null"), true),
            (Some("same-site"), OWN, false),
            (Some("cross-site"), OWN, false),
            (Some("none"), OWN, false),
            (Some(""), OWN, false),
            (None, OWN, true),
            (None, Some("https://evil.example"), false),
            (None, Some("http://portal.example"), false),
            (None, Some("null"), false),
            (None, None, false),
        ] {
            assert_eq!(is_same_origin(site, origin, OWN), own, "{site:?} {origin:?}");
        }
        assert!(!is_same_origin(None, None, None), "a request without both headers is not same-origin");
    }

    #[test]
    fn a_form_is_not_redirected_but_gets_a_page() {
        for method in ["POST", "PUT", "DELETE"] {
            let form = FetchMetadata { method, ..asked("navigate", "document", CHROME) };
            assert_eq!(classify_caller(&form, RouteKind::Page), CallerKind::Submission);
            assert!(!is_redirected(&form, RouteKind::Page));
        }
        let head = FetchMetadata { method: "HEAD", ..asked("navigate", "document", CHROME) };
        assert_eq!(classify_caller(&head, RouteKind::Page), CallerKind::Navigation);
    }
}
