//! Formats an error with its sources on one log line.

use std::{error::Error, iter};

/// Some errors state the operation only; the reason (refused, no such host, not trusted) is in their sources.
pub fn with_sources(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |mut text, cause| {
        let cause = cause.to_string();
        // some sources repeat the text of their own source
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] io::Error);

    #[test]
    fn each_source_appears_once() {
        for (said, cause, line) in [
            ("cannot ask", "refused", "cannot ask: refused"),
            ("cannot ask: refused", "refused", "cannot ask: refused"),
        ] {
            assert_eq!(with_sources(&Layer(said, io::Error::other(cause))), line);
        }
    }
}
