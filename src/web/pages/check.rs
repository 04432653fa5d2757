//! `doorward check` of the operator's texts and templates: every page is rendered once.

use std::path::Path;

use super::{HtmlPages, LOCALES, PROBLEM_TEMPLATE, PageMessage, TEMPLATES, tenant_page_values};
use crate::{
    config::Mistake,
    domain::{page::RenderContext, return_address::ReturnAddress, tenant::TenantId},
    web::{
        gallery::samples,
        i18n, template,
        tenant_list::{TenantPage, TenantQuery},
    },
};

/// `folder`: the configuration's.
pub fn mistakes(folder: &Path) -> Vec<Mistake> {
    let templates = folder.join(TEMPLATES);
    let mut found = i18n::mistakes(&folder.join(LOCALES));
    found.extend(template::mistakes(&templates));
    // a file that cannot be read is not rendered, and ours are held by their tests
    for failure in HtmlPages::new(Some(folder)).failures() {
        let mistake = template::mistake(&templates, &failure);
        if !found.contains(&mistake) {
            found.push(mistake);
        }
    }
    found
}

impl HtmlPages {
    /// Errors of the operator's templates, found by rendering every page.
    fn failures(&self) -> Vec<minijinja::Error> {
        let locale = self.texts.negotiate("");
        let tenant = TenantId::super_tenant();
        let frames = [None, Some(&tenant)].map(|tenant| RenderContext {
            request_id: "0190",
            tenant,
            name: Some("Name"),
            logo: tenant.map(|_| "/logo.svg"),
            accent: tenant.map(|_| "#b3261e"),
            languages: "",
        });
        let mut failures = Vec::new();
        for frame in frames {
            for (_, page) in samples::pages() {
                failures.extend(self.templates.failure(
                    PROBLEM_TEMPLATE,
                    self.message_values(&locale, frame, &PageMessage::for_page(&page)),
                ));
            }
            for (_, form) in samples::forms() {
                failures.extend(self.templates.failure(form.template(), self.form_values(&*form, frame)));
            }
            for query in ["", "unknown"] {
                let tenant_query =
                    TenantQuery { to: None::<ReturnAddress>, query: query.to_owned(), page: 1 };
                let names = vec![tenant.clone(); 200];
                let listing = TenantPage::new(&names, tenant_query, "/");
                failures.extend(
                    self.templates
                        .failure("tenants.html", tenant_page_values(&listing, &locale, "Title", frame)),
                );
            }
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn reported_mistakes(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let prefix = format!("{}/", folder.path().display());
        mistakes(folder.path()).iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect()
    }

    #[test]
    fn copies_of_our_own_have_no_mistakes() {
        let ours = [
            ("templates/layout.html", include_str!("../templates/layout.html")),
            ("templates/sign-in.html", include_str!("../templates/sign-in.html")),
            ("templates/tenants.html", include_str!("../templates/tenants.html")),
            ("templates/problem.html", include_str!("../templates/problem.html")),
            ("templates/account.html", include_str!("../templates/account.html")),
            ("locales/en.ftl", include_str!("../locales/en.ftl")),
        ];
        assert_eq!(reported_mistakes(&ours), Vec::<String>::new());
    }

    #[test]
    fn render_failures_are_reported_once_with_their_line() {
        for (file, text, expected) in [
            (
                "templates/mark.html",
                "<b>\n{{ no_such_variable }}",
                "templates/mark.html:2:1: undefined value: `no_such_variable` is undefined (",
            ),
            ("templates/sign-in.html", "{{ logn }}", "templates/sign-in.html:1:1: undefined value"),
            ("templates/account.html", "{{ sessions.x.y }}", "templates/account.html:1:1: undefined value"),
            (
                "templates/tenants.html",
                "{% include \"no-such.html\" %}",
                "templates/tenants.html:1:1: template not found",
            ),
            ("templates/problem.html", "{{ t() }}", "templates/problem.html:1:1: missing argument"),
            ("templates/problem.html", "{% if %}", "templates/problem.html:1:1: syntax error"),
        ] {
            let all = reported_mistakes(&[(file, text)]);
            assert_eq!(all.len(), 1, "{text}: {all:?}");
            assert!(all[0].starts_with(expected), "{text}: {all:?}");
        }
    }
}
