//! A tenant's file over HTTP, as API Manager has it: what is sent is the file, byte for byte, or nothing has changed.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{Ask, body, error::Problem, etag, json};
use crate::{
    clock,
    config::{
        Mistake, Settings, TenantDirectory,
        check::in_text,
        directory::{FILE, Found, folder_of},
        schema::tenant_conf,
        tenant_file::MAX_BYTES,
        tenant_write::{self, NotWritten, Prepared},
    },
    domain::{
        audit::{Deed, changed},
        tenant::TenantId,
    },
};

/// What a tenant without a file says.
const NOTHING: &[u8] = b"{}";
/// Others who write have this long to finish.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub async fn show(ask: &Ask) -> Result<Response<Body>, Problem> {
    let (root, tenant) = (ask.settings.tenancy.folder.clone(), ask.tenant.clone());
    let read = spawn_blocking(move || tenant_write::read(&root, &tenant)).await;
    let text = match read {
        Ok(Ok(text)) => text.unwrap_or_else(|| NOTHING.to_vec()),
        Ok(Err(error)) => return Err(unreadable(ask, &error)),
        Err(_) => return Err(Problem::unavailable()),
    };
    let tag = etag::of_text(&text);
    if etag::is_known(&ask.headers, &tag) {
        let mut same = tagged(Response::new(Body::empty()), &tag);
        *same.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(same);
    }
    Ok(tagged(json(text), &tag))
}

pub async fn replace(ask: &Ask, body: Body) -> Result<Response<Body>, Problem> {
    let text = body::text(&ask.headers, body, MAX_BYTES).await?;
    let (settings, tenant, checked) = (Arc::clone(&ask.settings), ask.tenant.clone(), text.clone());
    let tenants = Arc::clone(&ask.site.0.tenants);
    // it may be long, and name other files
    spawn_blocking(move || check(&settings, &tenants, &tenant, &checked))
        .await
        .map_err(|_| Problem::unavailable())??;
    let site = &ask.site.0;
    let turn = site.writing.lock().await;
    let prepared = Arc::new(prepare(ask, &text).await?);
    let (deeds, actor) = (deeds("tenant-config.replace", prepared.before(), &text), ask.actor());
    ask.spend_audit_bytes(deeds.iter().map(size_of_deed).sum())?;
    let recorded = site.doors.record(&ask.tenant, &actor, &deeds, clock::millis()).await;
    recorded.map_err(|_| Problem::unavailable())?;
    let to_commit = Arc::clone(&prepared);
    let committed = spawn_blocking(move || to_commit.commit()).await.map_err(|_| Problem::unavailable())?;
    if let Err(not_written) = committed {
        let undone = undone(prepared.before(), &text);
        // the log tells when this is not on record
        let _ = site.doors.record(&ask.tenant, &actor, &[undone], clock::millis()).await;
        return Err(refused(ask, not_written));
    }
    site.doors.tell(&ask.tenant, &actor, &deeds);
    // in force before anybody hears that it is
    let found = site.tenants.refresh(&ask.tenant).await;
    drop(turn);
    let tag = etag::of_text(text.as_bytes());
    if let Found::Tenant(policy) = found
        && let Some(problem) = &policy.problem
    {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "Not in force.",
            format!("The file has been written and is not in force: {}", told(problem)),
        ));
    }
    Ok(tagged(json(text), &tag))
}

/// The file as a whole, by size and tag, and each value that is another.
fn deeds(action: &'static str, before: Option<&[u8]>, text: &str) -> Vec<Deed> {
    let after = text.as_bytes();
    let whole =
        Deed { action, target: FILE.to_owned(), before: before.map(known_by), after: Some(known_by(after)) };
    [whole].into_iter().chain(changed(action, FILE, before, after)).collect()
}

/// Of what is on record and could not be done.
fn undone(before: Option<&[u8]>, text: &str) -> Deed {
    Deed {
        action: "tenant-config.not-replaced",
        target: FILE.to_owned(),
        before: Some(known_by(text.as_bytes())),
        after: before.map(known_by),
    }
}

