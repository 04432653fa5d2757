//! Renders pages as HTML: what happened, what it means, what to do now, and a link.

mod check;

pub use check::mistakes;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use fluent_bundle::FluentArgs;
use minijinja::{Value, context};

use super::{
    assets,
    i18n::{self, Locale, Texts},
    page_message::{PageAction, PageMessage, is_web_address},
    template::{self, Templates},
    tenant_list::{self, TenantPage},
    view::FormView,
};
use crate::domain::{
    own_path,
    page::{PageRenderer, RenderContext, StatusPage},
    tenant::TenantId,
};

/// Folders beside the configuration file in which an operator overrides templates and texts.
const TEMPLATES: &str = "templates";
const LOCALES: &str = "locales";

/// The template of every page that has neither form nor list.
const PROBLEM_TEMPLATE: &str = "problem.html";

/// The files by which an operator can override templates and texts, present or not.
pub fn replaceable(folder: &Path) -> Vec<PathBuf> {
    let mut files = template::files(&folder.join(TEMPLATES));
    files.extend(i18n::files(&folder.join(LOCALES)));
    files
}

/// Renders every page of ours.
pub struct HtmlPages {
    templates: Templates,
    texts: Arc<Texts>,
    start_page: String,
    has_tenant_list: bool,
}

impl HtmlPages {
    /// `folder`: the configuration's, where the operator may put `templates/` and `locales/` of their own.
    pub fn new(folder: Option<&Path>) -> Self {
        let texts = Arc::new(Texts::new(folder.map(|folder| folder.join(LOCALES))));
        let templates = Templates::new(folder.map(|folder| folder.join(TEMPLATES)), Arc::clone(&texts));
        Self { templates, texts, start_page: "/".to_owned(), has_tenant_list: true }
    }

    /// The portal's start page (a path), where "Go to the start page" leads.
    #[must_use]
    pub fn with_start_page(mut self, home: impl Into<String>) -> Self {
        self.start_page = home.into();
        self
    }

    /// Whether pages may link to the list of tenants.
    #[must_use]
    pub const fn with_tenant_list(mut self, shown: bool) -> Self {
        self.has_tenant_list = shown;
        self
    }

    /// The tenant selection page.
    pub fn render_tenants(&self, listing: &TenantPage, context: RenderContext<'_>) -> String {
        let locale = self.texts.negotiate(context.languages);
        let title = locale.plain("tenants-title");
        self.templates.render("tenants.html", tenant_page_values(listing, &locale, &title, context))
    }

    /// A page with a form. The request id is small print for when something went wrong.
    pub fn render_form(&self, view: &dyn FormView, context: RenderContext<'_>) -> String {
        self.templates.render(view.template(), self.form_values(view, context))
    }

    fn form_values(&self, view: &dyn FormView, mut context: RenderContext<'_>) -> Value {
        let locale = self.texts.negotiate(context.languages);
        let heading = locale.plain(view.title());
        let form_error = view.error().map(|form_error| form_error.title_and_text(&locale));
        let mut title = heading.clone();
        if form_error.is_some() {
            let mut arguments = FluentArgs::new();
            arguments.set("title", title);
            title = locale.text("page-with-error", &arguments);
        } else {
            context.request_id = "";
        }
        context! {
            heading => heading,
            form_error => form_error.map(|[title, text]| context! { title => title, text => text }),
            notice => view.notice().map(|notice| locale.plain(notice.key())),
            home_href => self.href(&PageAction::StartPage, context),
            tenants_href => self.has_tenant_list.then_some(own_path::TENANTS),
            script_href => assets::script_href(),
            ..context! { ..view.values(&locale), ..frame_values(&locale, &title, context) }
        }
    }

    /// A page in place of the list: there is no tenant yet, or the list is not public.
    pub fn render_no_tenants(&self, public: bool, context: RenderContext<'_>) -> String {
        let key = if public { "tenants-none" } else { "tenants-off" };
        let locale = self.texts.negotiate(context.languages);
        self.templates.render(
            PROBLEM_TEMPLATE,
            self.message_values(&locale, context, &PageMessage::new(key, "search").with_start_page()),
        )
    }

