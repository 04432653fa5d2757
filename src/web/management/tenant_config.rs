//! A tenant's file over HTTP, as in API Manager: the body replaces the file byte for byte, or nothing changes.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{ApiRequest, body, error::ApiProblem, etag, json_response};
use crate::{
    config::{
        Mistake, Settings,
        check::{TenantFileText, check_tenant_text},
        schema::tenant_conf,
        tenant_file::MAX_BYTES,
    },
    domain::{
        audit::{Actor, AdminAction, diff_json},
        tenant::TenantId,
    },
    governance::AuditTrail,
    http::conditional,
    tenants::{
        TENANT_CONF, TenantLookup, TenantRegistry, folder_of,
        writer::{self, PreparedWrite, TenantWriteError},
    },
};

/// The content for a tenant without a file.
const EMPTY_CONFIG: &[u8] = b"{}";
/// How long to wait for another writer.
const WRITE_LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

pub async fn show(request: &ApiRequest) -> Result<Response<Body>, ApiProblem> {
    let (root, tenant) = (request.settings.tenancy.folder.clone(), request.tenant.clone());
    let read = spawn_blocking(move || writer::read(&root, &tenant)).await;
    let text = match read {
        Ok(Ok(text)) => text.unwrap_or_else(|| EMPTY_CONFIG.to_vec()),
        Ok(Err(error)) => return Err(read_problem(request, &error)),
        Err(_) => return Err(ApiProblem::unavailable()),
    };
    let tag = etag::text_tag(&text);
    if conditional::is_not_modified(&request.headers, &tag) {
        let mut same = with_etag(Response::new(Body::empty()), &tag);
        *same.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(same);
    }
    Ok(with_etag(json_response(text), &tag))
}

pub async fn replace(request: &ApiRequest, body: Body) -> Result<Response<Body>, ApiProblem> {
    let text = body::read_json(&request.headers, body, MAX_BYTES).await?;
    let (settings, tenant, checked) = (Arc::clone(&request.settings), request.tenant.clone(), text.clone());
    let tenants = Arc::clone(&request.parts.0.services.tenants);
    // it may be long, and name other files
    spawn_blocking(move || check(&settings, &tenants, &tenant, &checked))
        .await
        .map_err(|_| ApiProblem::unavailable())??;
    let parts = &request.parts.0;
    let write_guard = parts.write_lock.lock().await;
    let prepared = Arc::new(prepare(request, &text).await?);
    let (records, actor) = (records("tenant-config.replace", prepared.previous(), &text), request.actor());
    request.spend_audit_bytes(records.iter().map(record_size).sum())?;
    record_before_write(request, &actor, &records).await?;
    let to_commit = Arc::clone(&prepared);
    let committed =
        spawn_blocking(move || to_commit.commit()).await.map_err(|_| ApiProblem::unavailable())?;
    if let Err(not_written) = committed {
        let undone = reverted_record(prepared.previous(), &text);
        // a failure to record this is logged
        let _ = record_before_write(request, &actor, &[undone]).await;
        return Err(write_problem(request, not_written));
    }
    AuditTrail::log(&request.tenant, &actor, &records);
    // in force before the response is sent
    let found = parts.services.tenants.refresh(&request.tenant).await;
    drop(write_guard);
    let tag = etag::text_tag(text.as_bytes());
    if let TenantLookup::Tenant(policy) = found
        && let Some(problem) = &policy.problem
    {
        return Err(ApiProblem::new(
            StatusCode::CONFLICT,
            "Not in force.",
            format!("The file has been written and is not in force: {}", messages(problem)),
        ));
    }
    Ok(with_etag(json_response(text), &tag))
}

/// The whole file, by size and tag, and each changed value.
fn records(action: &'static str, before: Option<&[u8]>, text: &str) -> Vec<AdminAction> {
    let after = text.as_bytes();
    let whole_file = AdminAction {
        action,
        target: TENANT_CONF.to_owned(),
        before: before.map(content_summary),
        after: Some(content_summary(after)),
    };
    [whole_file].into_iter().chain(diff_json(action, TENANT_CONF, before, after)).collect()
}

/// The audit record of a change that was recorded and then failed.
fn reverted_record(before: Option<&[u8]>, text: &str) -> AdminAction {
    AdminAction {
        action: "tenant-config.not-replaced",
        target: TENANT_CONF.to_owned(),
        before: Some(content_summary(text.as_bytes())),
        after: before.map(content_summary),
    }
}

/// Bytes that an action takes in the audit records.
fn record_size(action: &AdminAction) -> usize {
    let text = |value: &Option<String>| value.as_ref().map_or(0, String::len);
    action.action.len() + action.target.len() + text(&action.before) + text(&action.after)
}

