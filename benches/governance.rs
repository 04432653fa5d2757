//! The cost of overrides of administrators for each of many tenants: lookups of a tenant cost nothing,
//! and little memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up has to stop"
)]
#![expect(clippy::cast_precision_loss, reason = "numbers to be read")]

use std::{collections::BTreeMap, fs, hint::black_box, path::Path, sync::Arc, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::internals::{
    config::{
        Settings,
        governance::{TenantOverrides, effective_value},
        load::load,
        tenant_file::{self, TenantConf},
    },
    domain::{governance::Overrides, tenant::TenantId},
    tenants::{TenantLookup, TenantRegistry},
};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TENANTS: usize = 10_000;

/// A typical set of overrides: five enforced settings, five that are only stored.
fn set(number: usize) -> TenantOverrides {
    let rows = [
        ("account.lock.handler.lock.on.max.failed.attempts.enable", "true".to_owned()),
        ("account.lock.handler.On.Failure.Max.Attempts", (3 + number % 5).to_string()),
        ("passwordPolicy.enable", "true".to_owned()),
        ("passwordPolicy.min.length", (8 + number % 4).to_string()),
        ("passwordPolicy.max.length", "64".to_owned()),
        ("SelfRegistration.Enable", "true".to_owned()),
        ("SelfRegistration.LockOnCreation", "false".to_owned()),
        ("Recovery.Notification.Password.Enable", "true".to_owned()),
        ("Recovery.ExpiryTime", (60 + number % 60).to_string()),
        ("suspension.notification.enable", "true".to_owned()),
    ];
    let (overrides, left_out) = Overrides::from_rows(rows.map(|(name, value)| (name.to_owned(), value)));
    assert!(left_out.is_empty());
    TenantOverrides::new(1, overrides)
}

fn tenants() -> Vec<TenantId> {
    (0..TENANTS).map(|n| TenantId::parse(&format!("tenant-{n}.example.com")).unwrap()).collect()
}

fn settings(base: &Path) -> Settings {
    let file = base.join("deployment.toml");
    let text = format!(
        "[[portal.upstream]]\nurl = \"http://127.0.0.1:9\"\n\
         [tenancy]\nfolder = \"tenants\"\nttl = \"1h\"\nwatch = \"off\"\ncapacity = {}\n",
        TENANTS * 2
    );
    fs::write(&file, text).unwrap();
    load(&file, &BTreeMap::new()).unwrap()
}

/// Resident memory of the process, in KiB.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn load_all(directory: &TenantRegistry, tenants: &[TenantId], runtime: &Runtime) {
    runtime.block_on(async {
        for tenant in tenants {
            assert!(matches!(directory.load(tenant).await, TenantLookup::Tenant(_)));
        }
    });
}

fn resolving(c: &mut Criterion) {
    let base = tempfile::tempdir().unwrap();
    let settings = settings(base.path());
    let (tenant, conf) = (TenantId::super_tenant(), TenantConf::default());
    let mut group = c.benchmark_group("governance/resolving");
    let pattern =
        Overrides::from_rows([("passwordPolicy.pattern".to_owned(), r"(?=.*\d)(?=.*[a-z]).{8,}".to_owned())])
            .0;
    for (name, set) in [
        ("nothing set", TenantOverrides::none()),
        ("ten properties set", set(1)),
        ("a password pattern set", TenantOverrides::new(1, pattern)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| tenant_file::resolve_with(&settings, &tenant, black_box(&conf), &set, 1));
        });
    }
    let policy = tenant_file::resolve_with(&settings, &tenant, &conf, &set(1), 1);
    group.bench_function("one value read", |b| {
        b.iter(|| effective_value(&policy, black_box("passwordPolicy.min.length")));
    });
    group.finish();
}

fn looking_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("governance/look-up of 10,000 tenants in turn");
    let tenants = tenants();
    for (name, governed) in [("nothing set", false), ("ten properties set for each", true)] {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let base = tempfile::tempdir().unwrap();
        for tenant in &tenants {
            fs::create_dir_all(base.path().join("tenants").join(tenant.as_str())).unwrap();
        }
        let directory = TenantRegistry::new(Arc::new(settings(base.path())), runtime.handle());
        let before = resident();
        if governed {
            let all =
                tenants.iter().enumerate().map(|(number, tenant)| (tenant.clone(), set(number))).collect();
            runtime.block_on(directory.replace_all_overrides(all));
        }
        let known = resident();
        load_all(&directory, &tenants, &runtime);
        println!(
            "{name}: {:.2} KiB a tenant for its overrides, {:.2} KiB with its policy in memory",
            (known - before) as f64 / TENANTS as f64,
            (resident() - before) as f64 / TENANTS as f64,
        );
        if governed {
            let (tenant, start) = (&tenants[7], Instant::now());
            for version in 2..1002 {
                let TenantOverrides { overrides, .. } = set(version);
                let set = TenantOverrides { version: version as u64, overrides };
                runtime.block_on(directory.set_overrides(tenant, set));
            }
            println!("{name}: a change of one tenant is in force after {:?}", start.elapsed() / 1000);
        }
        let mut asked = tenants.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| black_box(directory.cached(black_box(asked.next().unwrap()))));
        });
    }
    group.finish();
}

criterion_group!(benches, resolving, looking_up);
criterion_main!(benches);
