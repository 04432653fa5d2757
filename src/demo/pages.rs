//! The portal's pages, and the style sheet they share. Everything works without JavaScript.

use std::sync::{Arc, LazyLock};

use axum::{
    Form, Router,
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use minijinja::{Environment, Value, context};

use super::{
    PortalState,
    data::{self, SampleApi},
    portal_request::PortalRequest,
    rest::NewApplication,
    sign_in::redirect,
};

const STYLE: &str = include_str!("templates/portal.css");

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.add_filter("urlencode", |text: String| {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
    });
    for (name, source) in [
        ("layout.html", include_str!("templates/layout.html")),
        ("apis.html", include_str!("templates/apis.html")),
        ("api.html", include_str!("templates/api.html")),
        ("applications.html", include_str!("templates/applications.html")),
        ("login.html", include_str!("templates/login.html")),
        ("missing.html", include_str!("templates/missing.html")),
    ] {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(template = name, %error, "a template of the sample portal has a mistake");
        }
    }
    environment
});

pub fn router() -> Router<Arc<PortalState>> {
    Router::new()
        .route("/", get(start))
        .route("/devportal", get(start))
        .route("/devportal/", get(start))
        .route("/devportal/home", get(start))
        .route("/devportal/apis", get(apis))
        .route("/devportal/apis/{id}", get(api))
        .route("/devportal/applications", get(applications).post(create_application))
        .route("/devportal/site/public/portal.css", get(style))
        .route("/devportal/site/public/locales/{file}", get(locale))
        .route("/devportal/services/settings/settings.js", get(settings_script))
}

pub fn render(name: &str, context: Value) -> Html<String> {
    let rendered = TEMPLATES.get_template(name).and_then(|template| template.render(context));
    Html(rendered.unwrap_or_else(|error| {
        tracing::error!(template = name, %error, "a template of the sample portal fails");
        "The sample portal has a mistake in a template.".to_owned()
    }))
}

/// Values of every page: the tenant, the user, and the headers that the portal received.
fn frame_values(request: &PortalRequest) -> Value {
    let told: Value = request
        .headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            name.starts_with("x-") || matches!(name, "forwarded" | "remote-user" | "remote-email" | "remote-groups" | "host")
        })
        .map(|(name, value)| {
            context! { name => name.as_str(), value => String::from_utf8_lossy(value.as_bytes()).into_owned() }
        })
        .collect();
    context! {
        tenant => &request.tenant,
        here => &request.path_and_query,
        user => request.user.as_ref().map(|user| user.name.as_str()),
        user_tenant => request.user.as_ref().map(|user| user.tenant.as_str()),
        told => told,
        // with identity headers from the proxy, sign-out is the proxy's too
        by_proxy => request.tenant == data::MEMBERS,
    }
}

fn card(api: &SampleApi) -> Value {
    context! {
        id => api.id,
        name => api.name,
        version => api.version,
        context => api.context,
        description => api.description,
        tags => api.tags.iter().map(|tag| Value::from(*tag)).collect::<Value>(),
    }
}

async fn start(request: PortalRequest) -> Response {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("tenant", &request.tenant).finish();
    redirect(&format!("/devportal/apis?{query}"))
}

async fn apis(request: PortalRequest) -> Response {
    if !request.is_known_tenant() {
        return missing_page(&request);
    }
    let apis: Value = data::apis_of(&request.tenant).map(card).collect();
    render("apis.html", context! { apis => apis, ..frame_values(&request) }).into_response()
}

async fn api(request: PortalRequest, Path(id): Path<String>) -> Response {
    data::apis_of(&request.tenant).find(|api| api.id == id).map_or_else(
        || missing_page(&request),
        |api| {
            let definition = serde_json::to_string_pretty(&api.definition()).unwrap_or_default();
            let page = context! { api => card(api), definition => definition, ..frame_values(&request) };
            render("api.html", page).into_response()
        },
    )
}

async fn applications(State(portal): State<Arc<PortalState>>, request: PortalRequest) -> Response {
    let Some(user) = &request.user else { return to_sign_in(&request) };
    let mine: Value = portal
        .data()
        .applications_of(&user.sub, &user.tenant)
        .map(|application| context! { name => &application.name, description => &application.description })
        .collect();
    render("applications.html", context! { applications => mine, ..frame_values(&request) }).into_response()
}

async fn create_application(
    State(portal): State<Arc<PortalState>>,
    request: PortalRequest,
    Form(new): Form<NewApplication>,
) -> Response {
    let Some(user) = &request.user else { return to_sign_in(&request) };
    // a name that is taken or empty changes nothing; the list shows it
    let _ = portal.data().create(&new, &user.sub, &user.tenant);
    redirect(&request.path_and_query)
}

fn to_sign_in(request: &PortalRequest) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("tenant", &request.tenant)
        .append_pair("returnTo", &request.path_and_query)
        .finish();
    redirect(&format!("/devportal/services/configs?{query}"))
}

pub async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, render("missing.html", context! { tenant => "carbon.super" })).into_response()
}

fn missing_page(request: &PortalRequest) -> Response {
    (StatusCode::NOT_FOUND, render("missing.html", frame_values(request))).into_response()
}

async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=300")],
        STYLE,
    )
        .into_response()
}

async fn locale() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], "{\"Base.Header.title\":\"Developer portal\"}")
        .into_response()
}

async fn settings_script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript")], "const Settings = { app: { context: '/devportal' } };\n")
        .into_response()
}
