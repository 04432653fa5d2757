//! Compares two versions of a JSON file: one administrator action for each changed value, with secrets
//! redacted. Pure.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use serde_json::Value;
use url::Url;

use super::{AdminAction, REDACTED};
use crate::domain::governance;

/// Actions recorded for one file; the tag of the whole text identifies its exact content.
const MAX_DIFFERENCES: usize = 200;
/// The members that control access. They are listed first, so that other changes cannot displace them.
const ACCESS_MEMBERS: [&str; 2] = ["Doorward", "EnableAnonymous"];
/// In characters.
const MAX_TEXT_CHARS: usize = 500;
/// Marks truncated text.
const ELLIPSIS: char = '…';
/// Suffixes of names whose values are redacted, in every spelling: `client_secret`, `apiKey`.
const SECRET_NAME_SUFFIXES: [&str; 12] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pass",
    "pwd",
    "token",
    "jwt",
    "credential",
    "authorization",
    // `BillingEnginePlatformKey`, `secretKey`
    "key",
];

/// The changed values, each named by its JSON Pointer after `file#` (RFC 6901 §6); a missing file is
/// treated as an empty one. Empty if one side is not JSON.
pub fn diff_json(action: &'static str, file: &str, before: Option<&[u8]>, after: &[u8]) -> Vec<AdminAction> {
    // a file with a byte-order mark is valid, too
    let parse = |text: &[u8]| {
        serde_json::from_slice::<Value>(text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)).ok()
    };
    let (Some(before), Some(after)) = (parse(before.unwrap_or(b"{}")), parse(after)) else {
        return Vec::new();
    };
    let mut found = DifferenceCollector::default();
    found.compare(Some(&before), Some(&after), "", false);
    let DifferenceCollector { differences: different, omitted: uncounted } = found;
    let different = interleave_sections(different);
    let mut actions: Vec<AdminAction> = different
        .iter()
        .take(MAX_DIFFERENCES)
        .map(|Difference { at, old, new, is_secret }| {
            let shown = |value: &&Value| display_value(value, *is_secret, access_section(at).is_some());
            // PostgreSQL does not accept NUL in text
            let target = shorten(format!("{file}#{at}").replace('\0', "\\u0000"));
            AdminAction { action, target, before: old.as_ref().map(shown), after: new.as_ref().map(shown) }
        })
        .collect();
    let rest = different.get(MAX_DIFFERENCES..).unwrap_or_default();
    if !rest.is_empty() || uncounted > 0 {
        let after = Some(shorten(summarize_omitted(rest, uncounted)));
        actions.push(AdminAction { action, target: format!("{file}#"), before: None, after });
    }
    actions
}

