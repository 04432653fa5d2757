//! What is different in a file of JSON: a deed for each value, and no secret in any of them. Pure.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use serde_json::Value;
use url::Url;

use super::{Deed, SECRET};
use crate::domain::governance;

/// So many are for people to read; the tag of the whole text says what exactly was there.
const MOST: usize = 200;
/// What says who gets in. It goes first, so that nothing else crowds it out.
const OURS: [&str; 2] = ["Doorward", "EnableAnonymous"];
/// In characters.
const LONGEST: usize = 500;
/// Stands for what is beyond.
const CUT: char = '…';
/// How the name of a text ends that is nobody's to read, in every spelling: `client_secret`, `apiKey`.
const SECRETIVE: [&str; 12] = [
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

/// The values that were changed, each named by its JSON Pointer behind `file#` (RFC 6901 §6); no file is an empty one. None
/// where one side is no JSON.
pub fn changed(action: &'static str, file: &str, before: Option<&[u8]>, after: &[u8]) -> Vec<Deed> {
    // with a byte-order mark, too, the file is in force
    let parse = |text: &[u8]| {
        serde_json::from_slice::<Value>(text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)).ok()
    };
    let (Some(before), Some(after)) = (parse(before.unwrap_or(b"{}")), parse(after)) else {
        return Vec::new();
    };
    let mut found = Found::default();
    found.compare(Some(&before), Some(&after), "", false);
    let Found { different, uncounted } = found;
    let different = in_turns(different);
    let mut deeds: Vec<Deed> = different
        .iter()
        .take(MOST)
        .map(|Difference { at, old, new, is_secret }| {
            let shown = |value: &&Value| shown(value, *is_secret, ours(at).is_some());
            // PostgreSQL has no text with a NUL in it
            let target = shorten(format!("{file}#{at}").replace('\0', "\\u0000"));
            Deed { action, target, before: old.as_ref().map(shown), after: new.as_ref().map(shown) }
        })
        .collect();
    let rest = different.get(MOST..).unwrap_or_default();
    if !rest.is_empty() || uncounted > 0 {
        let after = Some(shorten(the_rest(rest, uncounted)));
        deeds.push(Deed { action, target: format!("{file}#"), before: None, after });
    }
    deeds
}

