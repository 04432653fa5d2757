//! Response, log line and metric for a request that the portal did not answer.

use http::StatusCode;

use super::{
    Worker, admission::limit_reached, context::RequestContext, overload::Overload, refusal::Refusal,
    request_body::ClientFault, upstream::ForwardError,
};
use crate::{
    config::model::UpstreamTarget, domain::fairness::Resource, sync::client_limits::Exceeded,
    telemetry::metrics::PortalError,
};

/// The portal gave no valid response.
pub struct ForwardFailure {
    pub refusal: Refusal,
    /// The portal may have received the request all the same, and acted on it.
    pub may_have_arrived: bool,
}

impl ForwardFailure {
    /// Counts and logs the failure.
    pub(super) fn record(
        worker: &Worker,
        target: &UpstreamTarget,
        context: &RequestContext,
        error: &ForwardError,
    ) -> Self {
        let may_have_arrived = match error {
            ForwardError::ClientLimit => {
                let refusal = limit_reached(Resource::UpstreamConnection, Exceeded::Client);
                return Self { refusal, may_have_arrived: false };
            }
            ForwardError::Connect(_) | ForwardError::ConnectTimeout | ForwardError::TooMany => false,
            ForwardError::AnswerTimeout | ForwardError::Broken(_) | ForwardError::Upgrade => true,
        };
        Self { refusal: record_portal_failure(worker, target, context, error), may_have_arrived }
    }
}

impl From<ForwardFailure> for Refusal {
    fn from(failure: ForwardFailure) -> Self {
        failure.refusal
    }
}

impl From<ClientFault> for Refusal {
    fn from(fault: ClientFault) -> Self {
        match fault {
            ClientFault::Malformed => Self::BadRequest("the body of the request is malformed or incomplete"),
            ClientFault::Idle => Self::Invalid {
                status: StatusCode::REQUEST_TIMEOUT,
                detail: "the body of the request came too slowly, or stopped",
            },
        }
    }
}

/// Counts every failure; the log gets one line a second at most.
pub(super) fn record_portal_failure(
    worker: &Worker,
    target: &UpstreamTarget,
    context: &RequestContext,
    error: &ForwardError,
) -> Refusal {
    let kind = match error {
        ForwardError::Connect(_) => PortalError::connect,
        ForwardError::ConnectTimeout => PortalError::connect_timeout,
        ForwardError::TooMany | ForwardError::ClientLimit => PortalError::too_many,
        ForwardError::AnswerTimeout => PortalError::answer_timeout,
        ForwardError::Broken(_) => PortalError::broken,
        ForwardError::Upgrade => PortalError::upgrade,
    };
    let metrics = &worker.state.metrics;
    metrics.count_portal_error(kind);
    if let Some(suppressed) = metrics.throttle_portal_error_log(kind, worker.state.clock.now()) {
        let request_id = context.request_id();
        let suppressed = Some(suppressed).filter(|lines| *lines > 0);
        tracing::warn!(upstream = %target, %error, request_id, suppressed, "the portal gave no answer");
    }
    match error {
        ForwardError::TooMany => Refusal::Overloaded(Overload::Total(Resource::UpstreamConnection)),
        error if error.is_timeout() => Refusal::PortalSlow,
        _ => Refusal::PortalDown,
    }
}
