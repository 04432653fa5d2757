//! Pages for a person, as HTML: what happened, what it means, what to do now, and a way out.

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
    message::{Action, Message, is_web_address},
    template::{self, Templates},
    tenants::{self, Listing},
    view::View,
};
use crate::domain::{
    page::{Page, PageContext, Pages},
    tenant::TenantId,
};

/// Folders beside the configuration file in which an operator replaces what we show.
const TEMPLATES: &str = "templates";
const LOCALES: &str = "locales";

/// The template of every page that has neither form nor list.
const PROBLEM: &str = "problem.html";

/// The files with which an operator may replace what we show, there or not.
pub fn replaceable(folder: &Path) -> Vec<PathBuf> {
    let mut files = template::files(&folder.join(TEMPLATES));
    files.extend(i18n::files(&folder.join(LOCALES)));
    files
}

/// Renders every page of ours.
pub struct HtmlPages {
    templates: Templates,
    texts: Arc<Texts>,
    home: String,
    tenant_list: bool,
}

impl HtmlPages {
    /// `folder`: the configuration's, where the operator may put `templates/` and `locales/` of their own.
    pub fn new(folder: Option<&Path>) -> Self {
        let texts = Arc::new(Texts::new(folder.map(|folder| folder.join(LOCALES))));
        let templates = Templates::new(folder.map(|folder| folder.join(TEMPLATES)), Arc::clone(&texts));
        Self { templates, texts, home: "/".to_owned(), tenant_list: true }
    }

    /// The portal's start page (a path), where "Go to the start page" leads.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<String>) -> Self {
        self.home = home.into();
        self
    }

    /// Whether pages may send a visitor to the list of tenants.
    #[must_use]
    pub const fn with_tenant_list(mut self, shown: bool) -> Self {
        self.tenant_list = shown;
        self
    }

    /// The page on which a visitor chooses a tenant.
    pub fn render_tenants(&self, listing: &Listing, context: PageContext<'_>) -> String {
        let locale = self.texts.negotiate(context.languages);
        let title = locale.plain("tenants-title");
        self.templates.render("tenants.html", listed(listing, &locale, &title, context))
    }

    /// A page with a form. The request id is small print for when something went wrong.
    pub fn show(&self, view: &dyn View, context: PageContext<'_>) -> String {
        self.templates.render(view.template(), self.form(view, context))
    }

    fn form(&self, view: &dyn View, mut context: PageContext<'_>) -> Value {
        let locale = self.texts.negotiate(context.languages);
        let heading = locale.plain(view.title());
        let trouble = view.trouble().map(|trouble| trouble.words(&locale));
        let mut title = heading.clone();
        if trouble.is_some() {
            let mut arguments = FluentArgs::new();
            arguments.set("title", title);
            title = locale.text("page-with-trouble", &arguments);
        } else {
            context.request_id = "";
        }
        context! {
            heading => heading,
            trouble => trouble.map(|[title, text]| context! { title => title, text => text }),
            notice => view.notice().map(|notice| locale.plain(notice.key())),
            home_href => self.href(&Action::Home, context),
            tenants_href => self.tenant_list.then_some(tenants::PATH),
            script_href => assets::script_href(),
            ..context! { ..view.values(&locale), ..frame(&locale, &title, context) }
        }
    }

    /// A page in place of the list: there is no tenant yet, or the list is not public.
    pub fn render_no_tenants(&self, public: bool, context: PageContext<'_>) -> String {
        let key = if public { "tenants-none" } else { "tenants-off" };
        let locale = self.texts.negotiate(context.languages);
        self.templates
            .render(PROBLEM, self.problem(&locale, context, &Message::new(key, "search").with_home()))
    }

    fn problem(&self, locale: &Locale, context: PageContext<'_>, message: &Message<'_>) -> Value {
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
            .filter(|action| self.tenant_list || !matches!(action, Action::ChooseTenant))
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
            ..frame(locale, &title, context)
        }
    }

    fn href(&self, action: &Action<'_>, context: PageContext<'_>) -> String {
        match action {
            // the same address again
            Action::Retry => String::new(),
            Action::SignIn(url) | Action::SignInAgain(url) => (*url).to_owned(),
            Action::ChooseTenant => tenants::PATH.to_owned(),
            // the start page of the tenant one is in (a refresh must not lose it)
            Action::Home => match context.tenant {
                Some(tenant) if !tenant.is_super_tenant() => tenants::deep_link(&self.home, tenant),
                _ => self.home.clone(),
            },
        }
    }
}

