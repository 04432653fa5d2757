//! WSO2's identity governance: categories of connectors of properties, read and changed for one tenant.
//!
//! `parse` parses request bodies, `view` serialises responses, `governance::GovernanceService` stores the values.

mod parse;
#[cfg(test)]
mod tests;
mod view;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use url::form_urlencoded;

use self::view::GovernanceView;
use super::{ApiRequest, access, body, error::ApiProblem, etag, json_response};
use crate::{
    config::document::nearest::nearest,
    domain::{
        audit::Actor,
        governance::{
            self, Category, ChangeContext, Connector, ErrorCode, UpdateRefusal, categories, category,
            connector, connector_named, property,
        },
    },
    governance::{EffectiveProperties, GovernanceServiceError},
    http::conditional,
};

/// Of a request's body: many times all properties with all they may hold.
const MAX_BYTES: usize = 256 * 1024;

pub async fn list_categories(request: &ApiRequest) -> Result<Response<Body>, ApiProblem> {
    let has_parameter =
        |name: &str| form_urlencoded::parse(request.query.as_bytes()).any(|(known, _)| known == name);
    for (name, code) in [
        ("limit", ErrorCode::Pagination),
        ("offset", ErrorCode::Pagination),
        ("filter", ErrorCode::Filtering),
        ("sort", ErrorCode::Sorting),
    ] {
        if has_parameter(name) {
            return Err(ApiProblem::governance(code, &[]));
        }
    }
    let in_force = current_values(request, ErrorCode::ListingCategories).await?;
    let view = GovernanceView::new(request, &in_force);
    Ok(cacheable_json(
        request,
        &in_force,
        &categories().iter().map(|category| view.category_summary(category)).collect::<Vec<_>>(),
    ))
}

pub async fn show_category(request: &ApiRequest, id: &str) -> Result<Response<Body>, ApiProblem> {
    let category = find_category(id)?;
    let in_force = current_values(request, ErrorCode::ReadingCategory).await?;
    Ok(cacheable_json(request, &in_force, &GovernanceView::new(request, &in_force).category(category)))
}

pub async fn list_connectors(request: &ApiRequest, id: &str) -> Result<Response<Body>, ApiProblem> {
    let category = find_category(id)?;
    let in_force = current_values(request, ErrorCode::ReadingCategory).await?;
    Ok(cacheable_json(request, &in_force, &GovernanceView::new(request, &in_force).connectors(category)))
}

pub async fn show_connector(
    request: &ApiRequest,
    category: &str,
    id: &str,
) -> Result<Response<Body>, ApiProblem> {
    let connector = find_connector(category, id)?;
    let in_force = current_values(request, ErrorCode::ReadingConnector).await?;
    Ok(cacheable_json(request, &in_force, &GovernanceView::new(request, &in_force).connector(connector)))
}

pub async fn change_connector(
    request: &ApiRequest,
    category: &str,
    id: &str,
    body: Body,
) -> Result<Response<Body>, ApiProblem> {
    let connector = find_connector(category, id)?;
    let properties = parse::patch(&read_change(request, body).await?)?;
    update(request, &[(connector, properties)]).await
}

pub async fn change_connectors(
    request: &ApiRequest,
    id: &str,
    body: Body,
) -> Result<Response<Body>, ApiProblem> {
    let category = find_category(id)?;
    let patches = parse::patches(&read_change(request, body).await?)?;
    let mut changes: Vec<(&'static Connector, Vec<(String, String)>)> = Vec::new();
    for (id, properties) in patches {
        let connector = connector(&id).filter(|known| known.category == category.name);
        changes.push((connector.ok_or_else(|| no_connector(&id))?, properties));
    }
    update(request, &changes).await
}

pub async fn revert(request: &ApiRequest, category: &str, body: Body) -> Result<Response<Body>, ApiProblem> {
    let mut ids = form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name == "connectorId");
    let (Some((_, id)), None) = (ids.next(), ids.next()) else {
        return Err(ApiProblem::bad_request("Give the query parameter connectorId once."));
    };
    let connector = find_connector(category, &id)?;
    let names = parse::names(&read_change(request, body).await?)?;
    let reverted = [(connector, names)];
    let expected = expected_version(request, ErrorCode::Reverting).await?;
    let governance = &request.parts.0.services.governance;
    let done = governance.revert(&change_context(request, expected, &request.actor()), &reverted).await;
    change_response(request, done, ErrorCode::Reverting)
}

pub async fn preferences(request: &ApiRequest, body: Body) -> Result<Response<Body>, ApiProblem> {
    let wanted = parse::preferences(&body::read_json(&request.headers, body, MAX_BYTES).await?)?;
    let in_force = current_values(request, ErrorCode::ReadingPreferences).await?;
    let view = GovernanceView::new(request, &in_force);
    let mut found = Vec::new();
    for (name, properties) in wanted {
        let connector = connector_named(&name)
            .ok_or_else(|| ApiProblem::governance(ErrorCode::NoSuchConnectorName, &[&name]))?;
        found.push(view.preference(connector, properties.as_deref())?);
    }
    Ok(json_response(serde_json::to_string(&found).unwrap_or_default()))
}

