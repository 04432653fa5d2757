//! Estimates the work of a pattern. The engine limits backtracks only, neither the iterations of a loop
//! without backtracking nor the cost of each: both are derived from the pattern.

/// Maximum length of a password: a loop that consumes characters has no more iterations.
const MAX_PASSWORD_CHARS: u64 = 256;
/// Limit for backtracks times work per backtrack.
const MAX_TOTAL_WORK: u64 = 1_000_000 * MAX_PASSWORD_CHARS;
const MAX_BACKTRACKS: u64 = 50_000;
const MIN_BACKTRACKS: u64 = 50;

/// The backtrack limit for a pattern with this work.
pub(super) fn backtrack_limit(work: u64) -> usize {
    let turns = MAX_TOTAL_WORK.checked_div(work).unwrap_or(MAX_BACKTRACKS);
    usize::try_from(turns.clamp(MIN_BACKTRACKS, MAX_BACKTRACKS)).unwrap_or(0)
}

/// The cost of one pass through a part of a pattern.
#[derive(Debug, Clone, Copy, Default)]
struct PatternCost {
    /// Its characters, classes and groups, with counted repetitions expanded.
    steps: u64,
    /// Its length varies, so each step may be evaluated for each character.
    is_variable: bool,
    /// The work of lookarounds. They consume nothing, so a loop around one repeats it for each character.
    lookaround_work: u64,
}

impl PatternCost {
    const STEP: Self = Self { steps: 1, is_variable: false, lookaround_work: 0 };

    fn work(self) -> u64 {
        let each = if self.is_variable { MAX_PASSWORD_CHARS } else { 1 };
        self.steps.saturating_mul(each).saturating_add(self.lookaround_work)
    }

