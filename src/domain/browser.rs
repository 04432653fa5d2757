//! Who has to sign in, a person in front of a browser or a program? One gets a redirect, the other a 401.

use super::route::Surface;

/// What a request says about who made it; absent headers are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub sec_fetch_mode: Option<&'a str>,
    pub sec_fetch_dest: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub x_requested_with: Option<&'a str>,
    /// Wants to switch protocols (WebSocket).
    pub upgrade: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A browser goes to a page: send it to sign-in (302).
    Navigation,
    /// A browser submits a form or the like: a redirect would lose what was sent, and to send it again to the
    /// sign-in service would give it away. It gets a page (401) that says so.
    Submission,
    /// A script, a program, a WebSocket: 401 in the format of the API it called.
    Program,
}

/// Is this a browser navigation that may be answered with a redirect?
pub fn wants_page(asked: &Asked<'_>, surface: Surface) -> bool {
    caller(asked, surface) == Caller::Navigation
}

/// `Sec-Fetch-*` decides where the browser sends it (over HTTPS, and to localhost); otherwise `X-Requested-With`
/// and `Accept`. An API never redirects, whoever calls.
pub fn caller(asked: &Asked<'_>, surface: Surface) -> Caller {
    let navigates = match surface {
        Surface::Wso2Api | Surface::Api => false,
        _ if asked.upgrade => false,
        Surface::Page | Surface::Asset => match asked.sec_fetch_mode {
            // `embed`, `object` and images would show a sign-in page where nobody can use it
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
            // without Sec-Fetch-* a script and a navigation may ask for an asset with the same words
            None => surface == Surface::Page && asked.accept.is_some_and(prefers_html),
        },
    };
    match asked.method {
        _ if !navigates => Caller::Program,
        "GET" | "HEAD" => Caller::Navigation,
        _ => Caller::Submission,
    }
}

/// Whether a page of our own origin sent this. Cookies that scripts of ours can read count as proof of identity only then
/// (or where nothing is changed): otherwise any website could submit a form in the visitor's name. Browsers write both
/// headers themselves; `Origin` says `null` where the page keeps its referrer to itself.
pub fn from_own_page(sec_fetch_site: Option<&str>, origin: Option<&str>, own_origin: Option<&str>) -> bool {
    match sec_fetch_site {
        Some(site) => site.eq_ignore_ascii_case("same-origin"),
        None => origin.is_some() && origin == own_origin,
    }
}

/// HTML is named, and no JSON is named with more weight, or with the same weight and earlier. `*/*` names nothing.
fn prefers_html(accept: &str) -> bool {
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

/// Thousandths; what is no weight weighs nothing.
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

    fn asked(mode: &'static str, dest: &'static str, accept: &'static str) -> Asked<'static> {
        let some = |s: &'static str| (!s.is_empty()).then_some(s);
        Asked {
            method: "GET",
            sec_fetch_mode: some(mode),
            sec_fetch_dest: some(dest),
            accept: some(accept),
            ..Asked::default()
        }
    }

    /// oauth2-proxy#1522, #1393, #2292, envoy#30102, pomerium#456: a script never gets a redirect to sign-in.
    #[test]
    fn who_is_redirected() {
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
            assert_eq!(wants_page(&asked(mode, dest, accept), Surface::Page), redirected, "{what}: {accept}");
        }
    }

    #[test]
    fn an_api_never_redirects() {
        for surface in [Surface::Wso2Api, Surface::Api] {
            assert_eq!(caller(&asked("navigate", "document", CHROME), surface), Caller::Program);
        }
    }

    #[test]
    fn an_asset_redirects_only_who_surely_navigates() {
        assert!(wants_page(&asked("navigate", "document", CHROME), Surface::Asset));
        assert!(!wants_page(&asked("no-cors", "style", "text/css,*/*;q=0.1"), Surface::Asset));
        assert!(!wants_page(&asked("", "", CHROME), Surface::Asset));
    }

    #[test]
    fn xhr_and_upgrades_are_programs() {
        let browser = asked("", "", CHROME);
        let with = |w| Asked { x_requested_with: Some(w), ..browser };
        assert_eq!(caller(&with("XMLHttpRequest"), Surface::Page), Caller::Program);
        assert_eq!(caller(&with("xmlhttprequest"), Surface::Page), Caller::Program);
        assert_eq!(caller(&with("com.example.app"), Surface::Page), Caller::Navigation);
        let upgrade = Asked { upgrade: true, ..asked("navigate", "document", CHROME) };
        assert_eq!(caller(&upgrade, Surface::Page), Caller::Program);
    }

    /// Attack: cross-site request forgery. A form of another website arrives with the visitor's cookies.
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
            assert_eq!(from_own_page(site, origin, OWN), own, "{site:?} {origin:?}");
        }
        assert!(!from_own_page(None, None, None), "nothing known is nobody's");
    }

    #[test]
    fn a_form_is_not_redirected_but_gets_a_page() {
        for method in ["POST", "PUT", "DELETE"] {
            let form = Asked { method, ..asked("navigate", "document", CHROME) };
            assert_eq!(caller(&form, Surface::Page), Caller::Submission);
            assert!(!wants_page(&form, Surface::Page));
        }
        let head = Asked { method: "HEAD", ..asked("navigate", "document", CHROME) };
        assert_eq!(caller(&head, Surface::Page), Caller::Navigation);
    }
}