/// What is ours, then the rest; of ours some of each section, and there some of each list: many values in one do not hide
/// what was changed in another.
fn in_turns(different: Vec<Difference<'_>>) -> Vec<Difference<'_>> {
    let count = different.len();
    let mut lists: HashMap<String, usize> = HashMap::new();
    let mut sections: BTreeMap<(bool, String), Vec<(usize, Difference<'_>)>> = BTreeMap::new();
    for one in different {
        let list = one.at.rsplit_once('/').map_or("", |(list, _)| list);
        let turn = lists.entry(list.to_owned()).or_default();
        let section = ours(&one.at);
        let section = (section.is_none(), section.unwrap_or_default().to_owned());
        sections.entry(section).or_default().push((*turn, one));
        *turn += 1;
    }
    let mut turns = Vec::with_capacity(count);
    for ((others, _), mut values) in sections {
        if count > MOST {
            values.sort_by(|(turn, one), (other_turn, other)| (turn, &one.at).cmp(&(other_turn, &other.at)));
        }
        // all that fit stay in the order of the file
        let turn = |turn| if count > MOST { turn } else { 0 };
        turns.extend(values.into_iter().enumerate().map(|(at, (_, value))| (others, turn(at), value)));
    }
    turns.sort_by_key(|(others, turn, _)| (*others, *turn));
    turns.into_iter().map(|(_, _, one)| one).collect()
}

/// `/Doorward/issuers` of `/Doorward/issuers/0/issuer`.
fn ours(at: &str) -> Option<&str> {
    let name = at.split('/').nth(1)?;
    let steps = at.match_indices('/').map(|(index, _)| index);
    OURS.contains(&name).then(|| steps.skip(1).nth(1).and_then(|end| at.get(..end)).unwrap_or(at))
}

/// How many are not here one by one, and in which sections of ours.
fn the_rest(rest: &[Difference<'_>], uncounted: usize) -> String {
    let mut sections: BTreeMap<&str, usize> = BTreeMap::new();
    for section in rest.iter().filter_map(|one| ours(&one.at)) {
        *sections.entry(section).or_default() += 1;
    }
    let mut said = format!("and {} more values", rest.len() + uncounted);
    for (section, count) in sections {
        let _ = write!(said, ", {count} of them below {section}");
    }
    said
}

/// A value that is another, or on one side only.
struct Difference<'a> {
    /// No longer than what is shown of it.
    at: String,
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    is_secret: bool,
}

#[derive(Default)]
struct Found<'a> {
    different: Vec<Difference<'a>>,
    /// Not ours, and more than anybody reads.
    uncounted: usize,
}

impl<'a> Found<'a> {
    fn compare(&mut self, old: Option<&'a Value>, new: Option<&'a Value>, at: &str, is_secret: bool) {
        let [was, is] = [old, new].map(|value| value.filter(|value| is_leaf(value, at)));
        if was != is {
            if ours(at).is_none() && self.different.len() >= 2 * MOST {
                self.uncounted += 1;
            } else {
                self.different.push(Difference { at: at.to_owned(), old: was, new: is, is_secret });
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
            let is_secret = is_secret || says_secret(&name);
            self.compare(old, new, &pointer(at, &name), is_secret);
        }
    }
}

/// A name may be as long as the file, and have thousands of values below it.
fn pointer(at: &str, name: &str) -> String {
    if at.ends_with(CUT) {
        return at.to_owned();
    }
    let name: String = name.chars().take(LONGEST + 1).collect();
    shorten(format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")))
}

/// Something in which there is nothing more. Of an empty file there is nothing to say.
fn is_leaf(value: &Value, at: &str) -> bool {
    match value {
        Value::Object(members) => members.is_empty() && !at.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn shown(value: &Value, is_secret: bool, is_ours: bool) -> String {
    match value {
        Value::String(_) | Value::Number(_) if is_secret => SECRET.to_owned(),
        Value::String(text) if holds_a_secret(text) => match site(text) {
            Some(site) => shorten(format!("\"{site}/{SECRET}\"")),
            // what is ours holds secrets where it says so, and nobody is to make a secret of a pattern or of a name
            None if is_ours => shorten(value.to_string()),
            None => SECRET.to_owned(),
        },
        value => shorten(value.to_string()),
    }
}

fn says_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let singular = plain.strip_suffix('s').unwrap_or(&plain);
    name.starts_with(governance::SECRET) || SECRETIVE.iter().any(|ending| singular.ends_with(ending))
}

/// `https://name:password@host`, `https://token@host`, `https://host/?api_key=…`, `jdbc:…;password=…`
fn holds_a_secret(text: &str) -> bool {
    let named = |url: Url| !url.username().is_empty() || url.password().is_some();
    let pairs = || text.split(['?', '&', ';']).filter_map(|pair| pair.split_once('='));
    text.contains("://") && Url::parse(text).is_ok_and(named) || pairs().any(|(name, _)| says_secret(name))
}

/// Of an address that holds a secret: whom we ask and where we send people is for everybody to read.
fn site(text: &str) -> Option<String> {
    let site = Url::parse(text).ok()?.origin();
    site.is_tuple().then(|| site.ascii_serialization())
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> String {
        let deeds = changed("replace", "f", Some(before.as_bytes()), after.as_bytes());
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        let lines = deeds
            .iter()
            .map(|deed| format!("{} {} > {}", deed.target, side(&deed.before), side(&deed.after)));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn only_what_is_different_each_value_by_its_pointer() {
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
        assert_eq!(changed("replace", "f", None, b"{\"a\": null}").len(), 1);
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
            ("jdbc:mysql://host/db?user=me&password=pw", SECRET),
            ("Server=host;User=me;Password=pw", SECRET),
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

    /// Attack: an issuer, a page to sign in at and a pattern are written so that they look like secrets.
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

    /// Attack: what counts is changed together with so much else that the record ends before it.
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

    /// Attack: a byte-order mark, which the reader of these files passes over.
    #[test]
    fn attack_a_file_that_is_in_force_and_not_compared() {
        for (before, after) in [("{}", "\u{feff}{\"a\": 1}"), ("\u{feff}{}", "{\"a\": 1}")] {
            assert_eq!(told(before, after), "f#/a - > 1");
        }
        assert_eq!(told("{}", r#"{"a\u0000b": "\u0000"}"#), r#"f#/a\u0000b - > "\u0000""#);
    }

    /// Attack: the pointer of each of many values below a name that is half of the file.
    #[test]
    fn attack_a_name_that_fills_the_memory() {
        let items = vec!["1"; 200_000].join(",");
        let text = format!("{{\"{}\": [{items}]}}", "k".repeat(500_000));
        let deeds = changed("replace", "f", None, text.as_bytes());
        assert_eq!(deeds.last().unwrap().after.as_deref(), Some("and 199800 more values"));
    }

    #[test]
    fn attack_a_file_that_fills_the_audit() {
        let many: Vec<usize> = (0..1000).collect();
        let deeds = changed("replace", "f", Some(b"[]"), serde_json::to_string(&many).unwrap().as_bytes());
        assert_eq!(deeds.len(), MOST + 1);
        assert_eq!(deeds.last().unwrap().after.as_deref(), Some("and 801 more values"));
        let long = format!("{{\"{}\": \"{}\"}}", "k".repeat(9000), "é".repeat(9000));
        let deed = changed("replace", "f", Some(b"{\"a\": 1}"), long.as_bytes()).pop().unwrap();
        assert_eq!(
            (deed.target.chars().count(), deed.after.unwrap().chars().count()),
            (LONGEST + 1, LONGEST + 1)
        );
    }
}
