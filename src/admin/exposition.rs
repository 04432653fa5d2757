//! The two formats of metrics: OpenMetrics 1.0, and the Prometheus text format 0.0.4 for scrapers and programs that do not
//! ask for the former. Pure.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsFormat {
    OpenMetrics,
    PrometheusText,
}

impl MetricsFormat {
    /// OpenMetrics where the `Accept` header names it.
    pub fn negotiate(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges = values.flat_map(|value| value.split(',')).map(|range| {
            let media_type = range.split(';').next().unwrap_or_default();
            media_type.trim()
        });
        if ranges.any(|range| range.eq_ignore_ascii_case("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::PrometheusText
        }
    }

    pub const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::PrometheusText => "text/plain; version=0.0.4; charset=utf-8",
        })
    }

    /// `metrics` in this format; it is written in OpenMetrics.
    pub fn render(self, metrics: String) -> String {
        match self {
            Self::OpenMetrics => metrics,
            Self::PrometheusText => to_prometheus_text(&metrics),
        }
    }
}

/// OpenMetrics names a counter and an info without the suffix of its samples, the text format with it.
fn to_prometheus_text(metrics: &str) -> String {
    let mut text = String::with_capacity(metrics.len());
    let mut help = None;
    for line in metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            // writing to a string does not fail
            if let Some((_, help)) = help.take().filter(|(described, _)| *described == name) {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_selects_the_format() {
        use MetricsFormat::{OpenMetrics, PrometheusText};
        for (accept, format) in [
            (&[][..], PrometheusText),
            (&["*/*"], PrometheusText),
            (&["text/plain"], PrometheusText),
            (
                &[
                    "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                OpenMetrics,
            ),
            (&["text/plain", "Application/OpenMetrics-Text"], OpenMetrics),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(MetricsFormat::negotiate(&headers), format, "{accept:?}");
        }
    }

    #[test]
    fn text_format_names_counters_by_their_samples() {
        let metrics = "# HELP requests Requests by outcome.\n# TYPE requests counter\nrequests_total{outcome=\"local\"} 3\n\
                       # HELP build Version.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n\
                       # HELP age_seconds Age.\n# TYPE age_seconds gauge\n# UNIT age_seconds seconds\nage_seconds 2\n# EOF\n";
        insta::assert_snapshot!(to_prometheus_text(metrics), @r#"
        # HELP requests_total Requests by outcome.
        # TYPE requests_total counter
        requests_total{outcome="local"} 3
        # HELP build_info Version.
        # TYPE build_info gauge
        build_info{version="1"} 1
        # HELP age_seconds Age.
        # TYPE age_seconds gauge
        age_seconds 2
        "#);
    }
}
