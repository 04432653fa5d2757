//! The portal's REST API, `/api/am/devportal/{version}/…`: the part of WSO2's that the sample needs, in its shapes.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    PortalState,
    data::{self, SampleApi, SampleApplication},
    lab,
    portal_request::PortalRequest,
};

const BASE: &str = "/api/am/devportal/{version}";

pub fn router() -> Router<Arc<PortalState>> {
    let at = |path: &str| format!("{BASE}{path}");
    Router::new()
        .route(&at("/settings"), get(settings))
        .route(&at("/tenants"), get(tenants))
        .route(&at("/apis"), get(apis))
        .route(&at("/search"), get(apis))
        .route(&at("/apis/{id}"), get(api))
        .route(&at("/apis/{id}/swagger"), get(definition))
        .route(&at("/apis/{id}/documents"), get(empty_list))
        .route(&at("/apis/{id}/comments"), get(empty_list))
        .route(&at("/tags"), get(tags))
        .route(&at("/api-categories"), get(empty_list))
        .route(&at("/throttling-policies/{level}"), get(policies))
        .route(&at("/applications"), get(applications).post(create_application))
        .route(&at("/applications/{id}"), get(application).delete(delete_application))
        .route(&at("/subscriptions"), get(empty_list_for_user))
        .route(&at("/swagger.yaml"), get(own_definition))
        .route(&at("/echo"), axum::routing::any(lab::echo))
}

/// The portal reports anonymous mode as on; Doorward enforces each tenant's setting.
async fn settings(request: PortalRequest) -> Json<Value> {
    Json(json!({
        "IsAnonymousModeEnabled": true,
        "grantTypes": ["authorization_code", "client_credentials", "password", "refresh_token"],
        "scopes": ["apim:app_manage", "apim:store_settings", "apim:sub_manage", "apim:subscribe", "openid"],
        "identityProvider": { "external": false },
        "IsPasswordChangeEnabled": false,
        "applicationSharingEnabled": false,
        "mapExistingAuthApps": false,
        "monetizationEnabled": false,
        "apiGatewayEndpoint": format!("https://gateway.example/t/{}", request.tenant),
    }))
}

async fn tenants() -> Json<Value> {
    let list: Vec<Value> =
        data::TENANTS.iter().map(|domain| json!({ "domain": domain, "status": "ACTIVE" })).collect();
    Json(json!({ "count": list.len(), "list": list }))
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
    #[serde(default)]
    query: String,
}

async fn apis(request: PortalRequest, Query(page): Query<ListQuery>) -> Json<Value> {
    let wanted = page.query.to_lowercase();
    let found: Vec<Value> = data::apis_of(&request.tenant)
        .filter(|api| wanted.is_empty() || api.name.to_lowercase().contains(&wanted))
        .map(SampleApi::summary)
        .collect();
    let limit = page.limit.unwrap_or(25);
    let total = found.len();
    let list: Vec<Value> = found.into_iter().skip(page.offset).take(limit).collect();
    Json(json!({
        "count": list.len(),
        "list": list,
        "pagination": { "offset": page.offset, "limit": limit, "total": total, "next": "", "previous": "" },
    }))
}

async fn api(request: PortalRequest, Path((_, id)): Path<(String, String)>) -> Response {
    find(&request, &id).map_or_else(
        || not_found("API", &id),
        |api| {
            let mut full = api.summary();
            if let Some(fields) = full.as_object_mut() {
                fields.insert("hasThumbnail".to_owned(), false.into());
                fields.insert("endpointURLs".to_owned(), json!([]));
                fields.insert("tiers".to_owned(), json!([{ "tierName": "Unlimited", "tierPlan": "FREE" }]));
            }
            Json(full).into_response()
        },
    )
}

async fn definition(request: PortalRequest, Path((_, id)): Path<(String, String)>) -> Response {
    find(&request, &id).map_or_else(|| not_found("API", &id), |api| Json(api.definition()).into_response())
}

async fn tags(request: PortalRequest) -> Json<Value> {
    let list: Vec<Value> = data::tags_of(&request.tenant)
        .into_iter()
        .map(|(value, count)| json!({ "value": value, "count": count }))
        .collect();
    Json(json!({ "count": list.len(), "list": list }))
}

async fn policies() -> Json<Value> {
    Json(
        json!({ "count": 1, "list": [{ "name": "Unlimited", "description": "No limit", "tierPlan": "FREE" }] }),
    )
}

