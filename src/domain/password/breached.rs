//! Passwords known from data breaches, asked for without telling them: the first five digits of the SHA-1 go out, all
//! suffixes with their counts come back, and the comparison is made here (k-anonymity, as Have I Been Pwned does it).

use super::{Rule, Violation};

/// What a policy makes of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breached {
    /// A password seen this often is still taken.
    pub tolerated: u64,
    /// Without an answer no password is taken. Otherwise it is taken unchecked, and a metric says so.
    pub required: bool,
}

impl Breached {
    /// `seen`: how often the password was in a breach; `None` without an answer.
    pub fn violation(self, seen: Option<u64>) -> Option<Violation> {
        match seen {
            Some(seen) => (seen > self.tolerated).then_some(Violation::Broken(Rule::NotBreached)),
            None => self.required.then_some(Violation::Unchecked),
        }
    }
}

/// The two halves of a password's SHA-1, in upper-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Query {
    prefix: String,
    suffix: String,
}

/// The body is no list of suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no list of hash suffixes and counts")]
pub struct BadAnswer;

impl Query {
    pub fn new(sha1: [u8; 20]) -> Self {
        let digits = u128::from_be_bytes(std::array::from_fn(|i| sha1.get(i).copied().unwrap_or(0)));
        let rest = u32::from_be_bytes(std::array::from_fn(|i| sha1.get(16 + i).copied().unwrap_or(0)));
        let mut prefix = format!("{digits:032X}{rest:08X}");
        let suffix = prefix.split_off(5);
        Self { prefix, suffix }
    }

    /// The five digits that go out.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How often the password was seen, out of lines of the form `SUFFIX:COUNT`. Lines that were added as padding have
    /// the count 0.
    pub fn seen(&self, body: &str) -> Result<u64, BadAnswer> {
        let mut seen = 0_u64;
        let mut lines = 0_usize;
        for line in body.lines().filter(|line| !line.trim().is_empty()) {
            let (suffix, count) = line.trim().split_once(':').ok_or(BadAnswer)?;
            if suffix.len() != self.suffix.len() || !suffix.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(BadAnswer);
            }
            let count: u64 = count.trim().parse().map_err(|_| BadAnswer)?;
            if suffix.eq_ignore_ascii_case(&self.suffix) {
                seen = seen.max(count);
            }
            lines += 1;
        }
        if lines == 0 { Err(BadAnswer) } else { Ok(seen) }
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Query({}…)", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-1 of "password".
    const SHA1: [u8; 20] = [
        0x5b, 0xaa, 0x61, 0xe4, 0xc9, 0xb9, 0x3f, 0x3f, 0x06, 0x82, 0x25, 0x0b, 0x6c, 0xf8, 0x33, 0x1b, 0x7e,
        0xe6, 0x8f, 0xd8,
    ];

    #[test]
    fn five_digits_go_out_and_no_more() {
        let query = Query::new(SHA1);
        assert_eq!(query.prefix(), "5BAA6");
        assert_eq!(query.suffix, "1E4C9B93F3F0682250B6CF8331B7EE68FD8");
        assert_eq!(format!("{query:?}"), "Query(5BAA6…)");
        assert_eq!(Query::new([0; 20]).suffix.len(), 35);
    }

    #[test]
    fn the_suffix_is_looked_for_in_the_answer() {
        let mine = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";
        let other = "003D68EB55068C33ACE09247EE4C639306B";
        for (body, seen) in [
            (format!("{other}:3\r\n{mine}:9545824\r\n"), Ok(9_545_824)),
            (format!("{other}:3\n{}:2\n\n", mine.to_lowercase()), Ok(2)),
            (format!("{other}:3"), Ok(0)),
            // padding that happens to be ours
            (format!("{mine}:0\r\n{other}:3"), Ok(0)),
            (format!("{mine}:0\r\n{mine}:3"), Ok(3)),
            (String::new(), Err(BadAnswer)),
            ("<html>no such page</html>".to_owned(), Err(BadAnswer)),
            (mine.to_owned(), Err(BadAnswer)),
            (format!("{mine}:many"), Err(BadAnswer)),
            (format!("{mine}:-1"), Err(BadAnswer)),
            (format!("5BAA6{mine}:1"), Err(BadAnswer)),
            (format!("{other}:3\nerror: quota\n"), Err(BadAnswer)),
        ] {
            assert_eq!(Query::new(SHA1).seen(&body), seen, "{body}");
        }
    }

    #[test]
    fn the_policy_decides_what_no_answer_means() {
        let broken = Some(Violation::Broken(Rule::NotBreached));
        for (tolerated, required, seen, violation) in [
            (0, false, Some(0), None),
            (0, false, Some(1), broken.clone()),
            (10, false, Some(10), None),
            (10, false, Some(11), broken),
            (0, false, None, None),
            (0, true, None, Some(Violation::Unchecked)),
        ] {
            assert_eq!(
                Breached { tolerated, required }.violation(seen),
                violation,
                "{tolerated} {required} {seen:?}"
            );
        }
    }
}
