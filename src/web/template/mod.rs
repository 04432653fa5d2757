//! Templates: embedded, and replaced one by one by files of the operator's. A replacement that is broken is
//! reported and never shown.

mod check;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwapOption;
use fluent_bundle::{FluentArgs, FluentValue};
use minijinja::{
    Environment, Error, State, UndefinedBehavior, Value,
    value::{Kwargs, ValueKind},
};

use super::i18n::Texts;

pub use check::{mistake, mistakes};

const EMBEDDED_TEMPLATES: [(&str, &str); 11] = [
    ("account.html", include_str!("../templates/account.html")),
    ("alert.html", include_str!("../templates/alert.html")),
    ("layout.html", include_str!("../templates/layout.html")),
    ("mark.html", include_str!("../templates/mark.html")),
    ("name-field.html", include_str!("../templates/name-field.html")),
    ("password-field.html", include_str!("../templates/password-field.html")),
    ("password.html", include_str!("../templates/password.html")),
    ("problem.html", include_str!("../templates/problem.html")),
    ("sign-in.html", include_str!("../templates/sign-in.html")),
    ("sign-out.html", include_str!("../templates/sign-out.html")),
    ("tenants.html", include_str!("../templates/tenants.html")),
];

/// The files an operator may put into `folder`, beside the configuration.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    EMBEDDED_TEMPLATES.iter().map(|(name, _)| folder.join(name)).collect()
}

/// Shown if a built-in template fails, which the tests rule out.
const LAST_RESORT: &str = "<!doctype html><html lang=\"en\"><title>Doorward</title>\
    <h1>Something went wrong</h1><p>Please try again in a moment.</p></html>";

pub struct Templates {
    folder: Option<PathBuf>,
    texts: Arc<Texts>,
    embedded: Environment<'static>,
    /// With the operator's files in place of ours; empty when there are none.
    overridden: ArcSwapOption<Environment<'static>>,
}

impl Templates {
    /// `folder`: `templates/` beside the configuration file; it need not exist.
    pub fn new(folder: Option<PathBuf>, texts: Arc<Texts>) -> Self {
        let embedded = embedded_environment(&texts);
        let templates = Self { folder, texts, embedded, overridden: ArcSwapOption::empty() };
        templates.reload();
        templates
    }

    /// Reads the operator's files again.
    pub fn reload(&self) {
        let replaced = self.folder.as_deref().and_then(|folder| load_overrides(folder, &self.texts));
        self.overridden.store(replaced.map(Into::into));
    }

    /// Why a page cannot be rendered with the operator's templates, where they have replaced any.
    pub fn failure(&self, name: &str, context: Value) -> Option<Error> {
        let environment = self.overridden.load_full()?;
        environment.get_template(name).and_then(|template| template.render(context)).err()
    }

    /// Never fails: if a replacement cannot be rendered, the built-in template is used.
    pub fn render(&self, name: &str, context: Value) -> String {
        if let Some(environment) = &*self.overridden.load() {
            match environment.get_template(name).and_then(|template| template.render(context.clone())) {
                Ok(page) => return page,
                Err(error) => {
                    tracing::error!(template = name, %error, "a replaced template fails; showing the built-in one");
                }
            }
        }
        self.embedded.get_template(name).and_then(|template| template.render(context)).unwrap_or_else(
            |error| {
                tracing::error!(template = name, %error, "a built-in template fails");
                LAST_RESORT.to_owned()
            },
        )
    }
}

fn embedded_environment(texts: &Arc<Texts>) -> Environment<'static> {
    let mut environment = Environment::new();
    // `t("key")` inside a template; an unknown variable is an error, so that a misspelt one is found
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    let texts = Arc::clone(texts);
    environment.add_function("t", move |state: &State, key: String, values: Kwargs| {
        template_text(&texts, state, &key, &values)
    });
    for (name, source) in EMBEDDED_TEMPLATES {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(template = name, %error, "a built-in template has a mistake");
        }
    }
    environment
}

