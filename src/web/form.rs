//! Reading a form of ours: only as our pages send it, from our pages, and not too much of it.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use url::form_urlencoded;

use crate::{
    domain::{browser, page::Page},
    session::csrf,
    visit::Visit,
};

/// Two passwords, a name and an address fit many times over.
pub const LONGEST: usize = 16 * 1024;

/// What was sent. Fields that are there twice say nothing: our pages send each once.
pub struct Form {
    fields: Vec<(String, String)>,
    vouched_for: bool,
}

/// Why a form is not looked at any further.
#[derive(Debug, PartialEq, Eq)]
pub enum NotRead {
    /// Another website sent it.
    Foreign,
    TooLong,
    NotAForm,
    /// It broke off; nobody waits for an answer.
    BrokeOff,
}

impl NotRead {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BrokeOff => StatusCode::BAD_REQUEST,
        }
    }

    pub const fn page(&self) -> Page {
        match self {
            Self::Foreign => Page::ForeignForm,
            Self::TooLong | Self::NotAForm | Self::BrokeOff => Page::BadForm,
        }
    }
}

impl Form {
    /// Who sent it is looked at before anything of it is read.
    pub async fn read(visit: &Visit, request: Request<Body>) -> Result<Self, NotRead> {
        if is_foreign(visit, request.headers()) {
            return Err(NotRead::Foreign);
        }
        let vouched_for = is_vouched_for(visit, request.headers());
        if !is_form(request.headers()) {
            return Err(NotRead::NotAForm);
        }
        let body = Limited::new(request.into_body(), LONGEST).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { NotRead::TooLong } else { NotRead::BrokeOff }
        })?;
        Ok(Self { fields: form_urlencoded::parse(&body.to_bytes()).into_owned().collect(), vouched_for })
    }

    /// The browser says that one of our own pages sent this, not only that no other website did.
    pub const fn is_vouched_for(&self) -> bool {
        self.vouched_for
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

/// Did another website make the browser send this?
fn is_foreign(visit: &Visit, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    let foreign_to = |own: Option<&str>| csrf::is_cross_site(site, origin, own);
    foreign_to(None) && visit.own_origins.iter().all(|own| foreign_to(Some(own)))
}

fn is_vouched_for(visit: &Visit, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (site, origin) = (text("sec-fetch-site"), text("origin"));
    browser::from_own_page(site, origin, None)
        || visit.own_origins.iter().any(|own| browser::from_own_page(site, origin, Some(own)))
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media
        .split(';')
        .next()
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit() -> Visit {
        Visit {
            tenant: Err(Page::NotFound),
            address: [192, 0, 2, 1].into(),
            https: true,
            own_origins: vec!["https://portal.example".to_owned(), "http://portal.example".to_owned()],
            several_tenants: false,
        }
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    async fn read(headers: &[(&str, &str)], body: impl Into<Body>) -> Result<Form, NotRead> {
        let request =
            headers.iter().fold(Request::post("/"), |request, (name, value)| request.header(*name, *value));
        Form::read(&visit(), request.body(body.into()).unwrap()).await
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
        let error = read(&[FORM], vec![b'a'; LONGEST + 1]).await.err();
        assert_eq!(error, Some(NotRead::TooLong));
        assert!(read(&[FORM], vec![b'a'; LONGEST]).await.is_ok());
    }

    #[tokio::test]
    async fn attack_cross_site_request_forgery_by_a_form_of_another_website() {
        for foreign in [
            &[FORM, ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[FORM, ("sec-fetch-site", "same-site"), ("origin", "https://portal.example")],
            &[FORM, ("origin", "https://evil.example")],
            &[FORM, ("origin", "https://portal.example.evil.example")],
            &[FORM, ("sec-fetch-site", "none")],
            &[FORM, ("origin", "\u{e9}")],
        ] {
            assert_eq!(read(foreign, "a=1").await.err(), Some(NotRead::Foreign), "{foreign:?}");
        }
        for (own, vouched_for) in [
            (&[FORM, ("sec-fetch-site", "same-origin")][..], true),
            (&[FORM, ("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[FORM, ("origin", "https://portal.example")], true),
            // nobody has said anything: the token decides
            (&[FORM, ("origin", "null")], false),
            (&[FORM], false),
        ] {
            let form = read(own, "a=1").await.unwrap_or_else(|_| panic!("{own:?}"));
            assert_eq!(form.is_vouched_for(), vouched_for, "{own:?}");
        }
    }

    #[tokio::test]
    async fn what_a_script_of_another_website_may_send_unasked_is_no_form() {
        for media in ["text/plain", "multipart/form-data; boundary=x", "application/json", ""] {
            let error = read(&[("content-type", media)], "a=1").await.err();
            assert_eq!(error, Some(NotRead::NotAForm), "{media}");
        }
        assert!(
            read(&[("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")], "").await.is_ok()
        );
    }
}
