//! The time of refusals: it discloses neither accounts nor their hash methods, and delays no valid login.

use super::*;

#[test]
fn attack_timing_of_a_second_unicode_spelling_of_a_password() {
    let typed = "cafe\u{301}";
    let (salt, mut output) = ([7; 16], [0; 32]);
    let params = argon2::Params::new(CHEAP.memory_kib, CHEAP.iterations, CHEAP.parallelism, None).unwrap();
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon.hash_password_into(typed.as_bytes(), &salt, &mut output).unwrap();
    let base64 = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
    let stored = format!("$argon2id$v=19$m=64,t=1,p=1${}${}", base64(&salt), base64(&output));
    // it would match if it were compared
    assert!(HashMethod::parse(&stored).unwrap().matches_any_spelling(&Password::new(typed)).unwrap());
    assert_eq!(verify(typed, &stored), (false, false));
}

/// Attack: the response time of the first attempt discloses imported accounts.
#[test]
fn attack_account_enumeration_by_time_before_calibration() {
    let bcrypt = |cost| format!("$2b${cost}$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e");
    now(async {
        let (hasher, meters) = hasher(CHEAP);
        let floor = |hasher: &PasswordHasher| hasher.response_floor().current(Instant::now());
        let ours = hasher.hash(&Password::new(PASSWORD)).await.unwrap();
        let kinds = |stored: &[&str]| {
            let mut kinds = CostliestMethods::default();
            for stored in stored {
                kinds.add(stored);
            }
            kinds
        };
        let form = hasher.hash_format();
        assert_eq!((ours.len(), ours.starts_with(&form.prefix)), (form.length, true));
        hasher.calibrate(kinds(&[&ours])).await.unwrap();
        assert_eq!(floor(&hasher), Duration::ZERO, "no delay without foreign hashes");
        hasher.calibrate(kinds(&[&ours, &bcrypt("04"), &bcrypt("08")])).await.unwrap();
        assert_eq!(meters.verified.get(), 0, "that is no guess");
        assert!(floor(&hasher) > Duration::ZERO);
        // and what a verification takes in earnest counts, whatever was measured
        hasher.calibrate(CostliestMethods::default()).await.unwrap();
        assert_eq!(floor(&hasher), Duration::ZERO);
        assert!(!hasher.verify(&Password::new("wrong"), &bcrypt("04")).await.unwrap().is_match());
        assert!(floor(&hasher) > Duration::ZERO);
    });
}

#[test]
fn attack_account_enumeration_by_time_of_refusals() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (hasher, _) = hasher(CHEAP);
        hasher.response_floor().set_calibrated(Duration::from_millis(40));
        for (password, least) in [("wrong", 50), ("cafe\u{301}", 100)] {
            // two spellings are twice the work where the hash is another system's
            let refusal = hasher.verify_dummy().await.unwrap();
            let start = Instant::now();
            hasher.delay_refusal(refusal, &Password::new(password)).await;
            assert!(start.elapsed() >= Duration::from_millis(least), "{password}");
        }
    });
}

/// Attack: attempts at unknown names fill the wait queue, so that no user can sign in.
#[test]
fn attack_flood_of_refusals_does_not_delay_valid_logins() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (hasher, meters) = hasher(CHEAP);
        let right = Password::new(PASSWORD);
        let ours = hasher.hash(&right).await.unwrap();
        hasher.response_floor().set_calibrated(Duration::from_secs(4));
        let mut refused = Vec::new();
        loop {
            let refusal = hasher.verify_dummy().await.unwrap();
            if refusal.busy().is_some() {
                break;
            }
            let hasher = hasher.clone();
            refused
                .push(tokio::spawn(async move { hasher.delay_refusal(refusal, &Password::new("x")).await }));
        }
        // all attempts with wrong passwords get the same error, known or not; correct passwords are accepted
        assert_eq!(refused.len(), 2);
        let foreign = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
        for stored in [foreign, &ours, "!"] {
            let verified = hasher.verify(&Password::new("wrong"), stored).await.unwrap();
            assert!(verified.is_busy(), "{stored}");
        }
        for _ in 0..20 {
            let verified = hasher.verify(&right, &ours).await.unwrap();
            assert!(verified.is_match());
        }
        assert!(refused.iter().all(|refused| !refused.is_finished()));
        // a cancelled attempt releases a place whose turn has not begun, and no other
        for refused in refused {
            refused.abort();
            assert!(refused.await.unwrap_err().is_cancelled());
        }
        assert_eq!(meters.busy.get(), 4);
        let refusal = hasher.verify_dummy().await.unwrap();
        assert!(refusal.busy().is_none());
        assert!(hasher.verify_dummy().await.unwrap().busy().is_some(), "the slot is kept for its time");
    });
}

/// Attack: one attempt at each of many names, all at once. Verifications of foreign hashes wait for each other in
/// their own slots; no other attempt would wait there, and the floor was read before they were observed.
#[test]
fn attack_account_enumeration_by_time_of_parallel_guesses() {
    const NAMES: usize = 8;
    let imported = "$2b$09$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let hasher = PasswordHasher::new(CHEAP, 2, 4 * NAMES, HashMetrics::default()).unwrap();
        let mut kinds = CostliestMethods::default();
        kinds.add(imported);
        hasher.calibrate(kinds).await.unwrap();
        let wrong = Password::new("wrong");
        let start = Instant::now();
        let guesses: Vec<_> = (0..2 * NAMES)
            .map(|name| {
                let (hasher, wrong) = (hasher.clone(), wrong.clone());
                tokio::spawn(async move {
                    let refusal = if name % 2 == 0 {
                        match hasher.verify(&wrong, imported).await.unwrap() {
                            PasswordVerification::Mismatch(refusal) => refusal,
                            PasswordVerification::Match { .. } => panic!("the wrong password matches"),
                        }
                    } else {
                        hasher.verify_dummy().await.unwrap()
                    };
                    hasher.delay_refusal(refusal, &wrong).await;
                    start.elapsed()
                })
            })
            .collect();
        let mut took = [Duration::ZERO; 2];
        for (name, guess) in guesses.into_iter().enumerate() {
            took[name % 2] = took[name % 2].max(guess.await.unwrap());
        }
        let [known, unknown] = took;
        assert!(known < 2 * unknown, "names with an imported hash: {known:?}, unknown names: {unknown:?}");
    });
}
