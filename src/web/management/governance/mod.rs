//! WSO2's identity governance: categories of connectors of properties, read and changed for one tenant.
//!
//! `read` understands what is sent, `view` shows what there is; `account::Governance` keeps it.

mod read;
#[cfg(test)]
mod tests;
mod view;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use url::form_urlencoded;

use self::view::View;
use super::{Ask, access, body, error::Problem, etag, json};
use crate::{
    account::{GovernError, Values},
    clock,
    config::document::nearest::nearest,
    domain::governance::{
        self, Category, Connector, ErrorCode, Refusal, categories, category, connector, connector_named,
        property,
    },
};

/// Of a request's body: many times all properties with all they may hold.
const MAX_BYTES: usize = 256 * 1024;

pub async fn list_categories(ask: &Ask) -> Result<Response<Body>, Problem> {
    let asked = |name: &str| form_urlencoded::parse(ask.query.as_bytes()).any(|(known, _)| known == name);
    for (name, code) in [
        ("limit", ErrorCode::Pagination),
        ("offset", ErrorCode::Pagination),
        ("filter", ErrorCode::Filtering),
        ("sort", ErrorCode::Sorting),
    ] {
        if asked(name) {
            return Err(Problem::governance(code, &[]));
        }
    }
    let in_force = in_force(ask, ErrorCode::ListingCategories).await?;
    let view = View::new(ask, &in_force);
    Ok(shown(ask, &in_force, &categories().iter().map(|category| view.listed(category)).collect::<Vec<_>>()))
}

pub async fn show_category(ask: &Ask, id: &str) -> Result<Response<Body>, Problem> {
    let category = find_category(id)?;
    let in_force = in_force(ask, ErrorCode::ReadingCategory).await?;
    Ok(shown(ask, &in_force, &View::new(ask, &in_force).category(category)))
}

pub async fn list_connectors(ask: &Ask, id: &str) -> Result<Response<Body>, Problem> {
    let category = find_category(id)?;
    let in_force = in_force(ask, ErrorCode::ReadingCategory).await?;
    Ok(shown(ask, &in_force, &View::new(ask, &in_force).connectors(category)))
}

pub async fn show_connector(ask: &Ask, category: &str, id: &str) -> Result<Response<Body>, Problem> {
    let connector = find_connector(category, id)?;
    let in_force = in_force(ask, ErrorCode::ReadingConnector).await?;
    Ok(shown(ask, &in_force, &View::new(ask, &in_force).connector(connector)))
}

pub async fn change_connector(
    ask: &Ask,
    category: &str,
    id: &str,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let connector = find_connector(category, id)?;
    let properties = read::patch(&text_of_change(ask, body).await?)?;
    update(ask, &[(connector, properties)]).await
}

pub async fn change_connectors(ask: &Ask, id: &str, body: Body) -> Result<Response<Body>, Problem> {
    let category = find_category(id)?;
    let sent = read::patches(&text_of_change(ask, body).await?)?;
    let mut changes: Vec<(&'static Connector, Vec<(String, String)>)> = Vec::new();
    for (id, properties) in sent {
        let connector = connector(&id).filter(|known| known.category == category.name);
        changes.push((connector.ok_or_else(|| no_connector(&id))?, properties));
    }
    update(ask, &changes).await
}

pub async fn revert(ask: &Ask, category: &str, body: Body) -> Result<Response<Body>, Problem> {
    let mut ids = form_urlencoded::parse(ask.query.as_bytes()).filter(|(name, _)| name == "connectorId");
    let (Some((_, id)), None) = (ids.next(), ids.next()) else {
        return Err(Problem::bad_request("Give the query parameter connectorId once."));
    };
    let connector = find_connector(category, &id)?;
    let names = read::names(&text_of_change(ask, body).await?)?;
    let taken_back = [(connector, names)];
    let expected = expected(ask, ErrorCode::Reverting).await?;
    let kept = ask.site.0.doors.governance();
    let done = kept.revert(&ask.tenant, &taken_back, expected, &ask.actor(), clock::millis()).await;
    changed(ask, done, ErrorCode::Reverting)
}

pub async fn preferences(ask: &Ask, body: Body) -> Result<Response<Body>, Problem> {
    let wanted = read::preferences(&body::text(&ask.headers, body, MAX_BYTES).await?)?;
    let in_force = in_force(ask, ErrorCode::ReadingPreferences).await?;
    let view = View::new(ask, &in_force);
    let mut found = Vec::new();
    for (name, properties) in wanted {
        let connector = connector_named(&name)
            .ok_or_else(|| Problem::governance(ErrorCode::NoSuchConnectorName, &[&name]))?;
        found.push(view.preference(connector, properties.as_deref())?);
    }
    Ok(json(serde_json::to_string(&found).unwrap_or_default()))
}

/// What is sent is at most a few times shorter than what it adds to the audit records.
async fn text_of_change(ask: &Ask, body: Body) -> Result<String, Problem> {
    let text = body::text(&ask.headers, body, MAX_BYTES).await?;
    ask.spend_audit_bytes(text.len())?;
    Ok(text)
}

fn find_category(id: &str) -> Result<&'static Category, Problem> {
    category(id).ok_or_else(|| Problem::governance(ErrorCode::NoSuchCategory, &[id]))
}