/// `None` when the folder holds no replacement.
fn load_overrides(folder: &Path, texts: &Arc<Texts>) -> Option<Environment<'static>> {
    let mut environment = embedded_environment(texts);
    let mut any = false;
    for (name, _) in EMBEDDED_TEMPLATES {
        let file = folder.join(name);
        let source = match fs::read_to_string(&file) {
            Ok(source) => source,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "a template cannot be read; showing the built-in one");
                continue;
            }
        };
        match environment.add_template_owned(name, source) {
            Ok(()) => any = true,
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "a template has a mistake; showing the built-in one");
            }
        }
    }
    any.then_some(environment)
}

/// The template function `t(key, name=value, …)`: the text in the page's language.
fn template_text(texts: &Texts, state: &State, key: &str, values: &Kwargs) -> Result<String, Error> {
    let language = state.lookup("lang");
    let mut arguments = FluentArgs::new();
    for name in values.args() {
        let value: Value = values.get(name)?;
        arguments.set(name.to_owned(), to_fluent_value(&value));
    }
    let tag = language.as_ref().and_then(Value::as_str).unwrap_or_default();
    Ok(texts.locale(tag).text(key, &arguments))
}

fn to_fluent_value(value: &Value) -> FluentValue<'static> {
    match value.kind() {
        ValueKind::Number => i64::try_from(value.clone()).map_or(FluentValue::None, FluentValue::from),
        _ => FluentValue::from(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;
    use crate::web::test_overrides::folder;

    fn texts() -> Arc<Texts> {
        Arc::new(Texts::new(None))
    }

    fn templates(folder: &Path) -> Templates {
        Templates::new(Some(folder.to_owned()), texts())
    }

    #[test]
    fn a_file_of_the_operators_replaces_ours() {
        let folder = folder(&[("mark.html", "our own mark: {{ t(\"action-home\") }}")]);
        let templates = templates(folder.path());
        let rendered = templates.render("mark.html", context! { lang => "en" });
        assert_eq!(rendered, "our own mark: Go to the start page");
    }

    #[test]
    fn a_broken_replacement_gives_way_to_the_built_in_template() {
        for broken in ["{% if %}", "{{ no_such_variable }}", "{{ t() }}", "{% include \"no-such-file\" %}"] {
            let folder = folder(&[("mark.html", broken)]);
            let templates = templates(folder.path());
            let rendered = templates.render("mark.html", context! { lang => "en" });
            assert!(rendered.starts_with("<svg"), "{broken}: {rendered}");
        }
    }

    #[test]
    fn reload_reads_the_folder_again() {
        let folder = folder(&[]);
        let templates = templates(folder.path());
        assert!(templates.render("mark.html", context! {}).starts_with("<svg"));
        fs::write(folder.path().join("mark.html"), "new").unwrap();
        templates.reload();
        assert_eq!(templates.render("mark.html", context! {}), "new");
        fs::remove_file(folder.path().join("mark.html")).unwrap();
        templates.reload();
        assert!(templates.render("mark.html", context! {}).starts_with("<svg"));
    }

    /// Attack: markup in a value. Templates escape what they are given.
    #[test]
    fn attack_xss_by_template_value() {
        let folder = folder(&[("mark.html", "{{ name }} {{ t(\"unknown-tenant-title\", tenant=name) }}")]);
        let templates = templates(folder.path());
        let rendered = templates.render("mark.html", context! { lang => "en", name => "<script>" });
        assert!(!rendered.contains('<'), "{rendered}");
    }

    #[test]
    fn templates_hold_nothing_inline_that_the_policy_forbids() {
        for (name, source) in EMBEDDED_TEMPLATES {
            let scripts = source.matches("<script").count();
            assert_eq!(
                scripts,
                source.matches("<script src=\"{{ script_href }}\" defer></script>").count(),
                "{name}"
            );
            for forbidden in ["<style", "style=", "onclick", "javascript:", "| safe", "|safe"] {
                assert!(!source.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }

    #[test]
    fn every_text_a_template_asks_for_exists() {
        for (name, source) in EMBEDDED_TEMPLATES {
            for key in source.split("t(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
                let shown = texts().locale("en").plain(key);
                assert_ne!(shown, key, "{name}: {key}");
            }
        }
    }
}
