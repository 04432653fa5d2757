//! What the client gets when the portal gave no answer, and what is logged and counted.

use std::time::Duration;

use http::StatusCode;

use super::{
    Worker, answer::Refusal, judge::Judgement, overload::Overload, request_body::ClientFault,
    upstream::ForwardError,
};
use crate::{
    clock,
    config::model::Target,
    domain::fairness::{Limit, Resource},
    telemetry::metrics::PortalError,
};

/// The portal gave no answer that counts.
pub struct NoAnswer {
    pub refusal: Refusal,
    /// The portal may have seen the request all the same, and acted on it.
    pub may_have_arrived: bool,
}

impl NoAnswer {
    pub(super) fn because(
        worker: &Worker,
        target: &Target,
        judgement: &Judgement,
        error: &ForwardError,
    ) -> Self {
        const SOON: Duration = Duration::from_secs(1);
        let may_have_arrived = match error {
            ForwardError::ClientShare => {
                let limit = Limit::Held(Resource::UpstreamConnection);
                let refusal = Refusal::ClientLimit { limit, retry_after: SOON };
                return Self { refusal, may_have_arrived: false };
            }
            ForwardError::Connect(_) | ForwardError::ConnectTimeout | ForwardError::TooMany => false,
            ForwardError::AnswerTimeout | ForwardError::Broken(_) | ForwardError::Upgrade => true,
        };
        Self { refusal: portal_failed(worker, target, judgement, error), may_have_arrived }
    }
}

impl From<NoAnswer> for Refusal {
    fn from(none: NoAnswer) -> Self {
        none.refusal
    }
}

impl From<ClientFault> for Refusal {
    fn from(fault: ClientFault) -> Self {
        match fault {
            ClientFault::Malformed => Self::BadRequest("the body of the request is malformed or incomplete"),
            ClientFault::Idle => Self::Unclear {
                status: StatusCode::REQUEST_TIMEOUT,
                detail: "the body of the request came too slowly, or stopped",
            },
        }
    }
}

/// Counted always, and in the log as often as an operator can read it.
pub(super) fn portal_failed(
    worker: &Worker,
    target: &Target,
    judgement: &Judgement,
    error: &ForwardError,
) -> Refusal {
    let kind = match error {
        ForwardError::Connect(_) => PortalError::connect,
        ForwardError::ConnectTimeout => PortalError::connect_timeout,
        ForwardError::TooMany | ForwardError::ClientShare => PortalError::too_many,
        ForwardError::AnswerTimeout => PortalError::answer_timeout,
        ForwardError::Broken(_) => PortalError::broken,
        ForwardError::Upgrade => PortalError::upgrade,
    };
    let metrics = &worker.gate.metrics;
    metrics.count_portal_error(kind);
    if let Some(left_out) = metrics.portal_error_line(kind, clock::now()) {
        let request_id = judgement.caller.request_id.to_str().unwrap_or_default();
        let left_out = Some(left_out).filter(|lines| *lines > 0);
        tracing::warn!(upstream = %target, %error, request_id, left_out, "the portal gave no answer");
    }
    match error {
        ForwardError::TooMany => Refusal::Overloaded(Overload::Total(Resource::UpstreamConnection)),
        error if error.is_timeout() => Refusal::PortalSlow,
        _ => Refusal::PortalDown,
    }
}