/// Where the category is another one or none, there is no such connector either.
fn find_connector(category: &str, id: &str) -> Result<&'static Connector, Problem> {
    let category = governance::category(category).map(|category| category.name);
    connector(id).filter(|found| category == Some(found.category)).ok_or_else(|| no_connector(id))
}

fn no_connector(id: &str) -> Problem {
    Problem::governance(ErrorCode::NoSuchConnector, &[id])
}

async fn in_force(ask: &Ask, otherwise: ErrorCode) -> Result<Values, Problem> {
    let kept = ask.site.0.doors.governance();
    kept.read(&ask.tenant).await.map_err(|error| refused(ask, error, otherwise))
}

/// A tag has the version of the tenant's settings, which a change is held against, and what is shown, which also the
/// configuration's files decide.
fn shown(ask: &Ask, in_force: &Values, what: &impl serde::Serialize) -> Response<Body> {
    let text = serde_json::to_string(what).unwrap_or_default();
    let tag = etag::of_version(in_force.version(), text.as_bytes());
    let mut response = if etag::is_known(&ask.headers, &tag) {
        let mut same = Response::new(Body::empty());
        *same.status_mut() = StatusCode::NOT_MODIFIED;
        same
    } else {
        json(text)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

type Changes<'a> = &'a [(&'static Connector, Vec<(String, String)>)];

async fn update(ask: &Ask, changes: Changes<'_>) -> Result<Response<Body>, Problem> {
    let expected = expected(ask, ErrorCode::Updating).await?;
    let kept = ask.site.0.doors.governance();
    let done = kept.patch(&ask.tenant, changes, expected, &ask.actor(), clock::millis()).await;
    changed(ask, done, ErrorCode::Updating)
}

/// The version that the caller has seen; `None`: any will do.
async fn expected(ask: &Ask, otherwise: ErrorCode) -> Result<Option<u64>, Problem> {
    let Some(given) = etag::versions(&ask.headers) else { return Ok(None) };
    let now = in_force(ask, otherwise).await?.version();
    if given.contains(&now) { Ok(Some(now)) } else { Err(etag::stale("If-Match", &etag::plain_version(now))) }
}

fn changed(
    ask: &Ask,
    done: Result<Values, GovernError>,
    otherwise: ErrorCode,
) -> Result<Response<Body>, Problem> {
    let values = done.map_err(|error| refused(ask, error, otherwise))?;
    let mut done = Response::new(Body::empty());
    if let Ok(tag) = HeaderValue::try_from(etag::plain_version(values.version())) {
        done.headers_mut().insert(header::ETAG, tag);
    }
    Ok(done)
}

/// WSO2's sentence, and after a slip of the pen what may have been meant.
fn described(refusal: &Refusal) -> String {
    let said = refusal.description();
    let Refusal::UnknownProperty { connector, name } = refusal else { return said };
    let elsewhere = property(name).map(|known| format!("{name} belongs to {}.", known.connector.name));
    let near = || nearest(name, connector.properties.iter().map(|property| property.name));
    match elsewhere.or_else(|| near().map(|near| format!("Did you mean {near}?"))) {
        Some(hint) => format!("{said} {hint}"),
        None => said,
    }
}

fn refused(ask: &Ask, error: GovernError, otherwise: ErrorCode) -> Problem {
    match error {
        GovernError::Refused(refusal) => Problem::of_code(refusal.code(), described(&refusal)),
        GovernError::Stale { version } => etag::stale("If-Match", &etag::plain_version(version)),
        // gone since it was looked up
        GovernError::NoTenant => access::no_tenant(&ask.tenant),
        GovernError::Store(error) => {
            let request_id = &ask.call.request_id;
            tracing::error!(%error, tenant = %ask.tenant, request_id, "governance cannot be answered for");
            Problem::governance(otherwise, &[])
        }
    }
}
