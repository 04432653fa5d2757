//! State shared by many requests: limits per client, queues, and the budget of buffered bytes.

mod buffer_budget;
mod burst_queue;
pub mod client_limits;
mod fair_queue;
mod permit_queue;
mod single_flight;

pub use self::{
    buffer_budget::{
        BufferBudget, MAX_UNREAD_BODY_BYTES, STALLED_CONNECTION_BYTES, STALLED_STREAM_BYTES, StalledAnswer,
    },
    burst_queue::BurstQueue,
    fair_queue::{FairQueue, QueuePosition},
    single_flight::{FlightPermit, SingleFlight},
};
