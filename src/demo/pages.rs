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
    Portal,
    data::{self, Api},
    rest::NewApplication,
    sign_in::found,
    visitor::Visitor,
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

pub fn router() -> Router<Arc<Portal>> {
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

/// What every page shows: the tenant, who is signed in, and what the portal was told.
fn frame(visitor: &Visitor) -> Value {
    let told: Value = visitor
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
        tenant => &visitor.tenant,
        here => &visitor.here,
        user => visitor.user.as_ref().map(|user| user.name.as_str()),
        user_tenant => visitor.user.as_ref().map(|user| user.tenant.as_str()),
        told => told,
        // where the portal is told who is there, it is also told where they sign out
        by_proxy => visitor.tenant == data::MEMBERS,
    }
}

fn card(api: &Api) -> Value {
    context! {
        id => api.id,
        name => api.name,
        version => api.version,
        context => api.context,
        description => api.description,
        tags => api.tags.iter().map(|tag| Value::from(*tag)).collect::<Value>(),
    }
}

async fn start(visitor: Visitor) -> Response {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("tenant", &visitor.tenant).finish();
    found(&format!("/devportal/apis?{query}"))
}

async fn apis(visitor: Visitor) -> Response {
    if !visitor.knows_tenant() {
        return missing(&visitor);
    }
    let apis: Value = data::apis_of(&visitor.tenant).map(card).collect();
    render("apis.html", context! { apis => apis, ..frame(&visitor) }).into_response()
}

async fn api(visitor: Visitor, Path(id): Path<String>) -> Response {
    data::apis_of(&visitor.tenant).find(|api| api.id == id).map_or_else(
        || missing(&visitor),
        |api| {
            let definition = serde_json::to_string_pretty(&api.definition()).unwrap_or_default();
            let page = context! { api => card(api), definition => definition, ..frame(&visitor) };
            render("api.html", page).into_response()
        },
    )
}

async fn applications(State(portal): State<Arc<Portal>>, visitor: Visitor) -> Response {
    let Some(user) = &visitor.user else { return to_sign_in(&visitor) };
    let mine: Value = portal
        .memory()
        .applications_of(&user.sub, &user.tenant)
        .map(|application| context! { name => &application.name, description => &application.description })
        .collect();
    render("applications.html", context! { applications => mine, ..frame(&visitor) }).into_response()
}

async fn create_application(
    State(portal): State<Arc<Portal>>,
    visitor: Visitor,
    Form(new): Form<NewApplication>,
) -> Response {
    let Some(user) = &visitor.user else { return to_sign_in(&visitor) };
    // a name that is taken or empty changes nothing; the list shows it
    let _ = portal.memory().create(&new, &user.sub, &user.tenant);
    found(&visitor.here)
}

fn to_sign_in(visitor: &Visitor) -> Response {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("tenant", &visitor.tenant)
        .append_pair("returnTo", &visitor.here)
        .finish();
    found(&format!("/devportal/services/configs?{query}"))
}

pub async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, render("missing.html", context! { tenant => "carbon.super" })).into_response()
}

fn missing(visitor: &Visitor) -> Response {
    (StatusCode::NOT_FOUND, render("missing.html", frame(visitor))).into_response()
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
