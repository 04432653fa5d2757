//! Reads a form of Doorward's own pages: origin, content type and size are checked.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use url::form_urlencoded;

use crate::{
    domain::{browser, page::StatusPage},
    http::media_type,
    session::csrf,
    web_context::PageContext,
};

/// Maximum size of a form body; forms are much smaller.
pub const MAX_FORM_BYTES: usize = 16 * 1024;

/// The fields of a form. Duplicate fields are ignored: Doorward's pages send each once.
pub struct Form {
    fields: Vec<(String, String)>,
    is_from_own_page: bool,
}

/// Why a form is rejected before it is evaluated.
#[derive(Debug, PartialEq, Eq)]
pub enum FormReadError {
    /// Another website sent it.
    CrossSite,
    TooLong,
    NotAForm,
    /// The body ended early; the client no longer waits for a response.
    Incomplete,
}

impl FormReadError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Incomplete => StatusCode::BAD_REQUEST,
        }
    }

    pub const fn page(&self) -> StatusPage {
        match self {
            Self::CrossSite => StatusPage::CrossSiteForm,
            Self::TooLong | Self::NotAForm | Self::Incomplete => StatusPage::BadForm,
        }
    }
}

impl Form {
    /// The origin is checked before the body is read.
    pub async fn read(context: &PageContext, request: Request<Body>) -> Result<Self, FormReadError> {
        if is_sent_by_other_site(context, request.headers()) {
            return Err(FormReadError::CrossSite);
        }
        let vouched_for = is_vouched_for(context, request.headers());
        if !media_type::is_utf8_of(request.headers(), media_type::FORM) {
            return Err(FormReadError::NotAForm);
        }
        let body = Limited::new(request.into_body(), MAX_FORM_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { FormReadError::TooLong } else { FormReadError::Incomplete }
        })?;
        Ok(Self {
            fields: form_urlencoded::parse(&body.to_bytes()).into_owned().collect(),
            is_from_own_page: vouched_for,
        })
    }

    /// Fetch metadata or `Origin` prove that an own page sent this, not only that no other site did.
    pub const fn is_from_own_page(&self) -> bool {
        self.is_from_own_page
    }

    /// Empty where it is missing.
    pub fn field(&self, name: &str) -> &str {
        let mut values = self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => "",
        }
    }
}

/// Whether another site made the browser send this (CSRF).
fn is_sent_by_other_site(context: &PageContext, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    let foreign_to = |own: Option<&str>| csrf::is_cross_site(site, origin, own);
    foreign_to(None) && context.own_origins.iter().all(|own| foreign_to(Some(own)))
}

fn is_vouched_for(context: &PageContext, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    browser::is_same_origin(site, origin, None)
        || context.own_origins.iter().any(|own| browser::is_same_origin(site, origin, Some(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> PageContext {
        PageContext {
            tenant: Err(StatusPage::NotFound),
            address: [192, 0, 2, 1].into(),
            https: true,
            own_origins: vec!["https://portal.example".to_owned(), "http://portal.example".to_owned()],
            several_tenants: false,
        }
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    async fn read(headers: &[(&str, &str)], body: impl Into<Body>) -> Result<Form, FormReadError> {
        let request =
            headers.iter().fold(Request::post("/"), |request, (name, value)| request.header(*name, *value));
        Form::read(&context(), request.body(body.into()).unwrap()).await
    }

    #[tokio::test]
    async fn a_form_is_read_field_by_field() {
        let form = read(&[FORM], "a=1+%2B&b=%C3%A9&c=x&c=y&=z").await.unwrap_or_else(|_| panic!());
        assert_eq!(
            [form.field("a"), form.field("b"), form.field("c"), form.field("d")],
            ["1 +", "é", "", ""]
        );
    }

    #[tokio::test]
    async fn attack_oversized_form_is_not_kept_in_memory() {
        let error = read(&[FORM], vec![b'a'; MAX_FORM_BYTES + 1]).await.err();
        assert_eq!(error, Some(FormReadError::TooLong));
        assert!(read(&[FORM], vec![b'a'; MAX_FORM_BYTES]).await.is_ok());
    }

    #[tokio::test]
    async fn attack_csrf_by_a_form_of_another_site() {
        for foreign in [
            &[FORM, ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[FORM, ("sec-fetch-site", "same-site"), ("origin", "https://portal.example")],
            &[FORM, ("origin", "https://evil.example")],
            &[FORM, ("origin", "https://portal.example.evil.example")],
            &[FORM, ("sec-fetch-site", "none")],
            &[FORM, ("origin", "\u{e9}")],
        ] {
            assert_eq!(read(foreign, "a=1").await.err(), Some(FormReadError::CrossSite), "{foreign:?}");
        }
        for (own, vouched_for) in [
            (&[FORM, ("sec-fetch-site", "same-origin")][..], true),
            (&[FORM, ("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[FORM, ("origin", "https://portal.example")], true),
            // no fetch metadata and no Origin: the token decides
            (&[FORM, ("origin", "null")], false),
            (&[FORM], false),
        ] {
            let form = read(own, "a=1").await.unwrap_or_else(|_| panic!("{own:?}"));
            assert_eq!(form.is_from_own_page(), vouched_for, "{own:?}");
        }
    }

    #[tokio::test]
    async fn rejects_content_types_that_need_no_preflight() {
        for media in ["text/plain", "multipart/form-data; boundary=x", "application/json", ""] {
            let error = read(&[("content-type", media)], "a=1").await.err();
            assert_eq!(error, Some(FormReadError::NotAForm), "{media}");
        }
        assert!(
            read(&[("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")], "").await.is_ok()
        );
    }
}
