//! Which bodies the guard reads, and that it stores nothing of them.

use serde_json::json;

use super::{FORM, RIGHT, basic, form, grant, guarded, portal, times};
use crate::support::TestProxy;

#[test]
fn attack_name_split_over_chunks() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let chunked = || {
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: {}\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n",
            proxy.authority()
        );
        let mut wire = proxy.raw(head);
        for piece in ["user", "name=al", "ex&pass", "word=wrong"] {
            wire.write(format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        wire.write("0\r\n\r\n");
        wire.answer("POST").unwrap().status
    };
    assert_eq!(std::array::from_fn::<_, 6, _>(|_| chunked()), [302, 302, 302, 302, 302, 401]);
    assert_eq!(portal.last_request().body, b"username=alex&password=wrong");
}

#[test]
fn attack_endless_body_at_a_guarded_endpoint() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let large = format!("x={}&username=alex", "y".repeat(64 * 1024));
    let post = |path: &str| proxy.post(path).header("content-type", FORM).body(large.as_str()).send().status;
    assert_eq!(post("/login"), 413);
    assert!(portal.received_nothing());
    assert_eq!(post("/upload"), 200);
    let mut wire = proxy.raw(format!(
        "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
    wire.write(format!("{:x}\r\n{large}\r\n", large.len()));
    assert_eq!(wire.answer("POST").unwrap().status, 413);
}

#[test]
fn unguarded_requests_are_not_inspected() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    let odd = "username=a&username=b&Username=c";
    for path in ["/logins", "/other/login", "/"] {
        let answer = proxy.post(path).header("content-type", "multipart/form-data").body(odd).send();
        assert_eq!(
            (answer.status < 400, portal.last_request().body),
            (true, odd.as_bytes().to_vec()),
            "{path}"
        );
    }
}

/// A request that never reached the portal is not counted.
#[test]
fn unreachable_portal_counts_no_failed_attempt() {
    let portal = portal().start();
    let proxy = guarded(&portal).start();
    portal.stop();
    assert_eq!(times(8, |_| form(&proxy, "/login", "alex", RIGHT).send()), [502; 8]);
}

/// A request that cannot be counted is not forwarded.
#[test]
fn guard_without_a_store_rejects_sign_ins() {
    let portal = portal().start();
    let own =
        json!({"Doorward": {"guards": [{"match": "/login", "user_in": "form", "succeeded_status": [302]}]}});
    let proxy = TestProxy::in_front_of(&portal).generic(&[]).tenant("acme.com", &own).start();
    let answer = form(&proxy, "/login?tenant=acme.com", "alex", RIGHT).send();
    assert_eq!((answer.status, portal.received_nothing()), (503, true));
    assert_eq!(proxy.get("/login?tenant=acme.com").browser().send().status, 302, "the page is there");
}

#[test]
fn attack_passwords_in_files_or_logs() {
    let portal = portal().start();
    let builder = guarded(&portal);
    let folder = builder.folder().to_owned();
    let log = folder.join("access.log");
    let proxy =
        builder.setting("log.access", log.display().to_string()).setting("log.level", "trace").start();
    for password in ["hunter2-secret", RIGHT] {
        form(&proxy, "/login", "alex", password).send();
        grant(&proxy, "alex", password);
        proxy.get("/basic/x").header("authorization", &basic("alex", password)).send();
    }
    crate::support::eventually(|| std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() == 6));
    for file in
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let bytes = std::fs::read(&file).unwrap();
        for secret in ["hunter2-secret", RIGHT, &basic("alex", RIGHT)[6..]] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", file.display());
        }
    }
}