impl Pages for HtmlPages {
    fn render(&self, page: &Page, mut context: PageContext<'_>) -> String {
        if page.status() < 400 {
            // small print for when something went wrong
            context.request_id = "";
        }
        let values = self.problem(&self.texts.negotiate(context.languages), context, &Message::of(page));
        self.templates.render(PROBLEM, values)
    }

    fn reload(&self) {
        self.texts.reload();
        self.templates.reload();
    }
}

fn listed(listing: &Listing, locale: &Locale, title: &str, context: PageContext<'_>) -> Value {
    context! { ..listing.values(), ..frame(locale, title, context) }
}

/// What every page's frame needs.
fn frame(locale: &Locale, title: &str, context: PageContext<'_>) -> Value {
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
    use crate::domain::tenant::{NamedTenant, Place};

    fn context() -> PageContext<'static> {
        PageContext {
            request_id: "0190-42",
            tenant: None,
            name: None,
            logo: None,
            accent: None,
            languages: "en",
        }
    }

    fn all() -> Vec<Page> {
        let tenant = |name| TenantId::parse(name).unwrap();
        vec![
            Page::BadRequest { detail: "the path has a backslash" },
            Page::TenantConflict {
                first: NamedTenant { tenant: tenant("acme.com"), place: Place::Host },
                second: NamedTenant { tenant: tenant("beta.org"), place: Place::Query },
            },
            Page::UnknownTenant { tenant: "nobody.example".into() },
            Page::SignInNeeded { sign_in_url: Some("/login?a=1&b=2".into()) },
            Page::SignInNeeded { sign_in_url: None },
            Page::SignInLoop { sign_in_url: "https://id.example.com/".into() },
            Page::TokenRefused { reason: "the token has expired".into() },
            Page::Forbidden { missing: vec!["apim:subscribe".into()] },
            Page::ForeignOrigin,
            Page::PortalDown,
            Page::PortalSlow,
            Page::Unavailable,
            Page::Overloaded,
            Page::TooManyRequests,
            Page::SignInRefused,
            Page::NotFound,
            Page::SignedOut { sign_in_url: "/.doorward/sign-in".into() },
            Page::ForeignForm,
            Page::StaleForm,
            Page::BadForm,
        ]
    }

    #[test]
    fn every_page_says_what_happened_and_shows_a_way_out_and_the_request_id() {
        let pages = HtmlPages::new(None);
        for languages in ["en", "ar"] {
            for page in all() {
                let html = pages.render(&page, PageContext { languages, ..context() });
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
    fn a_refused_sign_in_of_the_portals_is_not_opened_again_as_a_page() {
        let html = HtmlPages::new(None).with_home("/devportal/apis").render(&Page::SignInRefused, context());
        assert!(html.contains("class=\"button\" href=\"&#x2f;devportal&#x2f;apis"), "{html}");
        assert!(!html.contains("href=\"\""), "{html}");
    }

    #[test]
    fn arabic_is_written_from_right_to_left() {
        let html = HtmlPages::new(None)
            .render(&Page::PortalDown, PageContext { languages: "ar-EG,en;q=0.5", ..context() });
        assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">"), "{html}");
    }

    #[test]
    fn a_page_wears_its_tenants_brand() {
        let tenant = TenantId::parse("acme.com").unwrap();
        let html = HtmlPages::new(None).with_home("/devportal/apis").render(
            &Page::PortalDown,
            PageContext {
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
        let page = Page::UnknownTenant { tenant: "x".into() };
        assert!(HtmlPages::new(None).render(&page, context()).contains(".doorward&#x2f;tenants"));
        let hidden = HtmlPages::new(None).with_tenant_list(false).render(&page, context());
        assert!(!hidden.contains(".doorward&#x2f;tenants") && hidden.contains("class=\"button\""));
    }

    /// Attack: a tenant name or a sign-in address that carries markup or a script.
    #[test]
    fn cross_site_scripting_through_names_and_addresses() {
        let pages = HtmlPages::new(None);
        for page in [
            Page::UnknownTenant { tenant: "<img src=x onerror=alert(1)>".into() },
            Page::SignInNeeded { sign_in_url: Some("javascript:alert(1)".into()) },
            Page::SignInLoop { sign_in_url: "/\"><script>alert(1)</script>".into() },
            Page::Forbidden { missing: vec!["<script>".into()] },
        ] {
            let html = pages.render(
                &page,
                PageContext { request_id: "<script>", logo: Some("javascript:alert(1)"), ..context() },
            );
            assert!(
                !html.contains("<script") && !html.contains("<img") && !html.contains("javascript:"),
                "{html}"
            );
        }
    }
}
