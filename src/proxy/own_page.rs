//! Step 7 for Doorward's own pages: `web` responds; this module collects the context of the request.

use std::{sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, request::Parts};
use tower::ServiceExt;

use super::{
    authenticate::own_origins,
    body::ResponseBody,
    context::RequestContext,
    exchange::Exchange,
    refusal::{Refusal, X_REQUEST_ID},
    request_body::{ArrivingBody, ClientBody, RequestBody},
    upload_watch::UploadLimits,
};
use crate::{
    config::TenantPolicy,
    telemetry::metrics::RequestOutcome,
    web_context::{PageContext, PageRefusal},
};

/// Idle timeout of request bodies sent to Doorward's own pages and APIs.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn respond(
    exchange: &Exchange<'_>,
    context: &RequestContext,
    tenant: &Result<Arc<TenantPolicy>, Refusal>,
    mut parts: Parts,
    body: ArrivingBody,
) -> Response<ResponseBody> {
    let &Exchange { worker, connection, settings, .. } = exchange;
    connection.set_answered_client(&context.client_state);
    parts.headers.insert(X_REQUEST_ID, context.response_context.request_id.clone());
    parts.extensions.insert(PageContext {
        tenant: tenant.as_ref().map(Arc::clone).map_err(Refusal::page),
        address: context.address,
        https: context.client.https,
        own_origins: own_origins(&worker.state, settings, &context.client, &parts.headers),
        several_tenants: worker.state.tenants.has_several_tenants(),
    });
    let body = if body.is_end_stream() {
        axum::body::Body::empty()
    } else {
        let body = ClientBody::Arriving(body);
        let limits = UploadLimits { idle_timeout: BODY_IDLE_TIMEOUT, rate: settings.limits.upload_rate };
        axum::body::Body::new(RequestBody::new(body, parts.version, connection, limits))
    };
    match worker.state.own_pages.clone().oneshot(Request::from_parts(parts, body)).await {
        Ok(response) => response.map(ResponseBody::local),
        Err(never) => match never {},
    }
}

/// The outcome of a response by one of Doorward's own pages.
pub fn outcome_of(refused: Option<&PageRefusal>, status: StatusCode) -> RequestOutcome {
    match refused {
        None => RequestOutcome::local,
        Some(_) if status == StatusCode::TOO_MANY_REQUESTS => RequestOutcome::limited,
        Some(_) => RequestOutcome::unavailable,
    }
}
