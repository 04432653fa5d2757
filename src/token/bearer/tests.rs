use http::{HeaderValue, header::COOKIE};
use proptest::prelude::*;

use super::*;

const HEADER: &str = "eyJhbGciOiJFUzI1NiJ9"; // {"alg":"ES256"}

fn whole_jwt() -> String {
    format!("{HEADER}.eyJzdWIiOiJhbm4ifQ.{}", "s".repeat(86))
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn bearer(token: &str) -> Credential<'_> {
    Credential::Bearer(Cow::Borrowed(token))
}

fn places() -> TokenLocations<'static> {
    TokenLocations::header_only(1000)
}

#[test]
fn reads_bearer_token_of_authorization_header() {
    use BadCredential::{NotOneToken, TooLong};
    let exactly = "a".repeat(1000);
    let long = "a".repeat(1001);
    for (value, expected) in [
        ("Bearer abc", Ok(bearer("abc"))),
        ("bearer abc", Ok(bearer("abc"))),
        ("BEARER abc", Ok(bearer("abc"))),
        ("Bearer   abc", Ok(bearer("abc"))),
        ("Bearer aB0-._~+/==", Ok(bearer("aB0-._~+/=="))),
        ("Basic dXNlcjpwdw==", Ok(Credential::OtherScheme)),
        ("DPoP abc", Ok(Credential::OtherScheme)),
        ("Negotiate", Ok(Credential::OtherScheme)),
        ("Bearerabc", Ok(Credential::OtherScheme)),
        ("", Err(NotOneToken)),
        ("Bearer", Err(NotOneToken)),
        ("Bearer ", Err(NotOneToken)),
        ("Bearer\tabc", Err(NotOneToken)),
        ("Bearer abc def", Err(NotOneToken)),
        ("Bearer abc,Bearer def", Err(NotOneToken)),
        ("Bearer token=\"abc\"", Err(NotOneToken)),
        ("Bearer ===", Err(NotOneToken)),
        ("Bearer a=b", Err(NotOneToken)),
        ("Bearer äbc", Err(NotOneToken)),
        ("B(earer abc", Err(NotOneToken)),
    ] {
        let headers = headers(&[("authorization", value)]);
        assert_eq!(extract(&headers, &places()), expected, "{value:?}");
    }
    for (token, expected) in [(&exactly, Ok(bearer(&exactly))), (&long, Err(TooLong))] {
        let headers = headers(&[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(extract(&headers, &places()), expected);
    }
    assert_eq!(extract(&HeaderMap::new(), &places()), Ok(Credential::None));
}

#[test]
fn rejects_two_authorization_headers() {
    for (first, second) in
        [("Bearer a", "Bearer b"), ("Bearer a", "Bearer a"), ("Basic a", "Bearer b"), ("Bearer a", "")]
    {
        let headers = headers(&[("authorization", first), ("authorization", second)]);
        assert_eq!(extract(&headers, &places()), Err(BadCredential::TwoHeaders), "{first} {second}");
    }
}

#[test]
fn joins_split_token_wherever_it_was_cut() {
    let whole = whole_jwt();
    for cut in 1..whole.len() {
        let (first, second) = whole.split_at(cut);
        let headers = headers(&[
            ("authorization", &format!("Bearer {first}")),
            ("cookie", &format!("IS_LOGIN_DEFAULT=true; {SECOND_HALF_COOKIE}={second}; a=b")),
        ]);
        assert_eq!(extract(&headers, &places()), Ok(bearer(&whole)), "cut at {cut}");
    }
    // an opaque token, cut in the middle
    let headers = headers(&[
        ("authorization", "Bearer 6f9619ff-8b86-d0"),
        ("cookie", "AM_ACC_TOKEN_DEFAULT_P2=11-b42d-00c04fc964ff"),
    ]);
    assert_eq!(extract(&headers, &places()), Ok(bearer("6f9619ff-8b86-d011-b42d-00c04fc964ff")));
}

#[test]
fn attack_second_half_cookie_of_another_user() {
    let whole = whole_jwt();
    let headers = headers(&[
        ("authorization", &format!("Bearer {whole}")),
        ("cookie", &format!("{SECOND_HALF_COOKIE}=b3RoZXJz")),
    ]);
    assert_eq!(extract(&headers, &places()), Ok(bearer(&whole)));
}

#[test]
fn complete_jwt_has_a_full_length_signature() {
    let encode = |header: &str| URL_SAFE_NO_PAD.encode(header);
    for (header, length, complete) in [
        (r#"{"alg":"ES256"}"#, 86, true),
        (r#"{"alg":"ES256"}"#, 85, false),
        (r#"{"alg":"EdDSA"}"#, 86, true),
        (r#"{"alg":"ES384"}"#, 128, true),
        (r#"{"alg":"ES384"}"#, 86, false),
        (r#"{"alg":"RS256","kid":"1"}"#, 342, true),
        (r#"{"kid":"1","alg":"PS512"}"#, 683, true),
        (r#"{"alg":"RS256"}"#, 171, false),
        (r#"{"alg":"RS256"}"#, 86, false),
        (r#"{"alg":"none"}"#, 0, false),
        (r#"{"alg":"HS256"}"#, 43, true),
        (r#"{"kid":"1"}"#, 86, false),
        ("no json", 86, false),
    ] {
        let text = format!("{}.e30.{}", encode(header), "s".repeat(length));
        assert_eq!(is_complete_jwt(&text), complete, "{header} {length}");
    }
    for text in ["", "abc", "a.b", "a.b.c", "a.b.c.d.e", &format!("{HEADER}..{}", "s".repeat(86))] {
        assert!(!is_complete_jwt(text), "{text}");
    }
}

#[test]
fn reads_token_cookies_only_if_allowed() {
    let both = format!("{FIRST_HALF_COOKIE}=abc; {SECOND_HALF_COOKIE}=def");
    let page = TokenLocations { both_halves_as_cookies: true, ..places() };
    let whole = TokenLocations { token_cookie: Some("portal_token"), ..places() };
    for (cookies, places, expected) in [
        (both.as_str(), page, Ok(bearer("abcdef"))),
        (both.as_str(), places(), Ok(Credential::None)),
        ("WSO2_AM_TOKEN_1_Default=abc", page, Ok(Credential::None)),
        ("AM_ACC_TOKEN_DEFAULT_P2=def", page, Ok(Credential::None)),
        ("WSO2_AM_TOKEN_1_Default=abc; AM_ACC_TOKEN_DEFAULT_P2=", page, Ok(Credential::None)),
        ("WSO2_AM_TOKEN_1_Default=a b; AM_ACC_TOKEN_DEFAULT_P2=def", page, Ok(Credential::None)),
        ("wso2_am_token_1_default=abc; AM_ACC_TOKEN_DEFAULT_P2=def", page, Ok(Credential::None)),
        ("portal_token=whole", whole, Ok(bearer("whole"))),
        ("portal_token=whole", page, Ok(Credential::None)),
        ("xportal_token=whole; portal_tokenx=whole", whole, Ok(Credential::None)),
    ] {
        let headers = headers(&[("cookie", cookies)]);
        assert_eq!(extract(&headers, &places), expected, "{cookies}");
    }
}

#[test]
fn attack_planted_second_token_cookie() {
    let token = ("authorization", "Bearer abc");
    let own = ("cookie", "AM_ACC_TOKEN_DEFAULT_P2=def");
    let planted = ("cookie", "AM_ACC_TOKEN_DEFAULT_P2=evil");
    assert_eq!(extract(&headers(&[token, own, planted]), &places()), Err(BadCredential::TwoTokens));
    let one_header = ("cookie", "AM_ACC_TOKEN_DEFAULT_P2=def; AM_ACC_TOKEN_DEFAULT_P2=");
    assert_eq!(extract(&headers(&[token, one_header]), &places()), Err(BadCredential::TwoTokens));
    // WSO2 sets the cookie for two paths: a request that matches both carries it twice
    assert_eq!(extract(&headers(&[token, own, own]), &places()), Ok(bearer("abcdef")));
}

#[test]
fn attack_encoded_access_token_parameter() {
    for (query, named) in [
        ("access_token=a", true),
        ("x&%61ccess_token", true),
        ("%61%63cess%5Ftoken=a", true),
        ("access_tokens=a&x=access_token", false),
        ("", false),
    ] {
        assert_eq!(has_access_token_parameter(query), named, "{query}");
    }
}

#[test]
fn reads_query_token_only_as_first_half_of_download() {
    let download = |query| TokenLocations { query: Some(query), ..places() };
    let second = ("cookie", "AM_ACC_TOKEN_DEFAULT_P2=def");
    for (query, expected) in [
        ("access_token=abc", Ok(bearer("abcdef"))),
        ("x=1&access_token=a%62c&y", Ok(bearer("abcdef"))),
        ("%61ccess%5ftoken=abc", Ok(bearer("abcdef"))),
        ("access_token=abc&%61ccess_token=abc", Err(BadCredential::TwoTokens)),
        ("access_token=", Ok(Credential::None)),
        ("xaccess_token=abc", Ok(Credential::None)),
        ("", Ok(Credential::None)),
        ("access_token=abc&access_token=abc", Err(BadCredential::TwoTokens)),
        ("access_token=a%20c", Err(BadCredential::NotOneToken)),
        ("access_token=%ff", Err(BadCredential::NotOneToken)),
    ] {
        assert_eq!(extract(&headers(&[second]), &download(query)), expected, "{query}");
    }
    let whole = format!("access_token={}", whole_jwt());
    assert_eq!(extract(&HeaderMap::new(), &download(&whole)), Ok(Credential::None));
    assert_eq!(extract(&headers(&[second]), &places()), Ok(Credential::None));
    let both = headers(&[("authorization", "Bearer abc"), second]);
    assert_eq!(extract(&both, &download("access_token=abc")), Err(BadCredential::TwoTokens));
}

/// A browser sends all cookies in one line; HTTP/2 may send each in its own.
#[test]
fn reads_token_cookie_beside_cookies_in_another_encoding() {
    let places = TokenLocations { token_cookie: Some("t"), ..places() };
    let read = |lines: &[&[u8]]| {
        let lines = lines.iter().map(|line| (COOKIE, HeaderValue::from_bytes(line).unwrap()));
        let headers: HeaderMap = lines.collect();
        extract(&headers, &places).map(|found| format!("{found:?}"))
    };
    let found = Ok("Bearer(\"abc\")".to_owned());
    assert_eq!(read(&[b"name=M\xfcller; t=abc"]), found);
    assert_eq!(read(&[b"name=M\xfcller", b"t=abc"]), found);
    assert_eq!(read(&[b"t=\xfc"]), Ok("None".to_owned()));
    assert_eq!(read(&[b"t=abc; t=\xfc"]), Err(BadCredential::TwoTokens));
}

#[test]
fn limits_length_of_joined_token() {
    let half = "a".repeat(600);
    let headers = headers(&[
        ("authorization", &format!("Bearer {half}")),
        ("cookie", &format!("{SECOND_HALF_COOKIE}={half}")),
    ]);
    assert_eq!(extract(&headers, &places()), Err(BadCredential::TooLong));
}

proptest! {
    /// Whatever bytes arrive, the result is short enough and can be sent in a header.
    #[test]
    fn extracts_at_most_one_header_safe_token(
        authorization in proptest::option::of("(Bearer )?[ -~]{0,40}"),
        cookies in "((WSO2_AM_TOKEN_1_Default|AM_ACC_TOKEN_DEFAULT_P2|t)=[ -~]{0,20}; ?){0,4}",
        query in "(access_token=)?[ -~]{0,20}",
    ) {
        let mut pairs = vec![("cookie", cookies.as_str())];
        pairs.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let places =
            TokenLocations { authorization: true, max_bytes: 50, token_cookie: Some("t"), both_halves_as_cookies: true, query: Some(&query) };
        if let Ok(Credential::Bearer(token)) = extract(&headers(&pairs), &places) {
            prop_assert!(token.len() <= 50);
            prop_assert!(token.bytes().all(|b| b.is_ascii_graphic() && b != b';' && b != b','));
        }
    }
}
