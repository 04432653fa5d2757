//! The cost of a password: policy check, verification, and the lockout reservation before it.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::internals::{
    account::hashing::{Argon2Cost, HashMetrics, Password, PasswordHasher},
    domain::{
        lockout::{Counter, CounterKey, LockoutSettings, LoginSubject, release, reserve},
        password::{JavaPattern, PasswordContext, PasswordPolicy, WSO2_PATTERN},
        tenant::TenantId,
        time::Timestamp,
    },
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PASSWORD: &str = "Correct-Horse-7-Battery!";

fn policy(bench: &mut Criterion) {
    let tenant = TenantId::super_tenant();
    let about = PasswordContext {
        username: "alex",
        email: Some("alex.doe@example.org"),
        given_name: Some("Alexandra"),
        family_name: Some("Doe"),
        tenant: &tenant,
    };
    let wso2 = PasswordPolicy { max_length: 64, ..PasswordPolicy::wso2() };
    let all = PasswordPolicy { not_common: true, no_context_words: true, min_score: 3, ..wso2.clone() };
    bench.bench_function("policy, WSO2's", |b| b.iter(|| wso2.violations(black_box(PASSWORD), &about)));
    bench.bench_function("policy, everything", |b| b.iter(|| all.violations(black_box(PASSWORD), &about)));
    let costly = "4@8(3".repeat(20);
    bench.bench_function("policy, everything, 100 characters that cost", |b| {
        b.iter(|| all.violations(black_box(&costly), &about));
    });
    bench.bench_function("pattern, compiled", |b| b.iter(|| JavaPattern::compile(black_box(WSO2_PATTERN))));
    let pattern = JavaPattern::compile(WSO2_PATTERN).unwrap();
    bench.bench_function("pattern, matched", |b| b.iter(|| pattern.matches(black_box(PASSWORD))));
}

fn hashing(bench: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut group = bench.benchmark_group("argon2id");
    group.sample_size(20);
    for (name, cost) in [
        ("19 MiB, 2 passes", Argon2Cost::default()),
        ("64 MiB, 3 passes", Argon2Cost { memory_kib: 64 * 1024, iterations: 3, parallelism: 1 }),
    ] {
        let hasher = PasswordHasher::new(cost, 1, 8, HashMetrics::default()).unwrap();
        let password = Password::new(PASSWORD);
        let stored = runtime.block_on(hasher.hash(&password)).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| runtime.block_on(hasher.verify(black_box(&password), &stored)).unwrap());
        });
    }
    group.finish();
}

fn lockout(bench: &mut Criterion) {
    let settings = LockoutSettings { enabled: true, ..LockoutSettings::default() };
    let mut rows =
        [(CounterKey::of(TenantId::super_tenant(), LoginSubject::UnknownName(7)), Counter::default())];
    bench.bench_function("lockout, an attempt reserved and taken back", |b| {
        b.iter(|| {
            let reserved = reserve(&settings, black_box(&mut rows), false, NOW).unwrap();
            release(&reserved, &mut rows);
        });
    });
}

criterion_group!(benches, policy, hashing, lockout);
criterion_main!(benches);
