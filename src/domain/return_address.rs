//! Validates return addresses after sign-in: a path on our own origin, as a browser resolves it.
//!
//! Nothing is repaired: a text that is not clearly a path on our origin is rejected. The caller checks whether the
//! path is our own sign-in or sign-out page, which would cause a redirect loop: only the caller knows those paths.

use super::path;

/// Maximum length; a longer one, encoded into a URL, would exceed the limits of other programs.
pub const MAX_BYTES: usize = 2048;

/// A path with query (and nothing else) that every browser resolves to our own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAddress(String);

impl ReturnAddress {
    /// `None` when any browser might leave our origin by following it.
    pub fn parse(written: &str) -> Option<Self> {
        if written.len() > MAX_BYTES {
            return None;
        }
        let (path, query) = match written.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (written, None),
        };
        // one '/' and no second one, no backslash, no dot segment, nothing of those encoded once or twice
        let normal = path::normal_form(path).ok()?;
        if !query.is_none_or(is_query) {
            return None;
        }
        Some(Self(match query {
            Some(query) => format!("{normal}?{query}"),
            None => normal.into_owned(),
        }))
    }

    /// The front page.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters browsers send in a query, and no control character in any encoding.
fn is_query(query: &str) -> bool {
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return false };
                // 00 to 1f, and 7f
                let control =
                    matches!(high, b'0' | b'1') || (high == b'7' && low.eq_ignore_ascii_case(&b'f'));
                if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() || control {
                    return false;
                }
            }
            b'#' | b'\\' | b'"' | b'<' | b'>' => return false,
            _ if byte.is_ascii_graphic() => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    /// Does a browser on this page stay on its origin when it follows `address`?
    fn stays(address: &str) -> bool {
        ["https://ours.example/a/b?c", "http://ours.example:8080/"].iter().all(|page| {
            let page = Url::parse(page).unwrap();
            page.join(address).is_ok_and(|target| target.origin() == page.origin())
        })
    }

    #[test]
    fn deep_links_survive() {
        for address in [
            "/",
            "/devportal/apis",
            "/devportal/apis/?tenant=acme.com",
            "/devportal/apis/0ab1/overview?tenant=acme.com&query=a+b%20c",
            "/search?q=http://evil.example//x",
            "/search?q=%2F%2Fevil.example&r=../..",
            "/search?next=/a?b=c?d",
            "/caf%C3%A9?x=[1]|{2}^`3`",
            "/a?",
            "/a:b@c",
        ] {
            assert_eq!(ReturnAddress::parse(address).unwrap().as_str(), address);
            assert!(stays(address), "{address}");
        }
        assert_eq!(ReturnAddress::parse("/%61?%61").unwrap().as_str(), "/a?%61");
        let longest = format!("/{}", "a".repeat(MAX_BYTES - 1));
        assert!(ReturnAddress::parse(&longest).is_some());
        assert!(ReturnAddress::parse(&(longest + "a")).is_none());
    }

    /// CVE-2020-5233, CVE-2020-11053, CVE-2020-4037
    #[test]
    fn attack_open_redirect() {
        for payload in [
            "",
            " ",
            "evil.example",
            "?x",
            "#x",
            ".",
            "..",
            "./x",
            "../x",
            "*",
            "@evil.example",
            ":80",
            "~",
            // schemes
            "https://evil.example",
            "http://evil.example/",
            "HTTPS://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:\\\\evil.example",
            "https:///evil.example",
            "http:\\evil.example",
            "ftp://evil.example",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\tscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "javascript://ours.example/%0aalert(1)",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://evil.example/x",
            "file:///etc/passwd",
            "mailto:x@evil.example",
            "about:blank",
            "view-source:x",
            // two slashes in all their spellings
            "//evil.example",
            "//evil.example/%2e%2e",
            "///evil.example",
            "////evil.example",
            "//////evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "\\evil.example",
            "/\\/evil.example",
            "/\\\\evil.example",
            "\\/\\/evil.example",
            "/\\/\\evil.example",
            "//\\evil.example",
            "/\\ evil.example",
            "//ours.example@evil.example",
            "//ours.example:80@evil.example",
            "//evil.example\\@ours.example",
            "//[::1]",
            "//127.0.0.1",
            "//0",
            "//2130706433",
            "//%65vil.example",
            "//evil%E3%80%82example",
            "//evil。example",
            "／／evil.example",
            "/／evil.example",
            "/\u{2044}evil.example",
            "/\u{fe68}evil.example",
            // control characters between them: browsers take out tab, line feed and carriage return
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "/\r\n/evil.example",
            "\t//evil.example",
            "/\t\\evil.example",
            "\n/evil.example",
            " //evil.example",
            "/ /evil.example",
            "//\tevil.example",
            "/\u{0}/evil.example",
            "/\u{b}/evil.example",
            "/\u{c}/evil.example",
            "/\u{1f}/evil.example",
            "/\u{7f}/evil.example",
            "/\u{85}/evil.example",
            "/\u{a0}/evil.example",
            "/\u{feff}/evil.example",
            "/\u{200b}/evil.example",
            "/\u{2028}/evil.example",
            // the same encoded, once
            "/%09/evil.example",
            "/%0a/evil.example",
            "/%0d/evil.example",
            "/%0d%0a/evil.example",
            "/%0D%0A//x",
            "/%00/evil.example",
            "/%0b/evil.example",
            "/%1f/evil.example",
            "/%7f/evil.example",
            "%2f%2fevil.example",
            "/%2fevil.example",
            "/%2Fevil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "%5c%5cevil.example",
            "/%2f%2fevil.example",
            "/%5c%2fevil.example",
            "/%2f%5cevil.example",
            "/%09%2fevil.example",
            // and twice
            "/%2509/evil.example",
            "/%250a/evil.example",
            "/%250d/evil.example",
            "/%2500/evil.example",
            "/%252fevil.example",
            "/%252f%252fevil.example",
            "/%255cevil.example",
            "/%25252fevil.example",
            "/%25%32%66evil.example",
            "/%25%35%63evil.example",
            // dot segments that leave two slashes
            "/.//evil.example",
            "/..//evil.example",
            "/../evil.example",
            "/./evil.example",
            "/x/..//evil.example",
            "/x/../..//evil.example",
            "/.\\/evil.example",
            "/..\\evil.example",
            "/%2e//evil.example",
            "/%2e%2e//evil.example",
            "/.%2e//evil.example",
            "/%2e/evil.example",
            "/x/%2e%2e//evil.example",
            "/%252e%252e//evil.example",
            "/x//evil.example",
            "/.",
            "/..",
            // CVE-2026-3872: path parameters
            "/..;/evil.example",
            "/;//evil.example",
            "/;/evil.example",
            "/x;@evil.example",
            "/..%3b/evil.example",
            // CVE-2026-7504, CVE-2021-21291, CVE-2026-41569: what looks like our host
            "https://a@b@ours.example",
            "https://ours.example@evil.example",
            "https://ours.example.evil.example",
            "https://evilours.example",
            "https://ours.example",
            "//ours.example",
            "ours.example/x",
            // broken encodings, overlong and other UTF-8
            "/%",
            "/%2",
            "/%zz",
            "/%u2215evil.example",
            "/%c0%af/evil.example",
            "/%c0%ae%c0%ae/",
            "/%ff",
            "/%e0%80%af",
            "/é",
            "/日本",
            // fragments and response splitting
            "/#//evil.example",
            "/x#y",
            "/x?y#z",
            "/x\r\nLocation: https://evil.example",
            "/x?a\r\nSet-Cookie: a=b",
            "/x?a=%0d%0aLocation:%20https://evil.example",
            "/x?a=%0A",
            "/x?a=%00",
            "/x?a=%7F",
            "/x?a=%1b",
            "/x?%",
            "/x?%4",
            "/x?%g0",
            "/x?a=\\",
            "/x?a=\"><script>",
            "/x?a=é",
            "/x?a b",
            "/x\"onload=",
            "/<script>",
            "/x y",
        ] {
            assert_eq!(ReturnAddress::parse(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn attack_control_characters_in_the_return_address() {
        for control in (0_u8..=0x1f).chain([0x7f]) {
            for middle in [
                char::from(control).to_string(),
                format!("%{control:02x}"),
                format!("%{control:02X}"),
                format!("%25{control:02x}"),
            ] {
                for payload in [
                    format!("/{middle}/evil.example"),
                    format!("/{middle}"),
                    format!("{middle}//evil.example"),
                ] {
                    assert_eq!(ReturnAddress::parse(&payload), None, "{payload:?}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn accepted_return_addresses_stay_on_our_origin(address in r"[/\\.%259cCfF2eE@:;?#a\t\n é-]{0,16}") {
            if let Some(accepted) = ReturnAddress::parse(&address) {
                prop_assert!(stays(accepted.as_str()), "{:?}", accepted);
                prop_assert!(stays(&address));
                // reading it again, or decoding it once on the way, does not make it dangerous
                prop_assert_eq!(ReturnAddress::parse(accepted.as_str()), Some(accepted.clone()));
                let decoded = percent_encoding::percent_decode_str(accepted.as_str()).decode_utf8_lossy();
                prop_assert!(stays(&decoded), "{}", decoded);
            }
        }

        #[test]
        fn parse_never_panics(address in "/?\\PC{0,32}") {
            if let Some(accepted) = ReturnAddress::parse(&address) {
                prop_assert!(stays(accepted.as_str()));
            }
        }
    }
}
