//! Looks up passwords in lists of data breaches without disclosing them: the request contains the first five digits
//! of the SHA-1, the response all matching suffixes with their counts (k-anonymity, as in Have I Been Pwned).

use super::{PasswordRule, Violation};

/// How a policy evaluates the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreachPolicy {
    /// A password with at most this many occurrences is accepted.
    pub max_occurrences: u64,
    /// Reject passwords if the lookup fails. Otherwise they are accepted unchecked, and a metric counts it.
    pub required: bool,
}

impl BreachPolicy {
    /// `seen`: the occurrences of the password in breaches; `None` if the lookup failed.
    pub fn violation(self, seen: Option<u64>) -> Option<Violation> {
        match seen {
            Some(seen) => {
                (seen > self.max_occurrences).then_some(Violation::Broken(PasswordRule::NotBreached))
            }
            None => self.required.then_some(Violation::Unchecked),
        }
    }
}

/// The two halves of a password's SHA-1, in upper-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct RangeQuery {
    prefix: String,
    suffix: String,
}

/// The response is not a list of suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response is not a list of hash suffixes and counts")]
pub struct InvalidRangeResponse;

impl RangeQuery {
    pub fn new(sha1: [u8; 20]) -> Self {
        let digits = u128::from_be_bytes(std::array::from_fn(|i| sha1.get(i).copied().unwrap_or(0)));
        let rest = u32::from_be_bytes(std::array::from_fn(|i| sha1.get(16 + i).copied().unwrap_or(0)));
        let mut prefix = format!("{digits:032X}{rest:08X}");
        let suffix = prefix.split_off(5);
        Self { prefix, suffix }
    }

    /// The five digits of the request.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The occurrences of the password, from lines of the form `SUFFIX:COUNT`. Padding lines have the count
    /// 0.
    pub fn occurrences(&self, body: &str) -> Result<u64, InvalidRangeResponse> {
        let mut seen = 0_u64;
        let mut lines = 0_usize;
        for line in body.lines().filter(|line| !line.trim().is_empty()) {
            let (suffix, count) = line.trim().split_once(':').ok_or(InvalidRangeResponse)?;
            if suffix.len() != self.suffix.len() || !suffix.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(InvalidRangeResponse);
            }
            let count: u64 = count.trim().parse().map_err(|_| InvalidRangeResponse)?;
            if suffix.eq_ignore_ascii_case(&self.suffix) {
                seen = seen.max(count);
            }
            lines += 1;
        }
        if lines == 0 { Err(InvalidRangeResponse) } else { Ok(seen) }
    }
}

impl std::fmt::Debug for RangeQuery {
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
    fn sends_only_five_digits_of_the_hash() {
        let query = RangeQuery::new(SHA1);
        assert_eq!(query.prefix(), "5BAA6");
        assert_eq!(query.suffix, "1E4C9B93F3F0682250B6CF8331B7EE68FD8");
        assert_eq!(format!("{query:?}"), "Query(5BAA6…)");
        assert_eq!(RangeQuery::new([0; 20]).suffix.len(), 35);
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
            (String::new(), Err(InvalidRangeResponse)),
            ("<html>no such page</html>".to_owned(), Err(InvalidRangeResponse)),
            (mine.to_owned(), Err(InvalidRangeResponse)),
            (format!("{mine}:many"), Err(InvalidRangeResponse)),
            (format!("{mine}:-1"), Err(InvalidRangeResponse)),
            (format!("5BAA6{mine}:1"), Err(InvalidRangeResponse)),
            (format!("{other}:3\nerror: quota\n"), Err(InvalidRangeResponse)),
        ] {
            assert_eq!(RangeQuery::new(SHA1).occurrences(&body), seen, "{body}");
        }
    }

    #[test]
    fn missing_answer_is_rejected_only_if_required() {
        let broken = Some(Violation::Broken(PasswordRule::NotBreached));
        for (tolerated, required, seen, violation) in [
            (0, false, Some(0), None),
            (0, false, Some(1), broken.clone()),
            (10, false, Some(10), None),
            (10, false, Some(11), broken),
            (0, false, None, None),
            (0, true, None, Some(Violation::Unchecked)),
        ] {
            assert_eq!(
                BreachPolicy { max_occurrences: tolerated, required }.violation(seen),
                violation,
                "{tolerated} {required} {seen:?}"
            );
        }
    }
}
