//! Relative time ("5 minutes ago"), with the exact timestamp.

use std::time::Duration;

use fluent_bundle::FluentArgs;
use minijinja::{Value, context};

use crate::{
    domain::time::{Timestamp, millis},
    web::i18n::Locale,
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// "5 minutes ago". A clock that went back is "just now".
pub fn time_ago(locale: &Locale, then: Timestamp, now: Timestamp) -> String {
    let passed = now.saturating_since(then);
    let units = [("ago-days", DAY), ("ago-hours", HOUR), ("ago-minutes", MINUTE)];
    let Some((key, unit)) = units.into_iter().find(|(_, unit)| passed >= *unit) else {
        return locale.plain("ago-now");
    };
    let mut arguments = FluentArgs::new();
    arguments.set("count", millis(passed) / millis(unit));
    locale.text(key, &arguments)
}

/// For the template: `ago`, `exact` (for machines) and `shown` (for people).
pub fn time_values(locale: &Locale, then: Timestamp, now: Timestamp) -> Value {
    let at = jiff::Timestamp::try_from(then).ok();
    context! {
        ago => time_ago(locale, then, now),
        exact => at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        shown => at.map(|at| at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::i18n::Texts;

    #[test]
    fn elapsed_time_uses_the_largest_unit() {
        let locale = Texts::new(None).locale("en");
        let now = Timestamp::from_seconds(1_800_000_000);
        for (passed, expected) in [
            (Duration::ZERO, "just now"),
            (Duration::from_millis(59_999), "just now"),
            (MINUTE, "a minute ago"),
            (59 * MINUTE, "59 minutes ago"),
            (HOUR, "an hour ago"),
            (23 * HOUR, "23 hours ago"),
            (DAY, "yesterday"),
            (400 * DAY, "400 days ago"),
        ] {
            assert_eq!(time_ago(&locale, now - passed, now), expected);
        }
        assert_eq!(time_ago(&locale, now + HOUR, now), "just now", "a clock that went back");
    }

    #[test]
    fn out_of_range_timestamp_is_not_an_error() {
        let value =
            time_values(&Texts::new(None).locale("en"), Timestamp::from_millis(u64::MAX), Timestamp::EPOCH);
        assert!(value.get_attr("exact").unwrap().is_none());
        let value = time_values(&Texts::new(None).locale("en"), Timestamp::EPOCH, Timestamp::EPOCH);
        assert_eq!(value.get_attr("exact").unwrap().to_string(), "1970-01-01T00:00:00Z");
    }
}
