//! The pages of the proxy, and what an operator can change about them.

use crate::support::{Idp, Portal, TestProxy, eventually};

const FORM: &str = "/devportal/applications";

/// A browser sends a form of any website with its cookies for ours.
fn submit(proxy: &TestProxy, token: &str, headers: &[(&str, &str)]) -> u16 {
    let (first, second) = token.split_at(token.len() / 2);
    let cookies = format!("WSO2_AM_TOKEN_1_Default={first}; AM_ACC_TOKEN_DEFAULT_P2={second}");
    let ask = proxy.post(FORM).header("accept", "text/html").header("cookie", &cookies).body("name=Boat");
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().status
}

#[test]
fn attack_cross_site_request_forgery_with_the_split_cookies() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let proxy = TestProxy::in_front_of(&portal).anonymous(false).issuer(&idp).start();
    let token = idp.token().sign();
    for foreign in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")].as_slice(),
        &[("sec-fetch-site", "same-site"), ("origin", "http://other.localhost")],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[],
    ] {
        assert_eq!(submit(&proxy, &token, foreign), 401, "{foreign:?}");
    }
    assert!(portal.received_nothing());
    let own = format!("http://{}", proxy.authority());
    for own in [[("sec-fetch-site", "same-origin"), ("origin", "null")].as_slice(), &[("origin", &own)]] {
        assert_eq!(submit(&proxy, &token, own), 200, "{own:?}");
    }
}

#[test]
fn websocket_from_another_origin_gets_403() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    let answer = proxy
        .get("/devportal/home")
        .header("origin", "https://evil.test")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send();
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["detail"], "The request comes from a page of another origin");
    assert!(portal.received_nothing());
}

#[test]
fn custom_templates_are_reloaded_and_broken_ones_ignored() {
    let portal = Portal::answering("").start();
    let proxy = TestProxy::in_front_of(&portal).start();
    let page = || proxy.get("/devportal/apis?tenant=unknown.test").browser().send().text();
    assert!(page().contains("There is no tenant"));
    let folder = proxy.folder().join("templates");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("problem.html"), "Ours: {{ title }}").unwrap();
    eventually(|| page().starts_with("Ours: There is no tenant"));
    std::fs::write(folder.join("problem.html"), "Ours: {{ tittle }}").unwrap();
    eventually(|| page().starts_with("<!doctype html>"));
}

#[test]
fn private_port_lists_configuration_mistakes() {
    let portal = Portal::answering("").start();
    let mut proxy = TestProxy::in_front_of(&portal).start();
    let mistakes = |proxy: &TestProxy| proxy.admin("/config").json()["mistakes"].as_array().unwrap().clone();
    assert!(mistakes(&proxy).is_empty());
    proxy.replace_deployment("[tenancy]\nttll = \"1m\"\n");
    eventually(|| mistakes(&proxy).iter().any(|mistake| mistake["key"] == "tenancy.ttll"));
    proxy.edit_deployment("tenancy.ttl", "1m");
    eventually(|| mistakes(&proxy).is_empty());
}
