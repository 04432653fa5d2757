//! Known answers for every format, hostile formats, and the hasher's own hashes.

mod refusal_time;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{hash_method::InvalidHash, *};

const PASSWORD: &str = "correct horse";

/// Cheap enough for a test.
const CHEAP: Argon2Cost = Argon2Cost { memory_kib: 64, iterations: 1, parallelism: 1 };

fn hasher(cost: Argon2Cost) -> (PasswordHasher, HashMetrics) {
    let meters = HashMetrics::default();
    (PasswordHasher::new(cost, 2, 8, meters.clone()).unwrap(), meters)
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn verify(password: &str, stored: &str) -> (bool, bool) {
    outcome(&now(hasher(CHEAP).0.verify(&Password::new(password), stored)).unwrap())
}

/// Whether the password matches, and whether it has to be hashed again.
fn outcome(verified: &PasswordVerification) -> (bool, bool) {
    match verified {
        PasswordVerification::Match { needs_rehash } => (true, *needs_rehash),
        PasswordVerification::Mismatch(_) => (false, false),
    }
}

impl PasswordVerification {
    fn is_match(&self) -> bool {
        outcome(self).0
    }

    fn is_busy(&self) -> bool {
        matches!(self, Self::Mismatch(refusal) if refusal.busy().is_some())
    }
}

/// Each was made by another program: the reference implementations, OpenSSL, libxcrypt.
#[test]
fn verifies_known_hashes_of_each_system() {
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
        assert_eq!(HashMethod::parse(&stored).err(), Some(InvalidHash::TooCostly), "{numbers}");
        assert_eq!(verify(PASSWORD, &stored), (false, false));
    }
    let bcrypt = "$2b$16$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    assert_eq!(HashMethod::parse(bcrypt).err(), Some(InvalidHash::TooCostly));
}

#[test]
fn unreadable_hash_matches_no_password() {
    let long = "x".repeat(2000);
    for (stored, problem) in [
        ("", InvalidHash::Unknown),
        ("!", InvalidHash::Unknown),
        ("correct horse", InvalidHash::Unknown),
        ("$1$salt$hash", InvalidHash::Unknown),
        ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", InvalidHash::Unknown),
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", InvalidHash::Unknown),
        ("{PLAIN}correct horse", InvalidHash::Unknown),
        ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", InvalidHash::Malformed),
        ("{SSHA}", InvalidHash::Malformed),
        ("{SSHA}*", InvalidHash::Malformed),
        ("{wso2-sha256}$H4+/APwdA1JcISqgM2C36A0+x84QdRXCLCQ1454n23k=", InvalidHash::Malformed),
        ("{wso2-sha256}H4+/APwdA1JcISqgM2C36A0+x84QdRXCLCQ1454n23k=", InvalidHash::Malformed),
        ("{wso2-md5}MDEy$H4+/", InvalidHash::Unknown),
        ("$2b$03$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", InvalidHash::Malformed),
        ("$2b$05$short", InvalidHash::Malformed),
        ("$pbkdf2-sha256$0$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", InvalidHash::Malformed),
        ("$pbkdf2-sha256$-5$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", InvalidHash::Malformed),
        ("$pbkdf2-sha256$l=5$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", InvalidHash::Malformed),
        ("$pbkdf2-sha256$1000$$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", InvalidHash::Malformed),
        // a hash of one byte matches one password in 256
        ("$pbkdf2-sha256$1000$c2FsdA$cA", InvalidHash::Malformed),
        ("$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$", InvalidHash::Malformed),
        ("$scrypt$ln=10,r=0,p=1$c2FsdA$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M", InvalidHash::Malformed),
        ("$argon2id$v=19$m=64,t=1,p=1", InvalidHash::Malformed),
        (
            "$argon2id$v=20$m=64,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            InvalidHash::Malformed,
        ),
        (&long, InvalidHash::Malformed),
    ] {
        assert_eq!(HashMethod::parse(stored).err(), Some(problem), "{stored}");
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
        assert_eq!(outcome(&verified), (true, false));
        let wrong = hasher.verify(&Password::new("wrong"), &one).await.unwrap();
        assert_eq!(outcome(&wrong), (false, false));
        assert_eq!((meters.verified.get(), meters.dummy.get()), (2, 0));
        hasher.verify_dummy().await.unwrap();
        assert_eq!((meters.verified.get(), meters.dummy.get()), (2, 1));
    });
}

#[test]
fn a_hash_of_another_cost_is_to_be_made_anew() {
    let stored = now(hasher(CHEAP).0.hash(&Password::new(PASSWORD))).unwrap();
    for cost in [
        Argon2Cost { memory_kib: 128, ..CHEAP },
        Argon2Cost { memory_kib: 32, ..CHEAP },
        Argon2Cost { iterations: 2, ..CHEAP },
        Argon2Cost { parallelism: 2, ..CHEAP },
    ] {
        let verified = now(hasher(cost).0.verify(&Password::new(PASSWORD), &stored)).unwrap();
        assert_eq!(outcome(&verified), (true, true), "{cost:?}");
    }
}

#[test]
fn rejects_argon2_costs_out_of_bounds() {
    for cost in [
        Argon2Cost { memory_kib: 7, ..CHEAP },
        Argon2Cost { memory_kib: 15, parallelism: 2, ..CHEAP },
        Argon2Cost { iterations: 0, ..CHEAP },
        Argon2Cost { parallelism: 0, ..CHEAP },
        Argon2Cost { parallelism: 65, memory_kib: 1024, iterations: 1 },
        Argon2Cost { memory_kib: 128 * 1024 + 1, ..CHEAP },
    ] {
        assert!(PasswordHasher::new(cost, 1, 1, HashMetrics::default()).is_err(), "{cost:?}");
    }
    assert!(
        PasswordHasher::new(Argon2Cost::default(), 0, 0, HashMetrics::default()).is_ok(),
        "there is always one slot"
    );
}

#[test]
fn a_password_is_the_same_from_every_keyboard() {
    now(async {
        let (hasher, _) = hasher(CHEAP);
        let (composed, apart) = (Password::new("caf\u{e9}"), Password::new("cafe\u{301}"));
        let stored = hasher.hash(&apart).await.unwrap();
        assert!(hasher.verify(&composed, &stored).await.unwrap().is_match());
        assert!(hasher.verify(&apart, &stored).await.unwrap().is_match());
        // another system hashed it as it was typed: PBKDF2 of "cafe\u{301}"
        let foreign = "pbkdf2_sha256$1000$seasalt$U9vql0UGovZ4kxk176T3aUkhnmD005c5nqbwcJZtXpc=";
        assert!(hasher.verify(&apart, foreign).await.unwrap().is_match());
        assert!(!hasher.verify(&composed, foreign).await.unwrap().is_match());
    });
}

#[test]
fn hashes_the_whole_password() {
    now(async {
        let (hasher, _) = hasher(CHEAP);
        let long = "a".repeat(1024);
        let stored = hasher.hash(&Password::new(long.clone())).await.unwrap();
        assert!(hasher.verify(&Password::new(long.clone()), &stored).await.unwrap().is_match());
        assert!(!hasher.verify(&Password::new(format!("{long}a")), &stored).await.unwrap().is_match());
        // not even compared
        assert!(!hasher.verify(&Password::new("a".repeat(5000)), &stored).await.unwrap().is_match());
    });
}

#[test]
fn matches_passwords_of_the_history() {
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
fn policy_checks_run_in_the_hash_queue() {
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
