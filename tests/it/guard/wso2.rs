//! The guard in front of WSO2's own login: `/commonauth` as API Manager answers it, and the recipes as the documents show them.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Portal, Reply, TestProxy, answer::Answer, double::Received, proxy::TestProxyBuilder};

const FORM: &str = "application/x-www-form-urlencoded";
const RIGHT: &str = "correct horse";
/// Of one sign-in, as the login page carries it in a hidden field.
const KEY: &str = "9f3b1c52-7a55-4e0c-9d0b-2b8a8d0c6f11";

/// `/commonauth` of API Manager 4.x: it always redirects, to the authorization endpoint that takes the sign-in up again, or back to the
/// login page with the parameters of the caller.
fn identity_server() -> (Portal, Arc<Mutex<u32>>) {
    let checked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&checked);
    let portal = Portal::answering("devportal").route_with("/", move |request| {
        if !request.path().ends_with("/commonauth") {
            return Reply::text("devportal");
        }
        let field = |name: &str| field(request, name);
        let host = format!("https://{}", request.header("host").unwrap_or_default());
        if request.method == "GET" {
            let out = format!("{host}/devportal/services/auth/callback/logout");
            return Reply::text("").status(302).header("location", &out);
        }
        if field("sessionDataKey") != KEY {
            let page = "/authenticationendpoint/retry.do?status=Authentication+Failed&statusMsg=Session+expired";
            return Reply::text("").status(302).header("location", &format!("{host}{page}"));
        }
        *count.lock().unwrap() += 1;
        if (field("username").as_str(), field("password").as_str()) == ("alex", RIGHT) {
            let on = format!("{host}/oauth2/authorize?sessionDataKey={KEY}");
            return Reply::text("").status(302).header("location", &on).header("set-cookie", "commonAuthId=x; Path=/");
        }
        // the parameters of the authorization request are repeated, percent-encoded
        let page = "/authenticationendpoint/login.do?client_id=devportal&commonAuthCallerPath=%2Foauth2%2Fauthorize\
            &forceAuth=false&passiveAuth=false\
            &redirect_uri=https%3A%2F%2Fportal%2Fdevportal%2Fservices%2Fauth%2Fcallback%2Flogin&response_type=code\
            &scope=apim%3Asubscribe+openid&state=%2Foauth2%2Fauthorize%3FsessionDataKey%3D1&tenantDomain=carbon.super\
            &type=oidc&sp=apim_devportal&isSaaSApp=true&authenticators=BasicAuthenticator%3ALOCAL\
            &authFailure=true&authFailureMsg=login.fail.message";
        Reply::text("").status(302).header("location", &format!("{host}{page}&sessionDataKey={KEY}"))
    });
    (portal.start(), checked)
}

fn field(request: &Received, wanted: &str) -> String {
    let found = url::form_urlencoded::parse(&request.body).find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The `[[guard]]`s for WSO2 of a document, taken from its examples.
fn recipe(document: &str) -> Value {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(file).unwrap();
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let guards = blocks.filter_map(|block| block.parse::<toml::Table>().unwrap().remove("guard"));
    let guards: Vec<Value> = guards.map(|guards| serde_json::to_value(guards).unwrap()).collect();
    let wso2 = guards.into_iter().find(|guards| guards[0]["match"] == "/commonauth");
    wso2.unwrap_or_else(|| panic!("{document} has no recipe for /commonauth"))
}

/// WSO2's profile, with nothing but the recipe.
fn guarded(portal: &Portal, document: &str) -> TestProxyBuilder {
    TestProxy::in_front_of(portal).accounts().lockout(5).setting("guard", recipe(document))
}

fn sign_in(proxy: &TestProxy, user: &str, password: &str) -> Answer {
    sign_in_with(proxy, user, password, KEY)
}

fn sign_in_with(proxy: &TestProxy, user: &str, password: &str, key: &str) -> Answer {
    sign_in_at(proxy, "/commonauth", &[("username", user), ("password", password), ("sessionDataKey", key)])
}

fn sign_in_at(proxy: &TestProxy, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    proxy.post(path).browser().header("content-type", FORM).body(body).send()
}

fn in_each_document(test: impl Fn(&str)) {
    for document in ["docs/INTEGRATIONS.md", "docs/guides/login-guard.md"] {
        test(document);
    }
}

#[test]
fn five_wrong_passwords_lock_a_name_and_no_sixth_is_checked() {
    in_each_document(|document| {
        let (portal, checked) = identity_server();
        let proxy = guarded(&portal, document).start();
        for turn in 0..5 {
            let wrong = sign_in(&proxy, "alex", &format!("guess {turn}"));
            assert!(wrong.location().contains("authFailure=true"), "{document}: {}", wrong.location());
        }
        let locked = sign_in(&proxy, "alex", RIGHT);
        assert_eq!((locked.status, *checked.lock().unwrap()), (401, 5), "{document}");
        assert!(
            locked.header("set-cookie").is_none_or(|cookie| !cookie.contains("commonAuthId")),
            "{document}"
        );
        // another user is not affected
        assert_eq!(sign_in(&proxy, "bea", "x").status, 302, "{document}");
    });
}

#[test]
fn right_password_resets_the_counter_of_wso2_logins() {
    in_each_document(|document| {
        let (portal, checked) = identity_server();
        let proxy = guarded(&portal, document).start();
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(sign_in(&proxy, "alex", "wrong").status, 302, "{document}");
            }
            let right = sign_in(&proxy, "alex", RIGHT);
            assert!(
                right.location().ends_with(&format!("/oauth2/authorize?sessionDataKey={KEY}")),
                "{document}"
            );
        }
        assert_eq!(*checked.lock().unwrap(), 15, "{document}");
    });
}