/// The text may hold secrets: its tag and size identify it.
fn content_summary(text: &[u8]) -> String {
    format!("{} bytes, ETag {}", text.len(), etag::text_tag(text))
}

/// Retries while another process holds the lock.
async fn prepare(request: &ApiRequest, text: &str) -> Result<PreparedWrite, ApiProblem> {
    let deadline = Instant::now() + WRITE_LOCK_TIMEOUT;
    loop {
        let (root, tenant) = (request.settings.tenancy.folder.clone(), request.tenant.clone());
        let (headers, text) = (request.headers.clone(), text.to_owned());
        let prepared = spawn_blocking(move || {
            writer::prepare(&root, &tenant, &text, |now| {
                let tag = etag::text_tag(now.unwrap_or(EMPTY_CONFIG));
                etag::check_preconditions(&headers, &tag, now.is_some())
            })
        })
        .await;
        match prepared {
            Ok(Ok(prepared)) => return Ok(prepared),
            Ok(Err(TenantWriteError::Busy)) if Instant::now() < deadline => sleep(RETRY_INTERVAL).await,
            Ok(Err(not_written)) => return Err(write_problem(request, not_written)),
            Err(_) => return Err(ApiProblem::unavailable()),
        }
    }
}

pub fn schema() -> Response<Body> {
    json_response(tenant_conf().to_string())
}

/// As `doorward check` does once it is the file.
fn check(
    settings: &Settings,
    tenants: &TenantRegistry,
    tenant: &TenantId,
    text: &str,
) -> Result<(), ApiProblem> {
    let folder = folder_of(&settings.tenancy.folder, tenant);
    let other_claimant = |host: &str| tenants.other_claimant(host, tenant);
    let file = folder.join(TENANT_CONF);
    let written = TenantFileText { tenant, file: &file, text };
    let mistakes = check_tenant_text(settings, &written, &other_claimant);
    if mistakes.is_empty() {
        return Ok(());
    }
    // relative names only: absolute paths are not disclosed over HTTP
    let place = format!("{}/", folder.display());
    let messages: Vec<String> =
        mistakes.iter().map(|mistake| messages(mistake).replace(&place, "")).collect();
    Err(ApiProblem::new(StatusCode::BAD_REQUEST, "Invalid tenant configuration.", messages.join("; ")))
}

/// Without the path of the file, which is not disclosed over HTTP.
fn messages(mistake: &Mistake) -> String {
    let place = match (mistake.line, mistake.column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: "),
        _ => String::new(),
    };
    let key = if mistake.key.is_empty() { String::new() } else { format!("{}: ", mistake.key) };
    let remedy = if mistake.remedy.is_empty() { String::new() } else { format!(" ({})", mistake.remedy) };
    format!("{place}{key}{}{remedy}", mistake.message)
}

/// Without an audit record, nothing is written.
async fn record_before_write(
    request: &ApiRequest,
    actor: &Actor,
    actions: &[AdminAction],
) -> Result<(), ApiProblem> {
    let services = &request.parts.0.services;
    let recorded = services.audit.record(&request.tenant, actor, actions, services.clock.now()).await;
    recorded.map_err(|error| {
        let request_id = &request.context.request_id;
        tracing::error!(%error, tenant = %request.tenant, request_id, "change rejected: failed to write its audit record");
        ApiProblem::unavailable()
    })
}

fn write_problem(request: &ApiRequest, not_written: TenantWriteError<ApiProblem>) -> ApiProblem {
    match not_written {
        TenantWriteError::Refused(problem) => problem,
        TenantWriteError::ManagedElsewhere(why) => ApiProblem::new(
            StatusCode::CONFLICT,
            "Managed elsewhere.",
            format!("Nothing has been changed: {why}. Change it where it comes from."),
        ),
        TenantWriteError::ReadOnly => ApiProblem::new(
            StatusCode::FORBIDDEN,
            "Read-only.",
            "Nothing has been changed: Doorward may not write into the folder of the tenants.",
        ),
        TenantWriteError::Busy => ApiProblem::new(
            StatusCode::CONFLICT,
            "Busy.",
            "Nothing has been changed: another process is writing. Try again.",
        ),
        TenantWriteError::Io(error) => {
            tracing::error!(%error, tenant = %request.tenant, request_id = request.context.request_id, "failed to write tenant file");
            ApiProblem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Not written.",
                format!("Nothing has been changed: {}.", error.kind()),
            )
        }
    }
}

fn read_problem(request: &ApiRequest, error: &std::io::Error) -> ApiProblem {
    tracing::error!(%error, tenant = %request.tenant, request_id = request.context.request_id, "failed to read tenant file");
    ApiProblem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Not readable.",
        format!("The tenant's file cannot be read: {}.", error.kind()),
    )
}

fn with_etag(mut response: Response<Body>, tag: &str) -> Response<Body> {
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
