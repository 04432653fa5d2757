//! HTTP/1.1 client for the portal (RFC 9112).
//!
//! Own code, because it is half of the cost of a forwarded request: one task drives the client's connection and the
//! portal's, so that nothing is passed between tasks (`docs/PERFORMANCE.md`). `httparse` parses the heads. An
//! ambiguous response closes the connection and results in a 502.

pub(crate) mod chunked;
mod reader;
mod request;
pub(crate) mod response_head;
#[cfg(test)]
mod tests;
mod upload;

use std::io;

pub use self::{
    reader::ResponseReader,
    request::{RequestFraming, write_body, write_head},
    response_head::{Framing, ResponseHead},
    upload::{BodyFrames, UploadExchange, send},
};

/// The fault of a portal's response.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("closed in the middle of an answer")]
    Closed,
    #[error("closed without an answer")]
    NoResponse,
    #[error("not an HTTP/1 answer: {0}")]
    Malformed(&'static str),
    #[error("the upload broke off")]
    Upload,
}