    fn message_values(
        &self,
        locale: &Locale,
        context: RenderContext<'_>,
        message: &PageMessage<'_>,
    ) -> Value {
        let none = FluentArgs::new();
        let title = locale.text(&format!("{}-title", message.key), &message.arguments);
        let meaning = locale.text(&format!("{}-meaning", message.key), &message.arguments);
        let remedies: Vec<Value> = if message.remedies.is_empty() {
            vec![locale.text(&format!("{}-remedy", message.key), &none).into()]
        } else {
            message.remedies.iter().map(|key| locale.text(key, &none).into()).collect()
        };
        let actions: Vec<Value> = message
            .actions
            .iter()
            .filter(|action| self.has_tenant_list || !matches!(action, PageAction::ChooseTenant))
            .map(|action| context! { href => self.href(action, context), label => locale.text(action.label(), &none) })
            .collect();
        let facts_label = message.facts_label.map(|key| locale.text(key, &none));
        let facts: Vec<Value> = message.facts.iter().map(|fact| (*fact).into()).collect();
        context! {
            sign => message.sign,
            status => message.status,
            meaning => meaning,
            remedies => Value::from_iter(remedies),
            facts_label => facts_label,
            facts => Value::from_iter(facts),
            actions => Value::from_iter(actions),
            ..frame_values(locale, &title, context)
        }
    }

    fn href(&self, action: &PageAction<'_>, context: RenderContext<'_>) -> String {
        match action {
            // the same address again
            PageAction::Retry => String::new(),
            PageAction::SignIn(url) | PageAction::SignInAgain(url) => (*url).to_owned(),
            PageAction::ChooseTenant => own_path::TENANTS.to_owned(),
            // the start page of the tenant one is in (a refresh must not lose it)
            PageAction::StartPage => match context.tenant {
                Some(tenant) if !tenant.is_super_tenant() => tenant_list::deep_link(&self.start_page, tenant),
                _ => self.start_page.clone(),
            },
        }
    }
}

impl PageRenderer for HtmlPages {
    fn render(&self, page: &StatusPage, mut context: RenderContext<'_>) -> String {
        if page.status() < 400 {
            // small print for when something went wrong
            context.request_id = "";
        }
        let values = self.message_values(
            &self.texts.negotiate(context.languages),
            context,
            &PageMessage::for_page(page),
        );
        self.templates.render(PROBLEM_TEMPLATE, values)
    }

    fn reload(&self) {
        self.texts.reload();
        self.templates.reload();
    }
}

fn tenant_page_values(
    listing: &TenantPage,
    locale: &Locale,
    title: &str,
    context: RenderContext<'_>,
) -> Value {
    context! { ..listing.values(), ..frame_values(locale, title, context) }
}

