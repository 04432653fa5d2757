//! Known answers for every form, hostile forms, and what the hasher says about its own hashes.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{stored::Unreadable, *};

const PASSWORD: &str = "correct horse";

/// Cheap enough for a test.
const CHEAP: Cost = Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

fn hasher(cost: Cost) -> (Hasher, Meters) {
    let meters = Meters::default();
    (Hasher::new(cost, 2, 8, meters.clone()).unwrap(), meters)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn verify(password: &str, stored: &str) -> (bool, bool) {
    let verified = now(hasher(CHEAP).0.verify(&Password::new(password), stored)).unwrap();
    (verified.matches, verified.needs_rehash)
}

/// Each was made by another program: the reference implementations, OpenSSL, libxcrypt.
#[test]
fn known_answers() {
    for (password, stored) in [
        ("password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"),
        ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
        ("password", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"),
        ("password", "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY"),
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        (PASSWORD, "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
        (PASSWORD, "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"),
        (
            PASSWORD,
            "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$6g3umF+uVrJsObaTZhIbbTlgrvOEFcCItdwSjtPF67M",
        ),
        // RFC 6070
        ("password", "$pbkdf2$4096$c2FsdA$SwB5AbdlSJq.rUnZJvch0GWkKcE"),
        (PASSWORD, "$pbkdf2$1000$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ"),
        (PASSWORD, "{PBKDF2}1000$MDEyMzQ1Njc4OWFiY2RlZg$aUfE2vx5Q7zgbb0jx49AaNpXUQQ"),
        (
            PASSWORD,
            "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M",
        ),
        (PASSWORD, "$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"),
        (PASSWORD, "{PBKDF2-SHA256}1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"),
        (
            PASSWORD,
            "$pbkdf2-sha512$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$OM0FAoIqCVK1sWtxDiffVlBejtLa+ks4TP71JiecwuSZCG8iLbnlIEPOMoVX\
             +i2B2wkSxjQ8CRGR9OkNGuIPMQ",
        ),
        (PASSWORD, "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso="),
        (PASSWORD, "{SSHA}VtJJPXPvCfCWGkEI7kkQTL9vdXUwMTIzNDU2Nw=="),
        (PASSWORD, "{ssha256}Z6RFW4+Ag8nVu3NoLdW3eEB0L78lzq2I7TCDYpvCVZkwMTIzNDU2Nw=="),
        (PASSWORD, "{SSHA384}U9It1dRUr3bGsxlSx5sQ14HcQ5xcWv/wKXJ9ZfpqKIVmerI9zNeuILMGz04BvJukMDEyMzQ1Njc="),
        (
            PASSWORD,
            "{SSHA512}9gh7lWYBcMag+soxMrJqPUXVL0lAMQImYop25Q9r58bcT6/WHV3BLb+JRomTQRChvw+Qp3usa6Yx2rCPfnvIZjAxMjM0NTY3",
        ),
        (PASSWORD, "{wso2-sha256}MDEyMzQ1Njc4OWFiY2RlZg==$H4+/APwdA1JcISqgM2C36A0+x84QdRXCLCQ1454n23k="),
        (
            PASSWORD,
            "{wso2-sha512}MDEyMzQ1Njc4OWFiY2RlZg==$OZR3OeHvdrB3ICCtnm4VdocQLe0y/Yt0udm1KT6tw0cEnJnSUh8uIZxbrozZMNodrGqVyk\
             ZlMOdd33unSG6jaA==",
        ),
    ] {
        assert_eq!(verify(password, stored), (true, true), "{stored}");
        for wrong in ["", "Correct horse", "correct hors", "passwor", "u*u"] {
            assert_eq!(verify(wrong, stored), (false, false), "{stored}");
        }
    }
}

#[test]
fn attack_a_hostile_import_gets_no_memory_and_no_time() {
    let salt_and_hash = "MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";
    for numbers in [
        // 4 GiB, and the largest number there is
        "$argon2id$v=19$m=4194304,t=1,p=1$",
        "$argon2id$v=19$m=4294967295,t=4294967295,p=1$",
        "$argon2id$v=19$m=131073,t=1,p=1$",
        "$argon2id$v=19$m=65536,t=17,p=1$",
        "$argon2id$v=19$m=8192,t=1,p=1000$",
        "$argon2d$v=19$m=64,t=4294967295,p=1$",
        "$scrypt$ln=18,r=8,p=1$",
        "$scrypt$ln=31,r=1,p=1$",
        "$scrypt$ln=64,r=8,p=1$",
        "$scrypt$ln=4294967295,r=4294967295,p=4294967295$",
        "$scrypt$ln=1,r=4294967295,p=1$",
        "$scrypt$ln=10,r=8,p=1000000$",
        "$pbkdf2-sha256$3000001$",
        "$pbkdf2-sha256$i=99999999999999999999$",
        "{PBKDF2-SHA512}4294967295$",
        "pbkdf2_sha256$4294967296$",
    ] {
        let stored = format!("{numbers}{salt_and_hash}");
        assert_eq!(Method::parse(&stored).err(), Some(Unreadable::TooCostly), "{numbers}");
        assert_eq!(verify(PASSWORD, &stored), (false, false));
    }
    let bcrypt = "$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    assert_eq!(Method::parse(bcrypt).err(), Some(Unreadable::TooCostly));
}

#[test]
fn what_is_no_hash_matches_nothing() {
    let long = "x".repeat(2000);
    for (stored, problem) in [
        ("", Unreadable::Unknown),
        ("!", Unreadable::Unknown),
        ("correct horse", Unreadable::Unknown),
        ("$1$salt$hash", Unreadable::Unknown),
        ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", Unreadable::Unknown),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Unreadable::Unknown),
        ("{PLAIN}correct horse", Unreadable::Unknown),
        ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", Unreadable::Malformed),
        ("{SSHA}", Unreadable::Malformed),
        ("{SSHA}*", Unreadable::Malformed),
        ("{wso2-sha256}$H4+/APwdA1JcISqgM2C36A0+x84QdRXCLCQ1454n23k=", Unreadable::Malformed),
        ("{wso2-sha256}H4+/APwdA1JcISqgM2C36A0+x84QdRXCLCQ1454n23k=", Unreadable::Malformed),
        ("{wso2-md5}MDEy$H4+/", Unreadable::Unknown),
        ("$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", Unreadable::Malformed),
        ("$2b$05$short", Unreadable::Malformed),
        ("$pbkdf2-sha256$0$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", Unreadable::Malformed),
        ("$pbkdf2-sha256$-5$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", Unreadable::Malformed),
        ("$pbkdf2-sha256$l=5$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", Unreadable::Malformed),
        ("$pbkdf2-sha256$1000$$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", Unreadable::Malformed),
        // a hash of one byte is right for one password in 256
        ("$pbkdf2-sha256$1000$c2FsdA$cA", Unreadable::Malformed),
        ("$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$", Unreadable::Malformed),
        ("$scrypt$ln=10,r=0,p=1$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", Unreadable::Malformed),
        ("$argon2id$v=19$m=64,t=1,p=1", Unreadable::Malformed),
        (
            "$argon2id$v=20$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            Unreadable::Malformed,
        ),
        (&long, Unreadable::Malformed),
    ] {
        assert_eq!(Method::parse(stored).err(), Some(problem), "{stored}");
        for password in ["", "correct horse", stored] {
            assert_eq!(verify(password, stored), (false, false), "{stored}");
        }
    }
}

#[test]
fn our_hashes_are_salted_and_known_as_ours() {
    now(async {
        let (hasher, meters) = hasher(CHEAP);
        let password = Password::new(PASSWORD);
        let (one, other) = (hasher.hash(&password).await.unwrap(), hasher.hash(&password).await.unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{one}");
        let verified = hasher.verify(&password, &one).await.unwrap();
        assert_eq!((verified.matches, verified.needs_rehash), (true, false));
        let wrong = hasher.verify(&Password::new("wrong"), &one).await.unwrap();
        assert_eq!((wrong.matches, wrong.needs_rehash), (false, false));
        assert_eq!((meters.verified.get(), meters.spent.get()), (2, 0));
        hasher.spend().await.unwrap();
        assert_eq!((meters.verified.get(), meters.spent.get()), (2, 1));
    });
}

#[test]
fn a_hash_of_another_cost_is_to_be_made_anew() {
    let stored = now(hasher(CHEAP).0.hash(&Password::new(PASSWORD))).unwrap();
    for cost in [
        Cost { memory_kib: 128, ..CHEAP },
        Cost { memory_kib: 32, ..CHEAP },
        Cost { iterations: 2, ..CHEAP },
        Cost { parallelism: 2, ..CHEAP },
    ] {
        let verified = now(hasher(cost).0.verify(&Password::new(PASSWORD), &stored)).unwrap();
        assert_eq!((verified.matches, verified.needs_rehash), (true, true), "{cost:?}");
    }
}

#[test]
fn costs_that_cannot_be_paid_are_mistakes() {
    for cost in [
        Cost { memory_kib: 7, ..CHEAP },
        Cost { memory_kib: 15, parallelism: 2, ..CHEAP },
        Cost { iterations: 0, ..CHEAP },
        Cost { parallelism: 0, ..CHEAP },
        Cost { parallelism: 65, memory_kib: 1024, iterations: 1 },
        Cost { memory_kib: 128 * 1024 + 1, ..CHEAP },
    ] {
        assert!(Hasher::new(cost, 1, 1, Meters::default()).is_err(), "{cost:?}");
    }
    assert!(Hasher::new(Cost::default(), 0, 0, Meters::default()).is_ok(), "there is always one slot");
}

#[test]
fn a_password_is_the_same_from_every_keyboard() {
    now(async {
        let (hasher, _) = hasher(CHEAP);
        let (composed, apart) = (Password::new("caf\u{e9}"), Password::new("cafe\u{301}"));
        let stored = hasher.hash(&apart).await.unwrap();
        assert!(hasher.verify(&composed, &stored).await.unwrap().matches);
        assert!(hasher.verify(&apart, &stored).await.unwrap().matches);
        // another system hashed it as it was typed: PBKDF2 of "cafe\u{301}"
        let foreign = "pbkdf2_sha256$1000$seasalt$U9vql0UGovZ4kxk176T3aUkhnmD005c5nqbwcJZtXpc=";
        assert!(hasher.verify(&apart, foreign).await.unwrap().matches);
        assert!(!hasher.verify(&composed, foreign).await.unwrap().matches);
    });
}

#[test]
fn attack_a_second_spelling_costs_no_second_hash_of_a_known_name() {
    let typed = "cafe\u{301}";
    let (salt, mut output) = ([7; 16], [0; 32]);
    let params = argon2::Params::new(CHEAP.memory_kib, CHEAP.iterations, CHEAP.parallelism, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon.hash_password_into(typed.as_bytes(), &salt, &mut output).unwrap();
    let base64 = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
    let stored = format!("$argon2id$v=19$m=64,t=1,p=1${}${}", base64(&salt), base64(&output));
    // it would match, were it looked for
    assert!(Method::parse(&stored).unwrap().matches_any_spelling(&Password::new(typed)).unwrap());
    assert_eq!(verify(typed, &stored), (false, false));
}

/// Attack: the first guess at each name tells which were taken over from elsewhere.
#[test]
fn attack_account_enumeration_by_time_hashes_of_others_are_measured_before_anybody_guesses() {
    let bcrypt = |cost| format!("$2b${cost}$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e");
    now(async {
        let (hasher, meters) = hasher(CHEAP);
        let floor = |hasher: &Hasher| hasher.floor().of(Instant::now());
        let ours = hasher.hash(&Password::new(PASSWORD)).await.unwrap();
        let kinds = |stored: &[&str]| {
            let mut kinds = Kinds::default();
            for stored in stored {
                kinds.add(stored);
            }
            kinds
        };
        assert_eq!((ours.len(), ours.starts_with(&hasher.form().0)), (hasher.form().1, true));
        hasher.calibrate(kinds(&[&ours])).await.unwrap();
        assert_eq!(floor(&hasher), Duration::ZERO, "where all are ours nobody waits");
        hasher.calibrate(kinds(&[&ours, &bcrypt("04"), &bcrypt("08")])).await.unwrap();
        assert_eq!(meters.verified.get(), 0, "that is no guess");
        assert!(floor(&hasher) > Duration::ZERO);
        // and what a verification takes in earnest counts, whatever was measured
        hasher.calibrate(Kinds::default()).await.unwrap();
        assert_eq!(floor(&hasher), Duration::ZERO);
        assert!(!hasher.verify(&Password::new("wrong"), &bcrypt("04")).await.unwrap().matches);
        assert!(floor(&hasher) > Duration::ZERO);
    });
}

#[test]
fn attack_account_enumeration_by_time_whoever_is_refused_is_held_back() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (hasher, _) = hasher(CHEAP);
        hasher.floor().know(Duration::from_millis(40));
        for (password, least) in [("wrong", 50), ("cafe\u{301}", 100)] {
            // two spellings are twice the work where the hash is another system's
            let refusal = hasher.spend().await.unwrap();
            let start = Instant::now();
            hasher.hold_back(refusal, &Password::new(password)).await;
            assert!(start.elapsed() >= Duration::from_millis(least), "{password}");
        }
    });
}

/// Attack: guess at names nobody has, so that nobody can sign in while the guesses wait to be refused.
#[test]
fn attack_flood_of_refusals_keeps_nobody_out_who_is_right() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (hasher, meters) = hasher(CHEAP);
        let right = Password::new(PASSWORD);
        let ours = hasher.hash(&right).await.unwrap();
        hasher.floor().know(Duration::from_secs(4));
        let mut refused = Vec::new();
        loop {
            let refusal = hasher.spend().await.unwrap();
            if refusal.turned_away().is_some() {
                break;
            }
            let hasher = hasher.clone();
            refused.push(tokio::spawn(async move { hasher.hold_back(refusal, &Password::new("x")).await }));
        }
        // now all who are not right are told the same, known or not; who is right is let in
        assert_eq!(refused.len(), 2);
        let foreign = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
        for stored in [foreign, &ours, "!"] {
            let verified = hasher.verify(&Password::new("wrong"), stored).await.unwrap();
            assert!(!verified.matches && verified.refusal.turned_away().is_some(), "{stored}");
        }
        for _ in 0..20 {
            let verified = hasher.verify(&right, &ours).await.unwrap();
            assert!(verified.matches && verified.refusal.turned_away().is_none());
        }
        assert!(refused.iter().all(|refused| !refused.is_finished()));
        // who hangs up frees the place where nobody has begun, and only that
        for refused in refused {
            refused.abort();
            assert!(refused.await.unwrap_err().is_cancelled());
        }
        assert_eq!(meters.busy.get(), 4);
        let refusal = hasher.spend().await.unwrap();
        assert!(refusal.turned_away().is_none());
        assert!(hasher.spend().await.unwrap().turned_away().is_some(), "the slot is kept for its time");
    });
}

