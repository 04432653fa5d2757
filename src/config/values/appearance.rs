//! Values for the appearance of pages, colours and images; and the log filter.

use crate::{
    config::text_form::{InvalidValue, TextForm},
    domain::colour::{Colour, TEXT_CONTRAST},
};

use super::web::web_url;

/// `#rrggbb`, dark enough to be read on white and to carry white text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accent(pub String);

impl TextForm for Accent {
    const EXPECTED: &'static str = "a colour \"#rrggbb\" with a contrast of at least 4.5 to white";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let colour =
            Colour::parse(written).map_err(|_| InvalidValue::new(format!("{written:?} is not a colour")))?;
        let contrast = colour.contrast(Colour::WHITE);
        if contrast < TEXT_CONTRAST {
            // rounded down: 4.49 must not be shown as 4.5
            let shown = (contrast * 10.0).floor() / 10.0;
            return Err(InvalidValue::new(format!("{written:?} has a contrast of only {shown:.1} to white")));
        }
        Ok(Self(colour.to_string()))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// An image on our own origin, or elsewhere over https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(pub String);

impl TextForm for Image {
    const EXPECTED: &'static str = "an absolute path such as \"/logo.svg\", or an https:// URL of an image";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let bad =
            || InvalidValue::new(format!("{written:?} is neither an absolute path nor an https:// URL"));
        let path = written.starts_with('/')
            && !written.starts_with("//")
            && written.bytes().all(|b| b.is_ascii_graphic() && !b"\\\"'<>".contains(&b));
        if path || web_url(written).is_ok_and(|url| url.scheme() == "https") {
            Ok(Self(written.to_owned()))
        } else {
            Err(bad())
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// A filter of `tracing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(pub String);

impl TextForm for LogFilter {
    const EXPECTED: &'static str = "a level (\"error\", \"warn\", \"info\", \"debug\", \"trace\", \"off\") or a filter such as \"info,doorward::token=debug\"";

    fn from_text(written: &str) -> Result<Self, InvalidValue> {
        let directives_fit = written.split(',').all(|directive| {
            let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
            ["error", "warn", "info", "debug", "trace", "off"]
                .contains(&level.trim().to_ascii_lowercase().as_str())
        });
        if directives_fit && written.parse::<tracing_subscriber::EnvFilter>().is_ok() {
            Ok(Self(written.to_owned()))
        } else {
            Err(InvalidValue::new(format!("{written:?} is not a log level or filter")))
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accent_that_cannot_be_read_is_refused() {
        for (written, fits) in [
            ("#1d4ed8", true),
            ("#000000", true),
            ("#767676", true),
            ("#777777", false),
            ("#ffff00", false),
            ("#fff", false),
            ("red", false),
            ("#12345g", false),
            ("#+12345", false),
        ] {
            assert_eq!(Accent::from_text(written).is_ok(), fits, "{written}");
        }
        assert_eq!(Accent::from_text("#1D4ED8"), Ok(Accent("#1d4ed8".into())), "written in one way");
        // 4.48 is not enough, and must not be shown as 4.5
        assert!(Accent::from_text("#777777").unwrap_err().to_string().contains("only 4.4 "));
    }

    #[test]
    fn images_cannot_carry_script() {
        for written in ["/logo.svg", "https://cdn.example.com/logo.png"] {
            assert!(Image::from_text(written).is_ok(), "{written}");
        }
        for written in [
            "",
            "logo.svg",
            "//evil.example/x",
            "javascript:alert(1)",
            "data:image/svg+xml,x",
            "/a\"b",
            "http://a/b",
        ] {
            assert!(Image::from_text(written).is_err(), "{written}");
        }
    }

    #[test]
    fn log_filter_is_a_level_or_directives() {
        for (written, fits) in
            [("info", true), ("info,doorward::token=debug", true), ("loud", false), ("", false)]
        {
            assert_eq!(LogFilter::from_text(written).is_ok(), fits, "{written}");
        }
    }
}
