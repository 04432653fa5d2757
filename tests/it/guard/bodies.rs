//! What is read of a request, and what is kept of it: nothing.

use serde_json::json;

use super::{FORM, RIGHT, basic, form, grant, guarded, portal, times};
use crate::support::Gate;

#[test]
fn attack_a_name_spread_over_chunks_is_found() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let chunked = || {
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: {}\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n",
            gate.authority()
        );
        let mut wire = gate.raw(head);
        for piece in ["user", "name=al", "ex&pass", "word=wrong"] {
            wire.write(format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        wire.write("0\r\n\r\n");
        wire.answer("POST").unwrap().status
    };
    assert_eq!(std::array::from_fn::<_, 6, _>(|_| chunked()), [302, 302, 302, 302, 302, 401]);
    assert_eq!(portal.last().body, b"username=alex&password=wrong");
}

#[test]
fn attack_a_body_without_end_is_refused_on_guarded_endpoints_only() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let large = format!("x={}&username=alex", "y".repeat(64 * 1024));
    let post = |path: &str| gate.post(path).header("content-type", FORM).body(large.as_str()).send().status;
    assert_eq!(post("/login"), 413);
    assert!(portal.saw_nothing());
    assert_eq!(post("/upload"), 200);
    let mut wire = gate.raw(format!(
        "POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n"
    ));
    wire.write(format!("{:x}\r\n{large}\r\n", large.len()));
    assert_eq!(wire.answer("POST").unwrap().status, 413);
}

#[test]
fn what_is_not_guarded_is_not_looked_at() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    let odd = "username=a&username=b&Username=c";
    for path in ["/logins", "/other/login", "/"] {
        let answer = gate.post(path).header("content-type", "multipart/form-data").body(odd).send();
        assert_eq!((answer.status < 400, portal.last().body), (true, odd.as_bytes().to_vec()), "{path}");
    }
}

/// What the portal has not seen is no guess.
#[test]
fn a_portal_that_is_down_locks_nobody_out() {
    let portal = portal().start();
    let gate = guarded(&portal).start();
    portal.die();
    assert_eq!(times(8, |_| form(&gate, "/login", "alex", RIGHT).send()), [502; 8]);
}

/// What cannot be counted is not let through.
#[test]
fn a_guard_without_a_store_lets_nobody_sign_in() {
    let portal = portal().start();
    let own =
        json!({"Doorward": {"guards": [{"match": "/login", "user_in": "form", "succeeded_status": [302]}]}});
    let gate = Gate::before(&portal).generic(&[]).tenant("acme.com", &own).start();
    let answer = form(&gate, "/login?tenant=acme.com", "alex", RIGHT).send();
    assert_eq!((answer.status, portal.saw_nothing()), (503, true));
    assert_eq!(gate.get("/login?tenant=acme.com").browser().send().status, 302, "the page is there");
}

#[test]
fn attack_no_password_is_kept_or_logged() {
    let portal = portal().start();
    let builder = guarded(&portal);
    let folder = builder.folder().to_owned();
    let log = folder.join("access.log");
    let gate = builder.setting("log.access", log.display().to_string()).setting("log.level", "trace").start();
    for password in ["hunter2-secret", RIGHT] {
        form(&gate, "/login", "alex", password).send();
        grant(&gate, "alex", password);
        gate.get("/basic/x").header("authorization", &basic("alex", password)).send();
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
