//! HTTP/1.1 as we speak it with the portal (RFC 9112).
//!
//! Of our own, because it is half of what a forwarded request costs: one task drives the client's connection and the
//! portal's, so that nothing has to be handed from task to task (`docs/PERFORMANCE.md`). `httparse` reads the heads. Whatever
//! could be read in two ways ends the connection and is a 502.

pub(crate) mod answer;
pub(crate) mod chunked;
mod reader;
mod request;
#[cfg(test)]
mod tests;
mod upload;

use std::io;

pub use self::{
    answer::{Answer, Framing},
    reader::Reader,
    request::{Sent, write_body, write_head},
    upload::{Frames, Upload, send},
};

/// What is wrong with a portal's answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("closed in the middle of an answer")]
    Closed,
    #[error("closed without an answer")]
    NoAnswer,
    #[error("not an HTTP/1 answer: {0}")]
    Malformed(&'static str),
    #[error("the upload broke off")]
    Upload,
}
