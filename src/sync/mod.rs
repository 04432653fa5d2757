//! What many threads share: limits per client, and the budget of buffered bytes.

mod buffer_budget;
pub mod client_limits;
mod permit_queue;

pub use self::buffer_budget::{
    BufferBudget, MAX_UNREAD_BODY_BYTES, STALLED_ANSWER_BYTES, STALLED_CONNECTION_BYTES,
    STALLED_STREAM_BYTES, StalledAnswer,
};
