//! bare
use std::sync::Arc;
use http::{Request, Response, Version, StatusCode};
use hyper::body::Incoming;
use super::{Worker, ClientConnection, ResponseBody, account::Account, body::RequestBody};

pub async fn handle(worker: &Arc<Worker>, connection: &Arc<ClientConnection>, request: Request<Incoming>) -> Response<ResponseBody> {
    let account = Account::open(Arc::clone(connection), Arc::clone(&worker.gate.metrics));
    let settings = worker.gate.settings.load();
    let upstream = settings.portal.upstreams.first().unwrap_or_else(|| std::process::abort());
    let portal = worker.portals.get(upstream).unwrap_or_else(|_| std::process::abort());
    let (mut parts, body) = request.into_parts();
    parts.version = Version::HTTP_11;
    let request = Request::from_parts(parts, RequestBody::new(body, upstream.idle_timeout));
    match portal.forward(request).await {
        Ok(answer) => answer.map(|b| b.with_account(account)),
        Err(error) => { tracing::warn!(%error, "x"); let mut r = Response::new(ResponseBody::empty().with_account(account)); *r.status_mut() = StatusCode::BAD_GATEWAY; r }
    }
}
