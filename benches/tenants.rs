//! The cost of a tenant lookup: it must not grow with the number of tenants.

#![expect(clippy::unwrap_used, reason = "a bench may stop where it cannot be set up")]

use std::{collections::BTreeMap, fs, hint::black_box, path::Path, sync::Arc};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use doorward::internals::{
    config::load::load,
    domain::tenant::TenantId,
    tenants::{TenantLookup, TenantRegistry},
};
use tokio::runtime::{Builder, Runtime};

fn background() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn tenants(number: usize) -> Vec<TenantId> {
    (0..number).map(|n| TenantId::parse(&format!("tenant-{n}.example.com")).unwrap()).collect()
}

/// A folder for each tenant, all of them in the cache, in an order unlike the one they are asked for in.
fn directory(base: &Path, tenants: &[TenantId], runtime: &Runtime) -> Arc<TenantRegistry> {
    for tenant in tenants {
        fs::create_dir_all(base.join("tenants").join(tenant.as_str())).unwrap();
    }
    let file = base.join("deployment.toml");
    let capacity = tenants.len() * 2 + 1000;
    let text = format!(
        "[[portal.upstream]]\nurl = \"http://127.0.0.1:9\"\n\
         [tenancy]\nfolder = \"tenants\"\nttl = \"1h\"\nnegative_ttl = \"1h\"\nwatch = \"off\"\ncapacity = {capacity}\n"
    );
    fs::write(&file, text).unwrap();
    let settings = load(&file, &BTreeMap::new()).unwrap();
    let directory = TenantRegistry::new(Arc::new(settings), runtime.handle());
    runtime.block_on(async {
        for tenant in tenants.iter().rev() {
            assert!(matches!(directory.load(tenant).await, TenantLookup::Tenant(_)));
        }
    });
    directory
}

fn cached(c: &mut Criterion) {
    let mut group = c.benchmark_group("tenant/cached");
    group.throughput(Throughput::Elements(1));
    for number in [10, 1_000, 100_000] {
        let runtime = background();
        let base = tempfile::tempdir().unwrap();
        let tenants = tenants(number);
        let directory = directory(base.path(), &tenants, &runtime);
        // all in turn is the worst case: beyond the processor's cache it measures the memory
        for (in_use, asked) in [("a hundred in use", 100.min(number)), ("all in turn", number)] {
            let mut asked = tenants.iter().take(asked).cycle();
            group.bench_function(BenchmarkId::new(in_use, number), |b| {
                b.iter(|| black_box(directory.cached(black_box(asked.next().unwrap()))));
            });
        }
    }
    group.finish();
}

fn unknown(c: &mut Criterion) {
    let runtime = background();
    let base = tempfile::tempdir().unwrap();
    let directory = directory(base.path(), &tenants(1_000), &runtime);
    let unknown_tenant = TenantId::parse("unknown.example.com").unwrap();
    let mut group = c.benchmark_group("tenant/unknown");
    group.throughput(Throughput::Elements(1));
    runtime.block_on(directory.load(&unknown_tenant));
    group.bench_function("asked before", |b| {
        b.iter(|| black_box(directory.cached(black_box(&unknown_tenant))));
    });
    let mut n = 0_u64;
    group.bench_function("never asked", |b| {
        b.iter(|| {
            n += 1;
            let name = TenantId::parse(&format!("random-{n}.example.com")).unwrap();
            black_box(runtime.block_on(directory.load(&name)))
        });
    });
    group.finish();
}

fn by_host(c: &mut Criterion) {
    let runtime = background();
    let base = tempfile::tempdir().unwrap();
    let directory = directory(base.path(), &tenants(1_000), &runtime);
    let mut group = c.benchmark_group("tenant/by host");
    group.throughput(Throughput::Elements(1));
    group.bench_function("unclaimed", |b| {
        b.iter(|| black_box(directory.find_by_host(black_box("portal.example.com:8443"))));
    });
    group.finish();
}

criterion_group!(benches, cached, unknown, by_host);
criterion_main!(benches);
