//! How much work a pattern asks for. The engine counts how often it turns back, and neither the turns of a loop in which it
//! need not nor what each of them costs: that is read off the pattern.

/// A password has so many characters: a loop goes round no more often while it moves on.
const LENGTH: u64 = 256;
/// As many turns back times work, however these are shared out.
const MOST_IN_ALL: u64 = 1_000_000 * LENGTH;
const MOST_BACKTRACKS: u64 = 50_000;
const LEAST_BACKTRACKS: u64 = 50;

/// How often the engine may turn back in a pattern of so much work.
pub(super) fn backtracks(work: u64) -> usize {
    let turns = MOST_IN_ALL.checked_div(work).unwrap_or(MOST_BACKTRACKS);
    usize::try_from(turns.clamp(LEAST_BACKTRACKS, MOST_BACKTRACKS)).unwrap_or(0)
}

/// Of one way through a piece of a pattern.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Its characters, classes and groups, were its counted repetitions written out.
    steps: u64,
    /// It may read more or less, so each step may be looked at for each character.
    varies: bool,
    /// The work of look-arounds. They go over what is read anyway, so a loop round one does all of it for each character.
    looks: u64,
}

impl Part {
    const STEP: Self = Self { steps: 1, varies: false, looks: 0 };

    fn work(self) -> u64 {
        let each = if self.varies { LENGTH } else { 1 };
        self.steps.saturating_mul(each).saturating_add(self.looks)
    }

    fn and(self, next: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(next.steps),
            varies: self.varies || next.varies,
            looks: self.looks.saturating_add(next.looks),
        }
    }

    fn group(self, kind: Group) -> Self {
        match kind {
            Group::Plain => self.and(Self::STEP),
            Group::Look => Self { looks: self.work(), ..Self::STEP },
        }
    }

    fn counted(self, written: &str) -> Self {
        let times = written.split(',').filter_map(|times| times.parse().ok()).max();
        let times: u64 = times.unwrap_or(u64::from(u32::MAX)).max(1);
        let looked = if written.ends_with(',') { times.saturating_add(LENGTH) } else { times };
        Self {
            steps: self.steps.saturating_mul(times),
            varies: self.varies || written.contains(','),
            looks: self.looks.saturating_mul(looked),
        }
    }

    fn looped(self) -> Self {
        Self { varies: true, looks: self.looks.saturating_mul(LENGTH), ..self }
    }
}

#[derive(Debug, Clone, Copy)]
enum Group {
    Plain,
    Look,
}

/// How much there is to do between two turns back, at most: about as many characters are looked at. `pattern` is in the
/// engine's syntax.
pub(super) fn work(pattern: &str) -> u64 {
    let mut chars = pattern.chars().peekable();
    // what there is so far in each group that is open, and what stands last in it
    let mut open: Vec<(Part, Part, Group)> = Vec::new();
    let (mut sum, mut last) = (Part::default(), Part::default());
    while let Some(c) = chars.next() {
        match c {
            '(' => open.push((std::mem::take(&mut sum), std::mem::take(&mut last), opened(&mut chars))),
            ')' => {
                let inner = sum.and(last);
                let (before, left, kind) =
                    open.pop().unwrap_or((Part::default(), Part::default(), Group::Plain));
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
                last.varies = true;
                skip_mode(&mut chars);
            }
            c => {
                sum = sum.and(last);
                last = Part::STEP;
                if c == '[' {
                    skip_class(&mut chars);
                } else if c == '\\' {
                    match chars.next() {
                        Some('x' | 'u' | 'p' | 'P') => skip_braces(&mut chars),
                        // what the group has read may be long
                        Some('1'..='9' | 'k') => last.varies = true,
                        _ => {}
                    }
                }
            }
        }
    }
    sum.and(last).work()
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Behind `(`.
fn opened(chars: &mut Chars<'_>) -> Group {
    if chars.next_if_eq(&'?').is_none() {
        return Group::Plain;
    }
    let mut ahead = chars.clone();
    ahead.next_if_eq(&'<');
    if matches!(ahead.next(), Some('=' | '!')) { Group::Look } else { Group::Plain }
}

/// Behind a quantifier: lazy, or possessive.
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
    fn what_may_be_longer_or_shorter_is_looked_at_for_each_character() {
        for (pattern, expected) in [
            ("ba?", 2 * LENGTH),
            ("a*", LENGTH),
            ("a*?b++", 2 * LENGTH),
            ("a{2,5}", 5 * LENGTH),
            ("a{7,}?", 7 * LENGTH),
            // round and round, but only forward
            ("((a*)*)*", 3 * LENGTH),
            (r"\1", LENGTH),
        ] {
            assert_eq!(work(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_loop_round_a_look_around_does_its_work_each_time() {
        for (pattern, expected) in [
            ("(?==ab)c", 6),
            ("(?!a*)b", 2 * LENGTH + 2),
            ("(?<=a*)b", 3 * LENGTH + 2),
            ("(?:(?!ab)c)*", 4 * LENGTH + 3 * LENGTH),
            ("(?:(?!ab)c)*+", 4 * LENGTH + 3 * LENGTH),
            ("(?=a*){5}", 5 + 5 * 2 * LENGTH),
            ("(?=a*){2,}", 2 * LENGTH + (LENGTH + 2) * 2 * LENGTH),
        ] {
            assert_eq!(work(pattern), expected, "{pattern}");
        }
        let nested = "(?=(?:a(?=(?:a(?=a*))*))*)";
        assert!(work(nested) > LENGTH.pow(3), "{}", work(nested));
    }

    #[test]
    fn the_more_work_the_fewer_turns_back() {
        for (work, expected) in [(0, 50_000), (20, 50_000), (64_000, 4000), (5_120_000, 50), (u64::MAX, 50)] {
            assert_eq!(backtracks(work), expected, "{work}");
        }
    }
}