/// Bytes that a deed takes in the audit records.
fn size_of_deed(deed: &Deed) -> usize {
    let text = |value: &Option<String>| value.as_ref().map_or(0, String::len);
    deed.action.len() + deed.target.len() + text(&deed.before) + text(&deed.after)
}

/// The text may hold secrets: its tag and its size say which one it was.
fn known_by(text: &[u8]) -> String {
    format!("{} bytes, ETag {}", text.len(), etag::of_text(text))
}

/// Another process has a moment to finish.
async fn prepare(ask: &Ask, text: &str) -> Result<Prepared, Problem> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let (root, tenant) = (ask.settings.tenancy.folder.clone(), ask.tenant.clone());
        let (headers, text) = (ask.headers.clone(), text.to_owned());
        let prepared = spawn_blocking(move || {
            tenant_write::prepare(&root, &tenant, &text, |now| {
                let tag = etag::of_text(now.unwrap_or(NOTHING));
                etag::may_change(&headers, &tag, now.is_some())
            })
        })
        .await;
        match prepared {
            Ok(Ok(prepared)) => return Ok(prepared),
            Ok(Err(NotWritten::Busy)) if Instant::now() < patience => sleep(LOOK_AGAIN).await,
            Ok(Err(not_written)) => return Err(refused(ask, not_written)),
            Err(_) => return Err(Problem::unavailable()),
        }
    }
}

pub fn schema() -> Response<Body> {
    json(tenant_conf().to_string())
}

/// As `doorward check` does once it is the file.
fn check(
    settings: &Settings,
    tenants: &TenantDirectory,
    tenant: &TenantId,
    text: &str,
) -> Result<(), Problem> {
    let folder = folder_of(&settings.tenancy.folder, tenant);
    let elsewhere = |host: &str| tenants.claimed_by_another(host, tenant);
    let mistakes = in_text(settings, tenant, (&folder.join(FILE), text), &elsewhere);
    if mistakes.is_empty() {
        return Ok(());
    }
    // files beside it by their names: nobody over HTTP has to know where they are
    let place = format!("{}/", folder.display());
    let told: Vec<String> = mistakes.iter().map(|mistake| told(mistake).replace(&place, "")).collect();
    Err(Problem::new(StatusCode::BAD_REQUEST, "Invalid tenant configuration.", told.join("; ")))
}

/// Without the name of the file: nobody over HTTP has to know where it is.
fn told(mistake: &Mistake) -> String {
    let place = match (mistake.line, mistake.column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: "),
        _ => String::new(),
    };
    let key = if mistake.key.is_empty() { String::new() } else { format!("{}: ", mistake.key) };
    let remedy = if mistake.remedy.is_empty() { String::new() } else { format!(" ({})", mistake.remedy) };
    format!("{place}{key}{}{remedy}", mistake.message)
}

fn refused(ask: &Ask, not_written: NotWritten<Problem>) -> Problem {
    match not_written {
        NotWritten::Refused(problem) => problem,
        NotWritten::Elsewhere(why) => Problem::new(
            StatusCode::CONFLICT,
            "Kept elsewhere.",
            format!("Nothing has been changed: {why}. Change it where it comes from."),
        ),
        NotWritten::ReadOnly => Problem::new(
            StatusCode::FORBIDDEN,
            "Read-only.",
            "Nothing has been changed: Doorward may not write into the folder of the tenants.",
        ),
        NotWritten::Busy => Problem::new(
            StatusCode::CONFLICT,
            "Busy.",
            "Nothing has been changed: somebody else is writing. Try again.",
        ),
        NotWritten::Failed(error) => {
            tracing::error!(%error, tenant = %ask.tenant, request_id = ask.call.request_id, "a tenant's file cannot be written");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Not written.",
                format!("Nothing has been changed: {}.", error.kind()),
            )
        }
    }
}

fn unreadable(ask: &Ask, error: &std::io::Error) -> Problem {
    tracing::error!(%error, tenant = %ask.tenant, request_id = ask.call.request_id, "a tenant's file cannot be read");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Not readable.",
        format!("The tenant's file cannot be read: {}.", error.kind()),
    )
}

fn tagged(mut response: Response<Body>, tag: &str) -> Response<Body> {
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