    fn and(self, next: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(next.steps),
            is_variable: self.is_variable || next.is_variable,
            lookaround_work: self.lookaround_work.saturating_add(next.lookaround_work),
        }
    }

    fn group(self, kind: GroupKind) -> Self {
        match kind {
            GroupKind::Plain => self.and(Self::STEP),
            GroupKind::Lookaround => Self { lookaround_work: self.work(), ..Self::STEP },
        }
    }

    fn counted(self, written: &str) -> Self {
        let times = written.split(',').filter_map(|times| times.parse().ok()).max();
        let times: u64 = times.unwrap_or(u64::from(u32::MAX)).max(1);
        let looked = if written.ends_with(',') { times.saturating_add(MAX_PASSWORD_CHARS) } else { times };
        Self {
            steps: self.steps.saturating_mul(times),
            is_variable: self.is_variable || written.contains(','),
            lookaround_work: self.lookaround_work.saturating_mul(looked),
        }
    }

    fn looped(self) -> Self {
        Self {
            is_variable: true,
            lookaround_work: self.lookaround_work.saturating_mul(MAX_PASSWORD_CHARS),
            ..self
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum GroupKind {
    Plain,
    Lookaround,
}

/// The maximum work between two backtracks, in evaluated characters. `pattern` is in the syntax of the
/// engine.
pub(super) fn work(pattern: &str) -> u64 {
    let mut chars = pattern.chars().peekable();
    // for each open group: the cost so far, and the cost of its last element
    let mut open: Vec<(PatternCost, PatternCost, GroupKind)> = Vec::new();
    let (mut sum, mut last) = (PatternCost::default(), PatternCost::default());
    while let Some(c) = chars.next() {
        match c {
            '(' => open.push((std::mem::take(&mut sum), std::mem::take(&mut last), group_kind(&mut chars))),
            ')' => {
                let inner = sum.and(last);
                let (before, left, kind) =
                    open.pop().unwrap_or((PatternCost::default(), PatternCost::default(), GroupKind::Plain));
                (sum, last) = (before.and(left), inner.group(kind));
            }
            '{' => {
                let written: String = chars.by_ref().take_while(|c| *c != '}').collect();
                last = last.counted(&written);
                skip_mode(&mut chars);
            }
            '*' | '+' => {
                last = last.looped();
                skip_mode(&mut chars);
            }
            '?' => {
                last.is_variable = true;
                skip_mode(&mut chars);
            }
            c => {
                sum = sum.and(last);
                last = PatternCost::STEP;
                if c == '[' {
                    skip_class(&mut chars);
                } else if c == '\\' {
                    match chars.next() {
                        Some('x' | 'u' | 'p' | 'P') => skip_braces(&mut chars),
                        // the captured text may be long
                        Some('1'..='9' | 'k') => last.is_variable = true,
                        _ => {}
                    }
                }
            }
        }
    }
    sum.and(last).work()
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After `(`.
fn group_kind(chars: &mut Chars<'_>) -> GroupKind {
    if chars.next_if_eq(&'?').is_none() {
        return GroupKind::Plain;
    }
    let mut ahead = chars.clone();
    ahead.next_if_eq(&'<');
    if matches!(ahead.next(), Some('=' | '!')) { GroupKind::Lookaround } else { GroupKind::Plain }
}

/// After a quantifier: lazy or possessive.
fn skip_mode(chars: &mut Chars<'_>) {
    chars.next_if(|c| matches!(c, '?' | '+'));
}

fn skip_class(chars: &mut Chars<'_>) {
    let mut depth = 1;
    while depth > 0 {
        match chars.next() {
            None => return,
            Some('\\') => {
                chars.next();
            }
            Some('[') => depth += 1,
            Some(']') => depth -= 1,
            Some(_) => {}
        }
    }
}

fn skip_braces(chars: &mut Chars<'_>) {
    if chars.peek() == Some(&'{') {
        chars.by_ref().take_while(|c| *c != '}').for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_written_out() {
        for (pattern, expected) in [
            ("", 0),
            ("abc", 3),
            (r"a\.\{b", 4),
            (r"[^\]a-z[0-9]]{3}\x{1F511}\p{Lu}\d", 6),
            ("a{3}", 3),
            ("a{0}", 1),
            ("a{3}{4}", 12),
            ("(ab){10}", 30),
            ("x(a(b){10}c){10}y", 232),
            ("((((a{1000}){1000}){1000}){1000}){1000}{99999}{99999}", u64::MAX),
            ("a{99999999999999999999999}", u64::from(u32::MAX)),
        ] {
            assert_eq!(work(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn variable_length_parts_cost_one_step_per_character() {
        for (pattern, expected) in [
            ("ba?", 2 * MAX_PASSWORD_CHARS),
            ("a*", MAX_PASSWORD_CHARS),
            ("a*?b++", 2 * MAX_PASSWORD_CHARS),
            ("a{2,5}", 5 * MAX_PASSWORD_CHARS),
            ("a{7,}?", 7 * MAX_PASSWORD_CHARS),
            // round and round, but only forward
            ("((a*)*)*", 3 * MAX_PASSWORD_CHARS),
            (r"\1", MAX_PASSWORD_CHARS),
        ] {
            assert_eq!(work(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn repeated_lookaround_multiplies_its_cost() {
        for (pattern, expected) in [
            ("(?==ab)c", 6),
            ("(?!a*)b", 2 * MAX_PASSWORD_CHARS + 2),
            ("(?<=a*)b", 3 * MAX_PASSWORD_CHARS + 2),
            ("(?:(?!ab)c)*", 4 * MAX_PASSWORD_CHARS + 3 * MAX_PASSWORD_CHARS),
            ("(?:(?!ab)c)*+", 4 * MAX_PASSWORD_CHARS + 3 * MAX_PASSWORD_CHARS),
            ("(?=a*){5}", 5 + 5 * 2 * MAX_PASSWORD_CHARS),
            ("(?=a*){2,}", 2 * MAX_PASSWORD_CHARS + (MAX_PASSWORD_CHARS + 2) * 2 * MAX_PASSWORD_CHARS),
        ] {
            assert_eq!(work(pattern), expected, "{pattern}");
        }
        let nested = "(?=(?:a(?=(?:a(?=a*))*))*)";
        assert!(work(nested) > MAX_PASSWORD_CHARS.pow(3), "{}", work(nested));
    }

    #[test]
    fn backtrack_limit_falls_as_work_grows() {
        for (work, expected) in [(0, 50_000), (20, 50_000), (64_000, 4000), (5_120_000, 50), (u64::MAX, 50)] {
            assert_eq!(backtrack_limit(work), expected, "{work}");
        }
    }
}
