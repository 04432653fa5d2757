//! Groups failed writes and lost records into incidents: each is reported when it begins, when its reason changes, and when
//! it has ended.

use std::time::{Duration, Instant};

/// An incident has ended when nothing has failed for this long: a reader that is always a little too slow is one incident.
const QUIET: Duration = Duration::from_secs(2);
/// The minimum time between two reports of one incident; it is reported again only if the reason has changed.
const REPEAT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct IncidentTracker {
    open: Option<OngoingIncident>,
    /// Records lost up to the last observation.
    lost: u64,
}

#[derive(Debug)]
struct OngoingIncident {
    since: Instant,
    last: Instant,
    lost_before: u64,
    /// The time of the last report, and the failure in it.
    reported: Instant,
    failure: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum IncidentReport {
    /// The log cannot be written; the reason is the current one.
    Cannot,
    Ended {
        lost: u64,
        lasted: Duration,
    },
}

impl IncidentTracker {
    /// `lost` records are already reported.
    pub fn after(lost: u64) -> Self {
        Self { open: None, lost }
    }

    /// `failure`: why the target could not be written; `lost`: all records ever lost.
    pub fn observe(&mut self, failure: Option<&str>, lost: u64, now: Instant) -> Option<IncidentReport> {
        let lost_before = std::mem::replace(&mut self.lost, lost);
        let is_failure = failure.is_some() || lost > lost_before;
        match &mut self.open {
            None if is_failure => {
                let failure = failure.map(str::to_owned);
                self.open =
                    Some(OngoingIncident { since: now, last: now, lost_before, reported: now, failure });
                Some(IncidentReport::Cannot)
            }
            None => None,
            Some(open) if is_failure => {
                open.last = now;
                let is_other = failure.is_some() && failure != open.failure.as_deref();
                if !is_other || now.saturating_duration_since(open.reported) < REPEAT {
                    return None;
                }
                open.reported = now;
                open.failure = failure.map(str::to_owned);
                Some(IncidentReport::Cannot)
            }
            Some(open) if now.saturating_duration_since(open.last) < QUIET => None,
            Some(open) => {
                let ended = IncidentReport::Ended {
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

    /// Observations by second: the failure, and all records ever lost.
    fn check(observed: &[(u64, Option<&str>, u64, Option<IncidentReport>)]) {
        let start = Instant::now();
        let mut incident = IncidentTracker::after(7);
        for (second, failure, lost, report) in observed {
            let now = start + Duration::from_secs(*second);
            assert_eq!(incident.observe(*failure, *lost, now), *report, "second {second}");
        }
    }

    fn ended(lost: u64, seconds: u64) -> IncidentReport {
        IncidentReport::Ended { lost, lasted: Duration::from_secs(seconds) }
    }

    #[test]
    fn reports_begin_and_end_of_each_incident_once() {
        let full = Some("disk full");
        check(&[
            (0, None, 7, None),
            (1, full, 7, Some(IncidentReport::Cannot)),
            (2, full, 9, None),
            (3, None, 9, None),
            (4, None, 10, None),
            (5, None, 10, None),
            (6, None, 10, Some(ended(3, 3))),
            (7, None, 10, None),
            (8, None, 11, Some(IncidentReport::Cannot)),
            (10, None, 11, Some(ended(1, 0))),
        ]);
    }

    #[test]
    fn an_incident_with_another_reason_is_reported_again() {
        let (refused, certificate) = (Some("connection refused"), Some("certificate expired"));
        check(&[
            (0, None, 8, Some(IncidentReport::Cannot)),
            (1, refused, 8, None),
            (10, refused, 8, Some(IncidentReport::Cannot)),
            (11, certificate, 8, None),
            (19, refused, 8, None),
            (20, certificate, 8, Some(IncidentReport::Cannot)),
            (21, None, 9, None),
            (31, certificate, 9, None),
        ]);
    }
}