async fn empty_list() -> Json<Value> {
    Json(json!({ "count": 0, "list": [] }))
}

async fn empty_list_for_user(request: PortalRequest) -> Response {
    if request.user.is_some() { empty_list().await.into_response() } else { unauthenticated() }
}

async fn applications(State(portal): State<Arc<PortalState>>, request: PortalRequest) -> Response {
    let Some(user) = &request.user else { return unauthenticated() };
    let list: Vec<SampleApplication> =
        portal.data().applications_of(&user.sub, &user.tenant).cloned().collect();
    Json(json!({ "count": list.len(), "list": list })).into_response()
}

#[derive(Deserialize)]
pub struct NewApplication {
    pub name: String,
    #[serde(default)]
    pub description: String,
}

async fn create_application(
    State(portal): State<Arc<PortalState>>,
    request: PortalRequest,
    Json(new): Json<NewApplication>,
) -> Response {
    let Some(user) = &request.user else { return unauthenticated() };
    match portal.data().create(&new, &user.sub, &user.tenant) {
        Some(application) => (StatusCode::CREATED, Json(application)).into_response(),
        None => error_response(
            StatusCode::CONFLICT,
            "The name is empty, too long or taken, or there are too many applications",
        ),
    }
}

async fn application(
    State(portal): State<Arc<PortalState>>,
    request: PortalRequest,
    Path((_, id)): Path<(String, String)>,
) -> Response {
    let Some(user) = &request.user else { return unauthenticated() };
    let data = portal.data();
    let mut mine = data.applications_of(&user.sub, &user.tenant);
    mine.find(|application| application.id == id)
        .map_or_else(|| not_found("Application", &id), |application| Json(application).into_response())
}

async fn delete_application(
    State(portal): State<Arc<PortalState>>,
    request: PortalRequest,
    Path((_, id)): Path<(String, String)>,
) -> Response {
    let Some(user) = &request.user else { return unauthenticated() };
    let mut data = portal.data();
    let before = data.applications.len();
    data.applications.retain(|application| {
        application.id != id || application.owner != user.sub || application.tenant != user.tenant
    });
    if data.applications.len() == before {
        not_found("Application", &id)
    } else {
        StatusCode::OK.into_response()
    }
}

async fn own_definition() -> Response {
    let text = "openapi: 3.0.3\ninfo:\n  title: Sample developer portal\n  version: v3\npaths: {}\n";
    ([(header::CONTENT_TYPE, "application/yaml")], text).into_response()
}

impl super::PortalData {
    pub fn applications_of<'m>(
        &'m self,
        owner: &'m str,
        tenant: &'m str,
    ) -> impl Iterator<Item = &'m SampleApplication> {
        self.applications
            .iter()
            .filter(move |application| application.owner == owner && application.tenant == tenant)
    }

    /// `None` when the name is empty, too long or taken, or when the sample is full.
    pub fn create(&mut self, new: &NewApplication, owner: &str, tenant: &str) -> Option<SampleApplication> {
        let name = new.name.trim();
        let taken = self.applications_of(owner, tenant).any(|application| application.name == name);
        if name.is_empty() || name.len() > 70 || taken || self.applications.len() >= 1000 {
            return None;
        }
        let application = SampleApplication {
            id: format!("{:032x}", fastrand::u128(..)),
            name: name.to_owned(),
            description: new.description.chars().take(500).collect(),
            throttling_policy: "Unlimited".to_owned(),
            owner: owner.to_owned(),
            tenant: tenant.to_owned(),
            status: "APPROVED",
        };
        self.applications.push(application.clone());
        Some(application)
    }
}

fn find(request: &PortalRequest, id: &str) -> Option<&'static SampleApi> {
    data::apis_of(&request.tenant).find(|api| api.id == id)
}

fn not_found(kind: &str, id: &str) -> Response {
    error_response(StatusCode::NOT_FOUND, &format!("{kind} with id {id} not found"))
}

fn unauthenticated() -> Response {
    error_response(StatusCode::UNAUTHORIZED, "Unauthenticated request")
}

/// WSO2's error shape.
fn error_response(status: StatusCode, description: &str) -> Response {
    let body = json!({
        "code": status.as_u16(), "message": "", "description": description, "moreInfo": "", "error": []
    });
    (status, Json(body)).into_response()
}
