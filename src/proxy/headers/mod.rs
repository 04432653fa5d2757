//! Headers that Doorward writes: user and client address for the portal; and response headers of the portal that are not
//! for the browser.

mod forwarding;
mod identity;
mod response;

use http::HeaderValue;

pub use self::{
    forwarding::ForwardingHeaders,
    identity::{IdentityHeaders, identity_headers},
    response::{clean_response, clean_response_trailers, mark_private},
};

fn header_value(text: String) -> Option<HeaderValue> {
    let trimmed = text.trim() == text && !text.is_empty();
    trimmed.then(|| HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()).flatten()
}
