//! The real binary with accounts: killed during sign-ins, and flooded with sign-ins.

use doorward::internals::domain::account::Account;

use crate::support::{
    Binary, Portal, Reply, TestAccounts, TestProxy, proxy::TestProxyBuilder, request::RequestBuilder,
};

const RIGHT: &str = "correct horse battery";
const SIGN_IN: &str = "/.doorward/sign-in?tenant=carbon.super";

/// A wrong password, sent by a browser that vouches for our page.
fn wrong(binary: &Binary, name: &str) -> RequestBuilder<'static> {
    binary
        .post(SIGN_IN)
        .header("accept", "text/html")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("username={name}&password=wrong"))
}

fn with_accounts(portal: &Portal, locks_after: u32) -> (TestProxyBuilder, TestAccounts) {
    let proxy = TestProxy::in_front_of(portal)
        .generic(&[("/**", "signed-in")])
        .accounts()
        .setting("account_lock.enabled", true)
        .setting("account_lock.max_attempts", locks_after);
    let accounts = TestAccounts::in_folder(proxy.folder());
    (proxy, accounts)
}

/// Sends this many guesses at once, reads the first few answers, kills the binary, and returns how many it answered.
fn killed_while_guessing(binary: Binary, name: &str, guesses: usize, heard: usize) -> (u32, Binary) {
    let mut wires: Vec<_> = (0..guesses).map(|_| wrong(&binary, name).open()).collect();
    let later = wires.split_off(heard);
    let mut answered = 0;
    for mut wire in wires {
        assert_eq!(wire.answer("POST").unwrap().status, 403);
        answered += 1;
    }
    let killed = binary.kill_9();
    for mut wire in later {
        // answers sent before the kill count, too
        answered += u32::from(wire.answer("POST").is_ok_and(|answer| answer.status == 403));
    }
    (answered, killed.serve_again())
}

#[test]
fn kill_9_loses_no_counter_lock_session_or_account() {
    let portal = Portal::replying(Reply::text("portal")).start();
    let (proxy, accounts) = with_accounts(&portal, 5);
    let [alex, kim, sam] = ["alex", "kim", "sam"].map(|name| accounts.add("carbon.super", name, RIGHT));
    let failures = |account: &Account| accounts.counter(account).failures;
    let mut binary = proxy.serve();

    let jar = {
        let mut browser = binary.browser();
        browser.sign_in("carbon.super", "alex", RIGHT);
        assert!(browser.is_signed_in());
        browser.jar
    };
    for _ in 0..5 {
        assert_eq!(wrong(&binary, "kim").send().status, 403);
    }
    let locked = accounts.counter(&kim);
    let mut answered = 0;
    for _ in 0..2 {
        let (more, again) = killed_while_guessing(binary, "sam", 2, 1);
        (answered, binary) = (answered + more, again);
        let counted = failures(&sam);
        assert!((answered..=4).contains(&counted), "{answered} were answered, {counted} are counted");
    }

    let mut browser = binary.browser();
    browser.jar = jar;
    assert!(browser.is_signed_in(), "the cookie that was given out");
    assert_eq!(accounts.counter(&kim), locked);
    assert_eq!(binary.browser().sign_in("carbon.super", "kim", RIGHT).status, 403, "still locked");
    // all accounts exist, and those that were not locked can sign in
    assert_eq!(binary.browser().sign_in("carbon.super", "sam", RIGHT).status, 303);
    assert_eq!((failures(&sam), failures(&alex)), (0, 0));
}

#[test]
fn kill_9_amid_many_guesses_loses_none_that_was_answered() {
    let portal = Portal::answering("portal").start();
    let (proxy, accounts) = with_accounts(&portal, 1000);
    let alex = accounts.add("carbon.super", "alex", RIGHT);
    let mut binary = proxy.serve();
    let (mut answered, mut sent) = (0, 0);
    for heard in [1, 7, 15] {
        let (more, again) = killed_while_guessing(binary, "alex", 20, heard);
        (answered, sent, binary) = (answered + more, sent + 20, again);
        let counted = accounts.counter(&alex).failures;
        assert!((answered..=sent).contains(&counted), "{answered} were answered, {counted} are counted");
    }
}

/// Attack: as many sign-ins at once as there are connections, each worth the memory of a hash if it could.
#[test]
fn attack_sign_in_flood_exceeds_the_memory_limit() {
    const HASH_KIB: u64 = 19_456;
    const AT_A_TIME: u64 = 2;
    // 200 connections of a debug build, and hashes whose memory the allocator has not given back yet
    const MARGIN_KIB: u64 = 64 << 10;
    let portal = Portal::answering("portal").start();
    let (proxy, accounts) = with_accounts(&portal, 1000);
    accounts.add("carbon.super", "alex", RIGHT);
    let binary = proxy
        .trusting("127.0.0.0/8")
        .setting("accounts.hash_memory", HASH_KIB)
        .setting("accounts.hash_iterations", 1)
        .setting("accounts.hash_parallel", AT_A_TIME)
        // a quarter of it is kept for known browsers
        .setting("accounts.hash_queue", 300)
        .serve();
    let before = binary.memory();
    let wires: Vec<_> = (0..200)
        .map(|client| {
            // networks of one /24 share their part of the queue
            let from = format!("198.18.{client}.1");
            wrong(&binary, &format!("name{client}")).header("x-forwarded-for", &from).open()
        })
        .collect();
    let answers = wires.into_iter().map(|mut wire| wire.answer("POST").unwrap().status);
    // 429: on a busy machine the last ones would wait too long
    let (verified, refused): (Vec<_>, Vec<_>) = answers.partition(|status| *status == 403);
    assert!(refused.iter().all(|status| *status == 429), "{refused:?}");
    assert!(verified.len() > 10 * usize::try_from(AT_A_TIME).unwrap(), "{} were verified", verified.len());
    let most = binary.peak_memory();
    println!("{} MiB before, at most {} MiB", before >> 10, most >> 10);
    assert!(most < before + AT_A_TIME * HASH_KIB + MARGIN_KIB, "{before} KiB before, {most} KiB at most");
}
