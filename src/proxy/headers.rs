//! Headers we write: who the user is and where the request came from, for the portal; and what of the portal's
//! answer is not for the browser.

mod answer;
mod identity;
mod origin;

use http::HeaderValue;

pub use self::{
    answer::{clean_response, clean_response_trailers, mark_private},
    identity::{IdentityHeaders, identity_headers},
    origin::Origin,
};

fn value(text: String) -> Option<HeaderValue> {
    let trimmed = text.trim() == text && !text.is_empty();
    trimmed.then(|| HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()).flatten()
}
