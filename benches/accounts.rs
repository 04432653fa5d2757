//! The cost of accounts: a session found in memory and in the store, a sign-in as the page does it, and a flood of
//! sign-ins, which must be rejected and not take memory.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::{
    collections::BTreeMap,
    fs,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use doorward::internals::{
    account::{
        LoginChannel, LoginError, LoginOutcome, LoginRequest, LoginSuccess, NewUser, hashing::Password,
    },
    boot::{self, AccountServices, Composition},
    clock::Clock,
    config::{
        TenantPolicy,
        load::load,
        model::{StoreLocation, StoreSettings},
    },
    domain::{
        lockout::{Counter, CounterKey, LoginSubject},
        tenant::TenantId,
        time::Timestamp,
    },
    session::{CookieSecret, CookieSigner, SessionService, hash_of},
    store::Store,
    tenants::{TenantLookup, TenantRegistry},
};
use http::{HeaderMap, HeaderValue, header};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

// as the binary has it: what a flood leaves behind is the allocator's doing
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PASSWORD: &str = "Correct-Horse-7-Battery!";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Concurrent sign-ins, each of another user.
const ACCOUNTS: usize = 8;
/// A flood: so many in the same moment.
const FLOOD: usize = 5000;

/// Accounts in a SQLite file, hashed as by default.
struct BenchAccounts {
    runtime: Runtime,
    accounts: AccountServices,
    policy: Arc<TenantPolicy>,
    tenants: Arc<TenantRegistry>,
    _folder: TempDir,
}

impl BenchAccounts {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deployment.toml");
        let settings = "[portal]\nprofile = \"generic\"\n[[portal.upstream]]\nurl = \"http://127.0.0.1:1\"\n\
             [log]\naccess = \"off\"\n[accounts]\nenabled = true\n[account_lock]\nenabled = true\n";
        fs::create_dir(folder.path().join("tenants")).unwrap();
        fs::write(&file, settings).unwrap();
        let settings = Arc::new(load(&file, &BTreeMap::new()).unwrap());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let Composition { state, accounts } = boot::compose(&settings, &runtime, Clock::system()).unwrap();
        let TenantLookup::Tenant(policy) = runtime.block_on(state.tenants.load(&TenantId::super_tenant()))
        else {
            unreachable!("the default tenant is always there")
        };
        let (accounts, tenants) = (accounts.unwrap(), state.tenants);
        let fixture = Self { runtime, accounts, policy, tenants, _folder: folder };
        let password = Password::new(PASSWORD);
        for number in 0..ACCOUNTS {
            let new = NewUser { username: name(number), ..NewUser::default() };
            let made = fixture.accounts.administration.create(&fixture.policy, new, Some(&password), NOW);
            fixture.runtime.block_on(made).unwrap();
        }
        fixture
    }

    /// As the page of this name does it, without the page.
    fn sign_in(
        &self,
        login: String,
        password: &'static str,
    ) -> impl Future<Output = Result<LoginSuccess, LoginError>> + use<> {
        let (logins, policy) = (self.accounts.login.clone(), Arc::clone(&self.policy));
        async move {
            let password = Password::new(password);
            let attempt = LoginRequest {
                login: &login,
                password: &password,
                address: ADDRESS.into(),
                device: None,
                channel: LoginChannel::Form,
            };
            match logins.attempt(&policy, attempt, NOW).await? {
                LoginOutcome::Success(signed_in) => Ok(signed_in),
                LoginOutcome::MustChangePassword(_) => unreachable!("no password of the benchmark expires"),
            }
        }
    }

    fn session(&self) -> CookieSecret {
        self.runtime.block_on(async {
            let signed_in = self.sign_in(name(0), PASSWORD).await.unwrap();
            self.accounts.sessions.begin(signed_in.new_session("bench", ADDRESS, None), NOW).await.unwrap()
        })
    }
}

fn name(number: usize) -> String {
    format!("user{number}")
}

