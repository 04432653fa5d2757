//! An error and what caused it, in one line of a log.

use std::{error::Error, iter};

/// Some errors say what was wanted; why it failed (refused, no such host, not trusted) only their causes say.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |mut text, cause| {
        let cause = cause.to_string();
        // some causes repeat what they were caused by
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
    fn each_cause_is_said_once() {
        for (said, cause, line) in [
            ("cannot ask", "refused", "cannot ask: refused"),
            ("cannot ask: refused", "refused", "cannot ask: refused"),
        ] {
            assert_eq!(with_causes(&Layer(said, io::Error::other(cause))), line);
        }
    }
}