#[test]
fn nothing_is_cut_off_a_password() {
    now(async {
        let (hasher, _) = hasher(CHEAP);
        let long = "a".repeat(1024);
        let stored = hasher.hash(&Password::new(long.clone())).await.unwrap();
        assert!(hasher.verify(&Password::new(long.clone()), &stored).await.unwrap().matches);
        assert!(!hasher.verify(&Password::new(format!("{long}a")), &stored).await.unwrap().matches);
        // not even looked at
        assert!(!hasher.verify(&Password::new("a".repeat(5000)), &stored).await.unwrap().matches);
    });
}

#[test]
fn passwords_of_before_are_found() {
    now(async {
        let (hasher, meters) = hasher(CHEAP);
        let before = [
            hasher.hash(&Password::new("one")).await.unwrap(),
            "!".to_owned(),
            "{SSHA}VtJJPXPvCfCWGkEI7kkQTL9vdXUwMTIzNDU2Nw==".to_owned(),
        ];
        for (password, used) in [("one", true), (PASSWORD, true), ("two", false)] {
            assert_eq!(
                hasher.matches_any(&Password::new(password), before.to_vec()).await,
                Ok(used),
                "{password}"
            );
        }
        assert_eq!(hasher.matches_any(&Password::new("one"), Vec::new()).await, Ok(false));
        assert_eq!(meters.verified.get(), 0, "a look at the history is no guess");
    });
}