/// Puts access members first, and alternates between sections and between lists, so that many changes in
/// one cannot hide a change in another.
fn interleave_sections(different: Vec<Difference<'_>>) -> Vec<Difference<'_>> {
    let count = different.len();
    let mut lists: HashMap<String, usize> = HashMap::new();
    let mut sections: BTreeMap<(bool, String), Vec<(usize, Difference<'_>)>> = BTreeMap::new();
    for one in different {
        let list = one.at.rsplit_once('/').map_or("", |(list, _)| list);
        let turn = lists.entry(list.to_owned()).or_default();
        let section = access_section(&one.at);
        let section = (section.is_none(), section.unwrap_or_default().to_owned());
        sections.entry(section).or_default().push((*turn, one));
        *turn += 1;
    }
    let mut turns = Vec::with_capacity(count);
    for ((others, _), mut values) in sections {
        if count > MAX_DIFFERENCES {
            values.sort_by(|(turn, one), (other_turn, other)| (turn, &one.at).cmp(&(other_turn, &other.at)));
        }
        // if all differences fit, they keep the order of the file
        let turn = |turn| if count > MAX_DIFFERENCES { turn } else { 0 };
        turns.extend(values.into_iter().enumerate().map(|(at, (_, value))| (others, turn(at), value)));
    }
    turns.sort_by_key(|(others, turn, _)| (*others, *turn));
    turns.into_iter().map(|(_, _, one)| one).collect()
}

/// `/Doorward/issuers` of `/Doorward/issuers/0/issuer`.
fn access_section(at: &str) -> Option<&str> {
    let name = at.split('/').nth(1)?;
    let steps = at.match_indices('/').map(|(index, _)| index);
    ACCESS_MEMBERS.contains(&name).then(|| steps.skip(1).nth(1).and_then(|end| at.get(..end)).unwrap_or(at))
}

/// How many differences are not listed, and in which access sections.
fn summarize_omitted(rest: &[Difference<'_>], uncounted: usize) -> String {
    let mut sections: BTreeMap<&str, usize> = BTreeMap::new();
    for section in rest.iter().filter_map(|one| access_section(&one.at)) {
        *sections.entry(section).or_default() += 1;
    }
    let mut summary = format!("and {} more values", rest.len() + uncounted);
    for (section, count) in sections {
        let _ = write!(summary, ", {count} of them below {section}");
    }
    summary
}

/// A value that differs, or exists on one side only.
struct Difference<'a> {
    /// The JSON Pointer, truncated like a displayed value.
    at: String,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    is_secret: bool,
}

#[derive(Default)]
struct DifferenceCollector<'a> {
    differences: Vec<Difference<'a>>,
    /// Differences outside the access members that exceed the limit.
    omitted: usize,
}

impl<'a> DifferenceCollector<'a> {
    fn compare(&mut self, old: Option<&'a Value>, new: Option<&'a Value>, at: &str, is_secret: bool) {
        let [was, is] = [old, new].map(|value| value.filter(|value| is_leaf(value, at)));
        if was != is {
            if access_section(at).is_none() && self.differences.len() >= 2 * MAX_DIFFERENCES {
                self.omitted += 1;
            } else {
                self.differences.push(Difference { at: at.to_owned(), old: was, new: is, is_secret });
            }
        }
        let mut below: BTreeMap<Cow<'_, str>, [Option<&Value>; 2]> = BTreeMap::new();
        for (side, value) in [old, new].into_iter().enumerate() {
            let mut add = |name, value| {
                if let Some(place) = below.entry(name).or_default().get_mut(side) {
                    *place = Some(value);
                }
            };
            match value {
                Some(Value::Object(members)) => {
                    members.iter().for_each(|(name, value)| add(Cow::Borrowed(name.as_str()), value));
                }
                Some(Value::Array(items)) => {
                    let items = items.iter().enumerate();
                    items.for_each(|(index, value)| add(Cow::Owned(index.to_string()), value));
                }
                _ => {}
            }
        }
        for (name, [old, new]) in below {
            let is_secret = is_secret || is_secret_name(&name);
            self.compare(old, new, &pointer(at, &name), is_secret);
        }
    }
}

/// Bounds the pointer: a name may be as long as the file, and have thousands of values below it.
fn pointer(at: &str, name: &str) -> String {
    if at.ends_with(ELLIPSIS) {
        return at.to_owned();
    }
    let name: String = name.chars().take(MAX_TEXT_CHARS + 1).collect();
    shorten(format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")))
}

/// A value without members. An empty document at the root is not a difference.
fn is_leaf(value: &Value, at: &str) -> bool {
    match value {
        Value::Object(members) => members.is_empty() && !at.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn display_value(value: &Value, is_secret: bool, is_ours: bool) -> String {
    match value {
        Value::String(_) | Value::Number(_) if is_secret => REDACTED.to_owned(),
        Value::String(text) if contains_secret(text) => match origin_of(text) {
            Some(site) => shorten(format!("\"{site}/{REDACTED}\"")),
            // access members name their secrets; other values there stay readable, or a pattern could be hidden as a secret
            None if is_ours => shorten(value.to_string()),
            None => REDACTED.to_owned(),
        },
        value => shorten(value.to_string()),
    }
}

fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let singular = plain.strip_suffix('s').unwrap_or(&plain);
    name.starts_with(governance::SECRET_PREFIX)
        || SECRET_NAME_SUFFIXES.iter().any(|ending| singular.ends_with(ending))
}

/// `https://name:password@host`, `https://token@host`, `https://host/?api_key=…`, `jdbc:…;password=…`
fn contains_secret(text: &str) -> bool {
    let named = |url: Url| !url.username().is_empty() || url.password().is_some();
    let pairs = || text.split(['?', '&', ';']).filter_map(|pair| pair.split_once('='));
    text.contains("://") && Url::parse(text).is_ok_and(named) || pairs().any(|(name, _)| is_secret_name(name))
}

/// The origin of a URL that contains a secret: the hosts that Doorward contacts or redirects to stay readable.
fn origin_of(text: &str) -> Option<String> {
    let site = Url::parse(text).ok()?.origin();
    site.is_tuple().then(|| site.ascii_serialization())
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
        text.truncate(end);
        text.push(ELLIPSIS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> String {
        let actions = diff_json("replace", "f", Some(before.as_bytes()), after.as_bytes());
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        let lines = actions
            .iter()
            .map(|action| format!("{} {} > {}", action.target, side(&action.before), side(&action.after)));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn lists_each_difference_by_its_json_pointer() {
        for (before, after, said) in [
            ("{}", "{ }", ""),
            ("{\"a\": 1, \"b\": {\"c\": true}}", "{\"b\": {\"c\": false}, \"a\": 1}", "f#/b/c true > false"),
            ("{}", "{\"a/b\": {\"~\": \"x\"}}", "f#/a~1b/~0 - > \"x\""),
            ("{\"a\": [1, 2]}", "{\"a\": [1, 3, 4]}", "f#/a/1 2 > 3; f#/a/2 - > 4"),
            ("{\"a\": {\"b\": 1}}", "{\"a\": 2}", "f#/a - > 2; f#/a/b 1 > -"),
            ("{ broken", "{\"a\": 2}", ""),
        ] {
            assert_eq!(told(before, after), said, "{before} {after}");
        }
        assert_eq!(diff_json("replace", "f", None, b"{\"a\": null}").len(), 1);
    }

    #[test]
    fn attack_a_secret_is_read_in_the_audit() {
        for key in [
            "client_secret",
            "clientSecret",
            "API-KEY",
            "api_keys",
            "Password",
            "__secret__.x",
            "access.tokens",
            "BillingEnginePlatformKey",
            "secretKey",
            "dbPwd",
            "Authorization",
        ] {
            let [old, new] = ["old", "new"].map(|value| format!("{{\"a\": [{{\"{key}\": \"{value}\"}}]}}"));
            assert_eq!(told(&old, &new), format!("f#/a/0/{key} (secret) > (secret)"));
            let below = format!("{{\"{key}\": {{\"of\": [\"x\", 7]}}}}");
            let pointer = format!("f#/{key}/of");
            assert_eq!(
                told("[]", &below),
                format!("f# [] > -; {pointer}/0 - > (secret); {pointer}/1 - > (secret)")
            );
        }
        for (text, shown) in [
            ("https://me:pw@host/", "\"https://host/(secret)\""),
            ("https://token@host:81/x", "\"https://host:81/(secret)\""),
            ("https://host/hook?x=1&api_key=2", "\"https://host/(secret)\""),
            ("jdbc:mysql://host/db?user=me&password=pw", REDACTED),
            ("Server=host;User=me;Password=pw", REDACTED),
        ] {
            assert_eq!(told("{\"a\": 1}", &format!("{{\"a\": \"{text}\"}}")), format!("f#/a 1 > {shown}"));
        }
        let plain = "https://host/sign-in?rd={return_url}";
        assert_eq!(told("{\"a\": 1}", &format!("{{\"a\": \"{plain}\"}}")), format!("f#/a 1 > \"{plain}\""));
        // switches and rules are no secrets
        let (before, after) = (
            "{\"forward_token\": true, \"password_policy\": {\"min\": 8}}",
            "{\"forward_token\": false, \"password_policy\": {\"min\": 9}}",
        );
        assert_eq!(told(before, after), "f#/forward_token true > false; f#/password_policy/min 8 > 9");
    }

    /// Attack: an issuer, a sign-in URL and a pattern imitate secrets, to be redacted.
    #[test]
    fn attack_a_change_that_hides_as_a_secret() {
        for (ours, said) in [
            (
                r#"{"issuers": [{"jwks_url": "https://evil.example/keys?key=1"}]}"#,
                r#"issuers/0/jwks_url - > "https://evil.example/(secret)""#,
            ),
            (
                r#"{"sign_in": {"url": "https://evil.example:444/?token=1"}}"#,
                r#"sign_in/url - > "https://evil.example:444/(secret)""#,
            ),
            (
                r#"{"password_policy": {"pattern": ".*|://?key="}}"#,
                r#"password_policy/pattern - > ".*|://?key=""#,
            ),
            (r#"{"issuers": [{"client_secret": "x"}]}"#, "issuers/0/client_secret - > (secret)"),
        ] {
            assert_eq!(told("{}", &format!(r#"{{"Doorward": {ours}}}"#)), format!("f#/Doorward/{said}"));
        }
    }

    /// Attack: a change of an access member is hidden behind many other changes.
    #[test]
    fn attack_a_change_that_hides_behind_many_others() {
        let text = |origin: &str, issuer: &str, anonymous: bool| {
            let others: Vec<String> = (0..300).map(|index| format!("\"A{index}\": \"{origin}\"")).collect();
            let many = vec![format!("\"https://{origin}\""); 300].join(",");
            let issuers = format!("[{{\"audiences\": [{many}]}}, {{\"issuer\": \"{issuer}\"}}]");
            format!(
                "{{{}, \"Doorward\": {{\"cors_allowed_origins\": [{many}], \"issuers\": {issuers}}}, \"EnableAnonymous\": {anonymous}}}",
                others.join(",")
            )
        };
        let said = told(&text("a", "https://good", false), &text("b", "https://evil", true));
        for counts in [
            "f#/EnableAnonymous false > true",
            "f#/Doorward/issuers/1/issuer \"https://good\" > \"https://evil\"",
        ] {
            assert!(said.contains(counts), "{counts} is not in {said}");
        }
        let rest = "and 702 more values, 200 of them below /Doorward/cors_allowed_origins, 202 of them below /Doorward/issuers";
        assert!(said.ends_with(rest), "{}", &said[said.len() - 300..]);
    }

    /// Attack: a byte-order mark, which the reader of these files ignores.
    #[test]
    fn attack_a_file_that_is_in_force_and_not_compared() {
        for (before, after) in [("{}", "\u{feff}{\"a\": 1}"), ("\u{feff}{}", "{\"a\": 1}")] {
            assert_eq!(told(before, after), "f#/a - > 1");
        }
        assert_eq!(told("{}", r#"{"a\u0000b": "\u0000"}"#), r#"f#/a\u0000b - > "\u0000""#);
    }

    /// Attack: a member name that is half of the file is repeated in the pointer of many values.
    #[test]
    fn attack_a_name_that_fills_the_memory() {
        let items = vec!["1"; 200_000].join(",");
        let text = format!("{{\"{}\": [{items}]}}", "k".repeat(500_000));
        let actions = diff_json("replace", "f", None, text.as_bytes());
        assert_eq!(actions.last().unwrap().after.as_deref(), Some("and 199800 more values"));
    }

    #[test]
    fn attack_a_file_that_fills_the_audit() {
        let many: Vec<usize> = (0..1000).collect();
        let actions =
            diff_json("replace", "f", Some(b"[]"), serde_json::to_string(&many).unwrap().as_bytes());
        assert_eq!(actions.len(), MAX_DIFFERENCES + 1);
        assert_eq!(actions.last().unwrap().after.as_deref(), Some("and 801 more values"));
        let long = format!("{{\"{}\": \"{}\"}}", "k".repeat(9000), "é".repeat(9000));
        let action = diff_json("replace", "f", Some(b"{\"a\": 1}"), long.as_bytes()).pop().unwrap();
        assert_eq!(
            (action.target.chars().count(), action.after.unwrap().chars().count()),
            (MAX_TEXT_CHARS + 1, MAX_TEXT_CHARS + 1)
        );
    }
}