/// Attack: the state of one's own authorization request comes back in the answer to a wrong password, and looks like the right one's.
#[test]
fn attack_failure_redirect_that_quotes_the_success_url() {
    in_each_document(|document| {
        let portal = Portal::answering("").route_with("/commonauth", |_| {
            let quoted =
                "/authenticationendpoint/login.do?state=/oauth2/authorize?sessionDataKey=1&authFailure=true";
            Reply::text("").status(302).header("location", quoted)
        });
        let portal = portal.start();
        let proxy = guarded(&portal, document).start();
        let statuses: Vec<u16> = (0..6).map(|_| sign_in(&proxy, "alex", "guess").status).collect();
        assert_eq!(statuses, [302, 302, 302, 302, 302, 401], "{document}");
    });
}

#[test]
fn sign_out_is_not_counted_and_an_expired_page_is() {
    in_each_document(|document| {
        let (portal, _) = identity_server();
        let proxy = guarded(&portal, document).start();
        for _ in 0..8 {
            let out = proxy
                .get("/commonauth?commonAuthLogout=true&type=oidc&relyingParty=devportal")
                .browser()
                .send();
            assert_eq!(out.status, 302, "{document}");
        }
        let statuses: Vec<u16> = (0..6).map(|_| sign_in_with(&proxy, "alex", RIGHT, "old").status).collect();
        assert_eq!(statuses, [302, 302, 302, 302, 302, 401], "{document}");
    });
}

/// Attack: the same endpoint below a tenant or an organisation.
#[test]
fn attack_a_sign_in_below_a_tenant_or_an_organisation() {
    in_each_document(|document| {
        let (portal, checked) = identity_server();
        let proxy = guarded(&portal, document)
            .tenant("acme.com", &serde_json::json!({"EnableAnonymous": true}))
            .setting("access.route", serde_json::json!([{"match": "/o/**", "access": "open"}]))
            .start();
        for path in [
            "/commonauth",
            "/t/carbon.super/commonauth",
            "/t/acme.com/commonauth",
            "/t/acme.com/commonauth/",
            "/t/acme.com/CommonAuth",
            "/o/unit/commonauth",
            "/o/commonauth",
        ] {
            for turn in 0..5 {
                let attempt = turn.to_string();
                sign_in_at(
                    &proxy,
                    path,
                    &[("username", "alex"), ("password", &attempt), ("sessionDataKey", KEY)],
                );
            }
        }
        assert_eq!(*checked.lock().unwrap(), 5, "{document}");
    });
}

/// Attack: WSO2's servlet handles `GET` like `POST`, so a one-time code may be in the query.
#[test]
fn attack_a_one_time_code_in_the_query_of_a_get() {
    in_each_document(|document| {
        let portal = Portal::answering("devportal").route_with("/commonauth", |request| {
            let is_guess = request.target.contains("answer=");
            let failed = "/authenticationendpoint/totp.do?authFailure=true";
            Reply::text("").status(302).header("location", if is_guess { failed } else { "/devportal" })
        });
        let portal = portal.start();
        let proxy = guarded(&portal, document).start();
        let ask = |method: &str, query: &str| {
            proxy.request(method, &format!("/commonauth?{query}")).browser().send()
        };
        for method in ["GET", "HEAD"] {
            for query in ["sessionDataKey=x&token=123456", "sessionDataKey=x&code=123456", "Token[]=123456"] {
                assert_eq!(ask(method, query).status, 400, "{document} {method} {query}");
            }
        }
        assert!(portal.received_nothing(), "{document}");
        // redirects of the sign-in and of the sign-out are no failures, however many there are
        for turn in 0..60 {
            for query in ["commonAuthLogout=true&type=oidc", "sessionDataKey=x&code=y&state=z"] {
                assert_eq!(ask("GET", query).status, 302, "{document} {turn} {query}");
            }
        }
        portal.clear_received();
        for turn in 0..20 {
            ask(if turn % 2 == 0 { "GET" } else { "HEAD" }, &format!("sessionDataKey=x&answer={turn}"));
        }
        assert_eq!(portal.received().len(), 5, "{document}");
    });
}

/// Second factors and answers of an identity provider are sent to the same address, without a user name.
#[test]
fn a_second_factor_gets_through() {
    in_each_document(|document| {
        let (portal, _) = identity_server();
        let proxy = guarded(&portal, document).start();
        let code = sign_in_at(&proxy, "/commonauth", &[("token", "123456"), ("sessionDataKey", KEY)]);
        assert!(code.location().contains("authFailure=true"), "{document}: {}", code.status);
        let statuses: Vec<u16> = (0..5)
            .map(|_| sign_in_at(&proxy, "/commonauth", &[("token", "1"), ("sessionDataKey", KEY)]).status)
            .collect();
        assert_eq!(statuses, [302, 302, 302, 302, 401], "{document}");
    });
}
