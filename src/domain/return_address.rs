//! Validates return addresses after sign-in: a path on our own origin, as a browser resolves it.
//!
//! Nothing is repaired: a text that is not clearly a path on our origin is rejected. The caller checks whether the
//! path is our own sign-in or sign-out page, which would cause a redirect loop: only the caller knows those paths.

use super::path::{PathShape, readings::Readings};

/// Maximum length: the default of `limits.max_target_bytes`. An own page takes it in its query (`proxy::validation`).
pub const MAX_BYTES: usize = 8 * 1024;

/// A path with query (and nothing else) that every browser resolves to our own origin, byte for byte as it was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnAddress(String);

impl ReturnAddress {
    /// `None` when any browser might leave our origin by following it.
    pub fn parse(written: &str) -> Option<Self> {
        if written.len() > MAX_BYTES || !written.bytes().all(is_sent_by_browsers) {
            return None;
        }
        let (path, query) = written.split_once('?').unwrap_or((written, ""));
        (is_local(path) && !has_encoded_control(query)).then(|| Self(written.to_owned()))
    }

    /// The front page.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Browsers encode all other characters.
const fn is_sent_by_browsers(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>')
}

/// Whether the path stays on our origin for every program that handles the address: none of its readings begins with two slashes,
/// which begin the name of a host, none has dot segments, which browsers would have resolved, and none has control characters.
fn is_local(path: &str) -> bool {
    // browsers read `\` as `/`
    if path.contains('\\') {
        return false;
    }
    match PathShape::of(path) {
        Err(_) => false,
        Ok(PathShape::Plain) => true,
        Ok(PathShape::Encoded | PathShape::Structured) => {
            let names_host = |path: &str| path.starts_with("//") || path.starts_with("/\\");
            let is_dots = |segment: &str| matches!(segment, "." | "..");
            let leads_away = |reading: &str| {
                names_host(reading) || reading.split('/').any(is_dots) || reading.contains(char::is_control)
            };
            !Readings::of(path).any(leads_away)
        }
    }
}

/// A program that decodes the query on the way might write a line end into a header.
fn has_encoded_control(query: &str) -> bool {
    query.split('%').skip(1).any(|encoded| {
        let is_low = |high: u8, low: u8| matches!(high, b'0' | b'1') && low.is_ascii_hexdigit();
        match *encoded.as_bytes() {
            [b'7', b'f' | b'F', ..] => true,
            [high, low, ..] => is_low(high, low),
            _ => false,
        }
    })
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
            "/%61?%61",
            "/wiki/C%2B%2B",
            "/wiki/C%23?",
            "/api/vhosts/%2F/permissions",
            "/job/release%252F1.12.1/5/",
            "/files/a%5Cb.txt",
            "/a;jsessionid=1/b",
            "/a//b",
            "/%E4",
            "/%zz?q=%zz&r=100%",
            "/x?a=\\&b=%&c=%4",
            "/x//evil.example",
            "/x;@evil.example",
        ] {
            assert_eq!(ReturnAddress::parse(address).unwrap().as_str(), address);
            assert!(stays(address), "{address}");
        }
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
            "/.",
            "/..",
            // CVE-2026-3872: path parameters
            "/..;/evil.example",
            "/;//evil.example",
            "/;/evil.example",
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
            "/%u2215evil.example",
            "/%c0%af/evil.example",
            "/%c0%ae%c0%ae/",
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
