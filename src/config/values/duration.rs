//! Durations: `15m`, `10s`, `500ms`, `1h 30m`.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

use crate::config::text_form::{AsText, InvalidValue, TextForm};

/// Longer waits are typing errors, and would overflow clocks.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// May be zero, where zero means "not at all".
impl TextForm for Duration {
    const EXPECTED: &'static str = "a duration such as \"15m\", \"10s\" or \"500ms\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        if written.trim() == "0" {
            return Ok(Self::ZERO);
        }
        let duration = SpanParser::new()
            .parse_unsigned_duration(written.trim())
            .map_err(|_| InvalidValue::new(format!("{written:?} is not a duration")))?;
        if duration > MAX_DURATION {
            Err(InvalidValue::new(format!("{written:?} is longer than a year")))
        } else {
            Ok(duration)
        }
    }

    fn to_text(&self) -> String {
        let (seconds, nanos) = (self.as_secs(), self.subsec_nanos());
        match (seconds, nanos) {
            (_, 1..) if nanos % 1_000_000 == 0 => format!("{}ms", self.as_millis()),
            (_, 1..) => format!("{}ns", self.as_nanos()),
            (0, 0) => "0s".to_owned(),
            _ if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            _ if seconds % 60 == 0 => format!("{}m", seconds / 60),
            _ => format!("{seconds}s"),
        }
    }
}

/// A duration that cannot be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positive(pub Duration);

impl TextForm for Positive {
    const EXPECTED: &'static str = "a duration longer than zero, such as \"15m\", \"10s\" or \"500ms\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        match Duration::from_text(written)? {
            Duration::ZERO => Err(InvalidValue::new("zero makes no sense here")),
            duration => Ok(Self(duration)),
        }
    }

    fn to_text(&self) -> String {
        self.0.to_text()
    }
}

/// The written duration, or the default.
pub fn duration_or(written: Option<AsText<Duration>>, default: Duration) -> Duration {
    written.map_or(default, |AsText(duration)| duration)
}

/// The written duration, or the default.
pub fn positive_or(written: Option<AsText<Positive>>, default: Duration) -> Duration {
    written.map_or(default, |AsText(duration)| duration.0)
}

/// The written duration, or the one of the layer below.
pub fn positive_or_inherited(written: Option<&AsText<Positive>>, inherited: Duration) -> Duration {
    written.map_or(inherited, |AsText(duration)| duration.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duration_needs_a_unit_and_an_end() {
        for (written, seconds) in
            [("15m", 900.0), ("10s", 10.0), ("500ms", 0.5), ("1h 30m", 5400.0), ("0s", 0.0)]
        {
            let duration = Duration::from_text(written).unwrap();
            assert!((duration.as_secs_f64() - seconds).abs() < 1e-9, "{written}");
        }
        for written in ["", "15", "-5s", "5s ago", "soon", "99999999h", "1e9s"] {
            assert!(Duration::from_text(written).is_err(), "{written:?}");
        }
        assert!(Positive::from_text("0s").is_err());
    }

    proptest! {
        #[test]
        fn durations_round_trip(nanos in 0..31_622_400_000_000_000_u64) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(Duration::from_text(&duration.to_text()), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Duration::from_text(&text);
        }
    }
}
