//! Browsers that sign in: cookies, and the forms of pages.

use super::{
    Jar, TestProxy,
    answer::Answer,
    request::{Endpoint, RequestBuilder},
};

/// A browser: its cookies, and the form it has in front of it.
pub struct TestBrowser<'g> {
    endpoint: &'g Endpoint,
    tls: bool,
    pub jar: Jar,
}

/// A form as it was shown.
pub struct FormPage {
    pub page: Answer,
    action: String,
    hidden: Vec<(String, String)>,
}

impl TestProxy {
    pub fn browser(&self) -> TestBrowser<'_> {
        TestBrowser::new(&self.endpoint)
    }
}

impl<'g> TestBrowser<'g> {
    pub fn new(endpoint: &'g Endpoint) -> Self {
        Self { endpoint, tls: false, jar: Jar::default() }
    }

    pub fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// A client with the stolen cookies of another browser.
    pub fn with_cookies_of(mut self, other: &TestBrowser<'_>) -> Self {
        self.jar = other.jar.clone();
        self
    }

    pub fn get(&mut self, target: &str) -> Answer {
        let ask = RequestBuilder::new(self.endpoint.clone(), "GET", target).browser().with_jar(&mut self.jar);
        if self.tls { ask.tls().send() } else { ask.send() }
    }

    pub fn open(&mut self, target: &str) -> FormPage {
        FormPage::parse(self.get(target))
    }

    pub fn submit(&mut self, form: &FormPage, fields: &[(&str, &str)]) -> Answer {
        self.post(&form.action, &form.body(fields), &[("sec-fetch-site", "same-origin")])
    }

    pub fn post(&mut self, target: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let ask = RequestBuilder::new(self.endpoint.clone(), "POST", target)
            .header("accept", "text/html")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let ask = ask.with_jar(&mut self.jar);
        if self.tls { ask.tls().send() } else { ask.send() }
    }

    /// Opens the sign-in page, submits it, and returns the answer.
    pub fn sign_in(&mut self, tenant: &str, username: &str, password: &str) -> Answer {
        let form = self.open(&format!("/.doorward/sign-in?tenant={tenant}"));
        self.submit(&form, &[("username", username), ("password", password)])
    }

    /// Whether this browser may see its account.
    pub fn is_signed_in(&mut self) -> bool {
        self.get("/.doorward/account").status == 200
    }
}

impl FormPage {
    #[track_caller]
    pub fn parse(page: Answer) -> Self {
        let html = page.text();
        let form = html.split("<form").nth(1).unwrap_or_else(|| panic!("no form in {html}"));
        let attribute = |tag: &str, name: &str| {
            let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
            Some(value.replace("&#x2f;", "/").replace("&amp;", "&").replace("&#x3d;", "="))
        };
        let hidden = form
            .split("<input type=\"hidden\"")
            .skip(1)
            .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)));
        let (action, hidden) = (attribute(form, "action").expect("an action"), hidden.collect());
        Self { page, action, hidden }
    }

    pub fn hidden(&self, name: &str) -> &str {
        self.hidden.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// As a browser encodes it; a field given here takes the place of a hidden one.
    pub fn body(&self, fields: &[(&str, &str)]) -> String {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.hidden {
            if !fields.iter().any(|(given, _)| given == name) {
                body.append_pair(name, value);
            }
        }
        body.extend_pairs(fields).finish()
    }
}