fn sessions(bench: &mut Criterion) {
    let fixture = BenchAccounts::new();
    let secret = fixture.session();
    let cookie = format!("lang=en; doorward_session={}", secret.value());
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
    let known = &fixture.accounts.sessions;
    bench.bench_function("session, from its cookie, in memory", |b| {
        b.iter(|| {
            fixture
                .runtime
                .block_on(known.find_for_request(black_box(&headers), false, NOW))
                .unwrap()
                .unwrap()
        });
    });
    let hash = hash_of(&secret);
    bench.bench_function("session, from the store (SQLite)", |b| {
        b.iter_batched(
            || {
                let (store, tenants) = (fixture.accounts.store.clone(), Arc::clone(&fixture.tenants));
                SessionService::new(
                    store,
                    tenants,
                    fixture.runtime.handle().clone(),
                    CookieSigner::new(&[7; 32]),
                )
            },
            |fresh| fixture.runtime.block_on(fresh.find(black_box(&hash), NOW)).unwrap().unwrap(),
            BatchSize::SmallInput,
        );
    });
    let unknown = hash_of(&CookieSecret::new([7; 32]));
    bench.bench_function("unknown session, cached as unknown", |b| {
        b.iter(|| assert!(fixture.runtime.block_on(known.find(black_box(&unknown), NOW)).unwrap().is_none()));
    });
}

fn sign_ins(bench: &mut Criterion) {
    let fixture = BenchAccounts::new();
    let mut group = bench.benchmark_group("sign-in");
    group.sample_size(10).throughput(Throughput::Elements(ACCOUNTS as u64));
    group.bench_function("eight people at a time, each with a new session", |b| {
        b.iter(|| {
            fixture.runtime.block_on(async {
                let mut all = JoinSet::new();
                for number in 0..ACCOUNTS {
                    let attempt = fixture.sign_in(name(number), PASSWORD);
                    let sessions = fixture.accounts.sessions.clone();
                    all.spawn(async move {
                        let signed_in = attempt.await.unwrap();
                        sessions.begin(signed_in.new_session("bench", ADDRESS, None), NOW).await.unwrap()
                    });
                }
                all.join_all().await
            })
        });
    });
    group.finish();
}

/// Changes at a time, of as many callers.
const CHANGES: usize = 64;

/// Changes that are acknowledged when they are on the disk; beside them the same in memory, where a sync costs nothing.
fn changes(bench: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for (place, parent) in [("on this disk", env!("CARGO_TARGET_TMPDIR")), ("in memory", "/dev/shm")] {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let location = StoreLocation::Sqlite(folder.path().join("doorward.db"));
        let store = runtime.block_on(Store::open(&StoreSettings { location, max_connections: 2 })).unwrap();
        let key = |number: usize| {
            CounterKey::of(
                TenantId::super_tenant(),
                LoginSubject::UnknownName(u16::try_from(number).unwrap()),
            )
        };
        let count = |counters: &mut [(CounterKey, Counter)]| {
            for (_, counter) in counters {
                counter.failures += 1;
            }
        };
        let mut group = bench.benchmark_group(format!("changes, acknowledged {place}"));
        for at_a_time in [1, CHANGES] {
            group.throughput(Throughput::Elements(at_a_time as u64));
            group.bench_function(format!("{at_a_time} at a time"), |b| {
                b.iter(|| {
                    runtime.block_on(async {
                        let mut all = JoinSet::new();
                        for number in 0..at_a_time {
                            let (store, key) = (store.clone(), key(number));
                            all.spawn(async move { store.counters().update(&[key], count).await });
                        }
                        all.join_all().await.into_iter().for_each(Result::unwrap);
                    });
                });
            });
        }
        group.finish();
    }
}

/// Measured once: it is about memory, and about how many get an answer other than "come again".
fn flood(_: &mut Criterion) {
    let fixture = BenchAccounts::new();
    let before = peak_mib();
    let verified = fixture.runtime.block_on(async {
        let mut all = JoinSet::new();
        for number in 0..FLOOD {
            all.spawn(fixture.sign_in(format!("unknown{number}"), "wrong"));
        }
        all.join_all()
            .await
            .into_iter()
            .filter(|answer| !matches!(answer, Err(LoginError::Busy { .. })))
            .count()
    });
    println!("flood: of {FLOOD} sign-ins at once {verified} were verified, the others got Busy;");
    println!("       peak memory {before} MiB before it, {} MiB after", peak_mib());
}

/// The most this process has held so far.
fn peak_mib() -> u64 {
    let status = fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

criterion_group!(benches, flood, sessions, changes, sign_ins);
criterion_main!(benches);
