//! What a person sees of the gate, and what an operator can change about it.

use crate::support::{Gate, Idp, Portal, eventually};

const FORM: &str = "/devportal/applications";

/// A form of a website is sent with the visitor's cookies, whoever's website it is.
fn submit(gate: &Gate, token: &str, headers: &[(&str, &str)]) -> u16 {
    let (first, second) = token.split_at(token.len() / 2);
    let cookies = format!("WSO2_AM_TOKEN_1_Default={first}; AM_ACC_TOKEN_DEFAULT_P2={second}");
    let ask = gate.post(FORM).header("accept", "text/html").header("cookie", &cookies).body("name=Boat");
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().status
}

#[test]
fn attack_cross_site_request_forgery_with_the_split_cookies() {
    let (portal, idp) = (Portal::answering("").start(), Idp::start());
    let gate = Gate::before(&portal).anonymous(false).issuer(&idp).start();
    let token = idp.token().sign();
    for foreign in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")].as_slice(),
        &[("sec-fetch-site", "same-site"), ("origin", "http://neighbour.localhost")],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[],
    ] {
        assert_eq!(submit(&gate, &token, foreign), 401, "{foreign:?}");
    }
    assert!(portal.saw_nothing());
    let own = format!("http://{}", gate.authority());
    for own in [[("sec-fetch-site", "same-origin"), ("origin", "null")].as_slice(), &[("origin", &own)]] {
        assert_eq!(submit(&gate, &token, own), 200, "{own:?}");
    }
}

#[test]
fn a_socket_from_another_origin_is_told_so() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    let answer = gate
        .get("/devportal/home")
        .header("origin", "https://evil.test")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send();
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["detail"], "The request comes from a page of another origin");
    assert!(portal.saw_nothing());
}

#[test]
fn templates_of_the_operator_are_taken_over_while_running_and_broken_ones_are_not_shown() {
    let portal = Portal::answering("").start();
    let gate = Gate::before(&portal).start();
    let page = || gate.get("/devportal/apis?tenant=nobody.test").browser().send().text();
    assert!(page().contains("There is no tenant"));
    let folder = gate.folder().join("templates");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("problem.html"), "Ours: {{ title }}").unwrap();
    eventually(|| page().starts_with("Ours: There is no tenant"));
    std::fs::write(folder.join("problem.html"), "Ours: {{ tittle }}").unwrap();
    eventually(|| page().starts_with("<!doctype html>"));
}

#[test]
fn the_private_port_says_what_is_written_and_not_in_force() {
    let portal = Portal::answering("").start();
    let mut gate = Gate::before(&portal).start();
    let mistakes = |gate: &Gate| gate.admin("/config").json()["mistakes"].as_array().unwrap().clone();
    assert!(mistakes(&gate).is_empty());
    gate.break_deployment("[tenancy]\nttll = \"1m\"\n");
    eventually(|| mistakes(&gate).iter().any(|mistake| mistake["key"] == "tenancy.ttll"));
    gate.edit_deployment("tenancy.ttl", "1m");
    eventually(|| mistakes(&gate).is_empty());
}
