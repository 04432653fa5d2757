//! Groups failed writes and lost records into incidents: each is reported once when it begins and once when it has ended.

use std::time::{Duration, Instant};

/// An incident has ended when nothing has failed for this long: a reader that is always a little too slow is one incident.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub struct Incident {
    open: Option<Open>,
    /// Records lost up to the last observation.
    lost: u64,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    last: Instant,
    lost_before: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Report {
    Began,
    Ended { lost: u64, lasted: Duration },
}

impl Incident {
    /// `lost` records are already reported.
    pub fn after(lost: u64) -> Self {
        Self { open: None, lost }
    }

    /// `failed`: the target could not be written; `lost`: all records ever lost.
    pub fn observe(&mut self, failed: bool, lost: u64, now: Instant) -> Option<Report> {
        let lost_before = std::mem::replace(&mut self.lost, lost);
        let bad = failed || lost > lost_before;
        match &mut self.open {
            None if bad => {
                self.open = Some(Open { since: now, last: now, lost_before });
                Some(Report::Began)
            }
            None => None,
            Some(open) if bad => {
                open.last = now;
                None
            }
            Some(open) if now.saturating_duration_since(open.last) < QUIET => None,
            Some(open) => {
                let ended = Report::Ended {
                    lost: lost.saturating_sub(open.lost_before),
                    lasted: open.last.saturating_duration_since(open.since),
                };
                self.open = None;
                Some(ended)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_report_when_an_incident_begins_and_one_when_it_has_ended() {
        let start = Instant::now();
        let mut incident = Incident::after(7);
        let ended = |lost, seconds| Some(Report::Ended { lost, lasted: Duration::from_secs(seconds) });
        for (second, failed, lost, report) in [
            (0, false, 7, None),
            (1, true, 7, Some(Report::Began)),
            (2, true, 9, None),
            (3, false, 9, None),
            (4, false, 10, None),
            (5, false, 10, None),
            (6, false, 10, ended(3, 3)),
            (7, false, 10, None),
            (8, false, 11, Some(Report::Began)),
            (10, false, 11, ended(1, 0)),
        ] {
            let now = start + Duration::from_secs(second);
            assert_eq!(incident.observe(failed, lost, now), report, "second {second}");
        }
    }
}
