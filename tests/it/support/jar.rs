//! A browser's cookies, as far as our cookies need it: name, value, expiry by `Max-Age=0`, path.

use super::answer::Answer;

#[derive(Debug, Default, Clone)]
pub struct Jar(Vec<(String, String, String)>);

impl Jar {
    pub fn store(&mut self, answer: &Answer) {
        for line in answer.all("set-cookie") {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let attributes: Vec<(&str, &str)> =
                parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
            let attribute = |wanted: &str| {
                attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
            };
            let path = attribute("path").unwrap_or("/").to_owned();
            self.0.retain(|(n, _, p)| (n.as_str(), p) != (name, &path));
            if attribute("max-age").is_none_or(|age| age != "0") {
                self.0.push((name.to_owned(), value.to_owned(), path));
            }
        }
    }

    /// A cookie that another site has set.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(n, _, _)| n != name);
        self.0.push((name.to_owned(), value.to_owned(), "/".to_owned()));
    }

    /// The `Cookie` header for a path.
    pub fn header(&self, path: &str) -> Option<String> {
        let pairs: Vec<String> = self
            .0
            .iter()
            .filter(|(_, _, of)| path.starts_with(of.as_str()))
            .map(|(name, value, _)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[test]
fn jar_stores_replaces_and_deletes_cookies() {
    let output = |line: &str| Answer {
        status: 200,
        headers: vec![("Set-Cookie".to_owned(), line.to_owned())],
        body: Vec::new(),
        trailers: Vec::new(),
        interim: Vec::new(),
        complete: true,
    };
    let mut jar = Jar::default();
    jar.store(&output("a=1; Path=/; Secure"));
    jar.store(&output("b=2; Path=/deep"));
    jar.store(&output("a=3; Path=/"));
    assert_eq!(jar.header("/deep/er").as_deref(), Some("b=2; a=3"));
    jar.store(&output("a=; Path=/; Max-Age=0"));
    assert_eq!(jar.header("/"), None);
}