#[test]
fn a_policy_is_judged_in_the_queue_too() {
    use crate::domain::password::PasswordPolicy;
    let policy = PasswordPolicy { not_common: true, ..PasswordPolicy::default() };
    let rules = now(hasher(CHEAP).0.run(move || policy.requirements().len()));
    assert_eq!(rules, Ok(2));
}

#[test]
fn a_password_does_not_print() {
    assert_eq!(format!("{:?}", Password::new(PASSWORD)), "********");
    assert_eq!(Password::new(PASSWORD).expose(), PASSWORD);
}

/// Attack: one guess at each of many names, all at once. Those with another system's hash wait for each other in slots of
/// their own; nobody else waits there, and the floor was read before they were seen.
#[test]
fn attack_account_enumeration_by_time_one_guess_at_many_names_at_once() {
    const NAMES: usize = 8;
    let imported = "$2b$09$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let hasher = Hasher::new(CHEAP, 2, 4 * NAMES, Meters::default()).unwrap();
        let mut kinds = Kinds::default();
        kinds.add(imported);
        hasher.calibrate(kinds).await.unwrap();
        let wrong = Password::new("wrong");
        let start = Instant::now();
        let guesses: Vec<_> = (0..2 * NAMES)
            .map(|name| {
                let (hasher, wrong) = (hasher.clone(), wrong.clone());
                tokio::spawn(async move {
                    let refusal = if name % 2 == 0 {
                        hasher.verify(&wrong, imported).await.unwrap().refusal
                    } else {
                        hasher.spend().await.unwrap()
                    };
                    hasher.hold_back(refusal, &wrong).await;
                    start.elapsed()
                })
            })
            .collect();
        let mut took = [Duration::ZERO; 2];
        for (name, guess) in guesses.into_iter().enumerate() {
            took[name % 2] = took[name % 2].max(guess.await.unwrap());
        }
        let [known, unknown] = took;
        assert!(known < 2 * unknown, "names with an imported hash: {known:?}, names nobody has: {unknown:?}");
    });
}