/// The length of the body approximates the bytes that the change adds to the audit records.
async fn read_change(request: &ApiRequest, body: Body) -> Result<String, ApiProblem> {
    let text = body::read_json(&request.headers, body, MAX_BYTES).await?;
    request.spend_audit_bytes(text.len())?;
    Ok(text)
}

fn find_category(id: &str) -> Result<&'static Category, ApiProblem> {
    category(id).ok_or_else(|| ApiProblem::governance(ErrorCode::NoSuchCategory, &[id]))
}

/// Where the category is another one or none, there is no such connector either.
fn find_connector(category: &str, id: &str) -> Result<&'static Connector, ApiProblem> {
    let category = governance::category(category).map(|category| category.name);
    connector(id).filter(|found| category == Some(found.category)).ok_or_else(|| no_connector(id))
}

fn no_connector(id: &str) -> ApiProblem {
    ApiProblem::governance(ErrorCode::NoSuchConnector, &[id])
}

async fn current_values(
    request: &ApiRequest,
    otherwise: ErrorCode,
) -> Result<EffectiveProperties, ApiProblem> {
    let governance = &request.parts.0.services.governance;
    governance.read(&request.tenant).await.map_err(|error| govern_problem(request, error, otherwise))
}

/// The tag has the version of the tenant's overrides, which a change must match, and a hash of the response, which also
/// depends on the configuration files.
fn cacheable_json(
    request: &ApiRequest,
    in_force: &EffectiveProperties,
    what: &impl serde::Serialize,
) -> Response<Body> {
    let text = serde_json::to_string(what).unwrap_or_default();
    let tag = etag::content_tag(in_force.version(), text.as_bytes());
    let mut response = if conditional::is_not_modified(&request.headers, &tag) {
        let mut same = Response::new(Body::empty());
        *same.status_mut() = StatusCode::NOT_MODIFIED;
        same
    } else {
        json_response(text)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

type ConnectorChanges<'a> = &'a [(&'static Connector, Vec<(String, String)>)];

async fn update(request: &ApiRequest, changes: ConnectorChanges<'_>) -> Result<Response<Body>, ApiProblem> {
    let expected = expected_version(request, ErrorCode::Updating).await?;
    let governance = &request.parts.0.services.governance;
    let done = governance.patch(&change_context(request, expected, &request.actor()), changes).await;
    change_response(request, done, ErrorCode::Updating)
}

fn change_context<'a>(
    request: &'a ApiRequest,
    expected_version: Option<u64>,
    actor: &'a Actor,
) -> ChangeContext<'a> {
    ChangeContext {
        tenant: &request.tenant,
        expected_version,
        actor,
        now: request.parts.0.services.clock.now(),
    }
}

/// The version that the caller has seen; `None`: any will do.
async fn expected_version(request: &ApiRequest, otherwise: ErrorCode) -> Result<Option<u64>, ApiProblem> {
    let Some(given) = etag::if_match_versions(&request.headers) else { return Ok(None) };
    let now = current_values(request, otherwise).await?.version();
    if given.contains(&now) {
        Ok(Some(now))
    } else {
        Err(etag::precondition_failed("If-Match", &etag::version_tag(now)))
    }
}

fn change_response(
    request: &ApiRequest,
    done: Result<EffectiveProperties, GovernanceServiceError>,
    otherwise: ErrorCode,
) -> Result<Response<Body>, ApiProblem> {
    let values = done.map_err(|error| govern_problem(request, error, otherwise))?;
    let mut done = Response::new(Body::empty());
    if let Ok(tag) = HeaderValue::try_from(etag::version_tag(values.version())) {
        done.headers_mut().insert(header::ETAG, tag);
    }
    Ok(done)
}

/// WSO2's message, with a suggestion for a misspelt name.
fn refusal_description(refusal: &UpdateRefusal) -> String {
    let description = refusal.description();
    let UpdateRefusal::UnknownProperty { connector, name } = refusal else { return description };
    let owning_connector = property(name).map(|known| format!("{name} belongs to {}.", known.connector.name));
    let near = || nearest(name, connector.properties.iter().map(|property| property.name));
    match owning_connector.or_else(|| near().map(|near| format!("Did you mean {near}?"))) {
        Some(hint) => format!("{description} {hint}"),
        None => description,
    }
}

fn govern_problem(request: &ApiRequest, error: GovernanceServiceError, otherwise: ErrorCode) -> ApiProblem {
    match error {
        GovernanceServiceError::Refused(refusal) => {
            ApiProblem::of_code(refusal.code(), refusal_description(&refusal))
        }
        GovernanceServiceError::Stale { version } => {
            etag::precondition_failed("If-Match", &etag::version_tag(version))
        }
        // gone since it was looked up
        GovernanceServiceError::NoTenant => access::tenant_not_found(&request.tenant),
        GovernanceServiceError::Store(error) => {
            let request_id = &request.context.request_id;
            tracing::error!(%error, tenant = %request.tenant, request_id, "failed to process governance request");
            ApiProblem::governance(otherwise, &[])
        }
    }
}