/// The values of the layout.
fn frame_values(locale: &Locale, title: &str, context: RenderContext<'_>) -> Value {
    let name = context.name.or_else(|| context.tenant.map(TenantId::as_str));
    context! {
        lang => locale.tag.as_str(),
        direction => locale.direction,
        title => title,
        name => name,
        logo => context.logo.filter(|logo| is_web_address(logo) || logo.starts_with("data:image/")),
        request_id => Some(context.request_id).filter(|id| !id.is_empty()),
        style_href => assets::style_href(),
        icon_href => assets::icon_href(),
        brand_href => context.accent.and_then(assets::brand_href),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tenant::{RequestedTenant, TenantSource};

    fn context() -> RenderContext<'static> {
        RenderContext {
            request_id: "0190-42",
            tenant: None,
            name: None,
            logo: None,
            accent: None,
            languages: "en",
        }
    }

    fn all() -> Vec<StatusPage> {
        let tenant = |name| TenantId::parse(name).unwrap();
        vec![
            StatusPage::BadRequest { status: 414, detail: "the path has a backslash" },
            StatusPage::TenantConflict {
                first: RequestedTenant { tenant: tenant("acme.com"), source: TenantSource::Host },
                second: RequestedTenant { tenant: tenant("beta.org"), source: TenantSource::Query },
            },
            StatusPage::UnknownTenant { tenant: "unknown.example".into() },
            StatusPage::SignInNeeded { sign_in_url: Some("/login?a=1&b=2".into()) },
            StatusPage::SignInNeeded { sign_in_url: None },
            StatusPage::SignInLoop { sign_in_url: "https://id.example.com/".into() },
            StatusPage::TokenRefused { reason: "the token has expired".into() },
            StatusPage::Forbidden { missing: vec!["apim:subscribe".into()] },
            StatusPage::CrossOriginUpgrade,
            StatusPage::PortalUnreachable,
            StatusPage::PortalTimeout,
            StatusPage::Unavailable,
            StatusPage::Overloaded,
            StatusPage::TooManyRequests,
            StatusPage::SignInRefused,
            StatusPage::NotFound,
            StatusPage::SignedOut { sign_in_url: "/.doorward/sign-in".into() },
            StatusPage::CrossSiteForm,
            StatusPage::ExpiredForm,
            StatusPage::BadForm,
        ]
    }

    #[test]
    fn every_page_has_explanation_action_and_request_id() {
        let pages = HtmlPages::new(None);
        for languages in ["en", "ar"] {
            for page in all() {
                let html = pages.render(&page, RenderContext { languages, ..context() });
                assert_eq!(html.matches("<h1>").count(), 1, "{page:?}");
                assert!(html.contains("class=\"button\""), "{page:?}: {html}");
                let is_error = page.status() >= 400;
                assert_eq!(html.contains("0190-42"), is_error, "{page:?}: {html}");
                assert_eq!(html.contains(&page.status().to_string()), is_error, "{page:?}");
                for left_over in ["{$", "{ $", "-title", "-meaning", "-remedy", "action-", "></dt>"] {
                    assert!(!html.contains(left_over), "{page:?} in {languages}: {left_over} in {html}");
                }
            }
        }
    }

    /// The form was sent to `/commonauth` or its like; as a page that address is an error.
    #[test]
    fn refused_portal_sign_in_offers_no_retry() {
        let html = HtmlPages::new(None)
            .with_start_page("/devportal/apis")
            .render(&StatusPage::SignInRefused, context());
        assert!(html.contains("class=\"button\" href=\"&#x2f;devportal&#x2f;apis"), "{html}");
        assert!(!html.contains("href=\"\""), "{html}");
    }

    #[test]
    fn arabic_is_written_from_right_to_left() {
        let html = HtmlPages::new(None).render(
            &StatusPage::PortalUnreachable,
            RenderContext { languages: "ar-EG,en;q=0.5", ..context() },
        );
        assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">"), "{html}");
    }

    #[test]
    fn a_page_shows_its_tenants_branding() {
        let tenant = TenantId::parse("acme.com").unwrap();
        let html = HtmlPages::new(None).with_start_page("/devportal/apis").render(
            &StatusPage::PortalUnreachable,
            RenderContext {
                tenant: Some(&tenant),
                name: Some("Acme & Sons"),
                logo: Some("/logo.svg"),
                accent: Some("#FFEB3B"),
                ..context()
            },
        );
        for part in [
            "Acme &amp; Sons",
            "src=\"&#x2f;logo.svg\"",
            "brand&#x2f;ffeb3b.css",
            "href=\"&#x2f;devportal&#x2f;apis?tenant=acme.com\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn a_hidden_tenant_list_is_not_offered() {
        let page = StatusPage::UnknownTenant { tenant: "x".into() };
        assert!(HtmlPages::new(None).render(&page, context()).contains(".doorward&#x2f;tenants"));
        let hidden = HtmlPages::new(None).with_tenant_list(false).render(&page, context());
        assert!(!hidden.contains(".doorward&#x2f;tenants") && hidden.contains("class=\"button\""));
    }

    /// Attack: a tenant name or a sign-in address that carries markup or a script.
    #[test]
    fn attack_xss_by_names_and_addresses() {
        let pages = HtmlPages::new(None);
        for page in [
            StatusPage::UnknownTenant { tenant: "<img src=x onerror=alert(1)>".into() },
            StatusPage::SignInNeeded { sign_in_url: Some("javascript:alert(1)".into()) },
            StatusPage::SignInLoop { sign_in_url: "/\"><script>alert(1)</script>".into() },
            StatusPage::Forbidden { missing: vec!["<script>".into()] },
        ] {
            let html = pages.render(
                &page,
                RenderContext { request_id: "<script>", logo: Some("javascript:alert(1)"), ..context() },
            );
            assert!(
                !html.contains("<script") && !html.contains("<img") && !html.contains("javascript:"),
                "{html}"
            );
        }
    }
}
