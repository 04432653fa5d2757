//! How much work a pattern asks for. The engine counts how often it turns back, and neither the turns of a loop in which it
//! need not nor what each of them costs: that is read off the pattern.

/// As many turns back times steps, however these are shared out.
const MOST_WORK: u64 = 1_000_000;
const MOST_BACKTRACKS: u64 = 50_000;
const LEAST_BACKTRACKS: u64 = 200;

/// How often the engine may turn back in a pattern of so many steps.
pub(super) fn backtracks(steps: u64) -> usize {
    let turns = MOST_WORK.checked_div(steps).unwrap_or(MOST_BACKTRACKS);
    usize::try_from(turns.clamp(LEAST_BACKTRACKS, MOST_BACKTRACKS)).unwrap_or(0)
}

/// The characters, classes and groups of a pattern, were its counted repetitions written out. `pattern` is in the engine's
/// syntax.
pub(super) fn steps(pattern: &str) -> u64 {
    let mut chars = pattern.chars().peekable();
    // what there is so far in each group that is open, and what stands last in it
    let mut open: Vec<(u64, u64)> = Vec::new();
    let (mut sum, mut last) = (0_u64, 0_u64);
    while let Some(c) = chars.next() {
        match c {
            '(' => open.push((std::mem::take(&mut sum), std::mem::take(&mut last))),
            ')' => {
                let inner = sum.saturating_add(last).saturating_add(1);
                let (before, left) = open.pop().unwrap_or_default();
                (sum, last) = (before.saturating_add(left), inner);
            }
            '{' => {
                let written: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let times = written.split(',').filter_map(|times| times.parse().ok()).max();
                last = last.saturating_mul(times.unwrap_or(u64::from(u32::MAX)).max(1));
            }
            '*' | '+' | '?' => {}
            c => {
                if c == '[' {
                    skip_class(&mut chars);
                } else if c == '\\' && matches!(chars.next(), Some('x' | 'u' | 'p' | 'P')) {
                    skip_braces(&mut chars);
                }
                sum = sum.saturating_add(last);
                last = 1;
            }
        }
    }
    sum.saturating_add(last)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

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
            (r"a*\.\{b+?", 4),
            (r"[^\]a-z[0-9]]{3}\x{1F511}\p{Lu}\d", 6),
            ("a{2,5}", 5),
            ("a{7,}", 7),
            ("a{0}", 1),
            ("a{3}{4}", 12),
            ("(ab){10}", 30),
            ("x(a(b){10}c){10}y", 232),
            ("((((a{1000}){1000}){1000}){1000}){1000}{99999}{99999}", u64::MAX),
            ("a{99999999999999999999999}", u64::from(u32::MAX)),
        ] {
            assert_eq!(steps(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn the_more_steps_the_fewer_turns_back() {
        for (steps, expected) in [(0, 50_000), (20, 50_000), (250, 4000), (20_000, 200), (u64::MAX, 200)] {
            assert_eq!(backtracks(steps), expected, "{steps}");
        }
    }
}
