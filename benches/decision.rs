//! The cost of evaluating a request, part by part: validation, tenant, route, decision, headers.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has to stop")]

use std::{hint::black_box, net::IpAddr};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use doorward::internals::{
    config::model::{AccessSettings, PortalProfile},
    domain::{
        access,
        browser::{self, FetchMetadata},
        identity::{Identity, User},
        return_address::ReturnAddress,
        route::{AccessLevel, Route, RouteKind, RouteRule, RouteTable, wso2_apim},
        tenant::TenantId,
        time::Timestamp,
    },
    proxy::{
        forwarded,
        headers::{ForwardingHeaders, clean_response, identity_headers},
        tenant_selection,
        validation::{self, HeadLimits, cookies},
    },
};
use http::{HeaderMap, HeaderValue, Request, request::Parts};

const LIMITS: HeadLimits = HeadLimits { max_target_bytes: 8 * 1024, max_header_bytes: 32 * 1024 };
const PATH: &str = "/devportal/apis/0ab1c2d3-e4f5-6789/documents?tenant=acme.com&query=pizza";

/// The headers that a browser sends with a navigation.
fn browser_request(target: &str) -> Parts {
    let mut request = Request::builder().uri(target);
    for (name, value) in [
        ("host", "portal.example.com"),
        ("connection", "keep-alive"),
        ("sec-ch-ua", "\"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\""),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", "\"Linux\""),
        ("upgrade-insecure-requests", "1"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
        ),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-user", "?1"),
        ("sec-fetch-dest", "document"),
        ("referer", "https://portal.example.com/devportal/"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
        ("cookie", "WSO2_AM_TOKEN_1_Default=0ab1c2d3-e4f5; IS_LOGIN_DEFAULT=true; CLIENT_ID=x; theme=dark"),
    ] {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn user() -> User {
    User {
        name: "alice".into(),
        tenant: TenantId::parse("acme.com").unwrap(),
        email: Some("alice@acme.com".into()),
        display_name: Some("Alice Lidell".into()),
        roles: vec!["Internal/subscriber".into(), "Internal/everyone".into()],
        scopes: vec![],
        expires_at: Timestamp::EPOCH,
    }
}

fn validation(c: &mut Criterion) {
    let mut group = c.benchmark_group("validation");
    let mut case = |name: &str, parts: &Parts| {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || parts.clone(),
                |parts| validation::validate(parts, LIMITS),
                BatchSize::SmallInput,
            );
        });
    };
    let clean = browser_request(PATH);
    case("clean", &clean);
    case("encoded_path", &browser_request("/%64evportal/apis/a%20b"));
    let mut hostile = clean.clone();
    for name in ["x-forwarded-for", "x_forwarded_user", "x-auth-request-email", "remote.user"] {
        hostile.headers.insert(name, HeaderValue::from_static("admin"));
    }
    case("four_forged_headers", &hostile);
    case("structured_path", &browser_request("/devportal/%2e%2e/carbon"));
    group.bench_function("strip_own_cookies_absent", |b| {
        b.iter_batched_ref(
            || clean.headers.clone(),
            |headers: &mut HeaderMap| cookies::strip_own(headers),
            BatchSize::SmallInput,
        );
    });
}

fn evaluation(c: &mut Criterion) {
    let parts = browser_request(PATH);
    let nothing = browser_request("/devportal/apis/0ab1c2d3-e4f5-6789/documents?query=pizza");
    let (path, query) = (parts.uri.path(), parts.uri.query());
    let mut group = c.benchmark_group("evaluation");
    group.bench_function("tenant_named", |b| {
        b.iter(|| tenant_selection::select_tenant(black_box(path), query, &parts.headers, None));
    });
    group.bench_function("tenant_not_named", |b| {
        b.iter(|| {
            tenant_selection::select_tenant(black_box(path), nothing.uri.query(), &nothing.headers, None)
        });
    });

    let table = RouteTable::compile(&wso2_apim::rules(), wso2_apim::fallback()).unwrap();
    group.bench_function("classify_page", |b| b.iter(|| table.classify("GET", black_box(path))));
    let api = "/api/am/devportal/v3/apis/0ab1c2d3-e4f5-6789/documents/1/content";
    group.bench_function("classify_api", |b| b.iter(|| table.classify("GET", black_box(api))));
    for rules in [10, 1_000, 100_000] {
        let rules: Vec<_> = (0..rules)
            .map(|i| {
                RouteRule::new(&["GET"], &format!("/docs/{i}/*/page"), AccessLevel::Open, RouteKind::Page)
            })
            .collect();
        let table =
            RouteTable::compile(&rules, Route::fallback(AccessLevel::SignedIn, RouteKind::Page)).unwrap();
        group.bench_function(format!("classify_of_{}_rules", rules.len()), |b| {
            b.iter(|| table.classify("GET", black_box("/docs/7/x/page")));
        });
    }

    let route = table.classify("GET", path);
    group.bench_function("decide", |b| {
        b.iter(|| access::decide(black_box(false), route, black_box(&Identity::Anonymous)));
    });
    group.bench_function("redirect_or_401", |b| {
        let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
        b.iter(|| {
            let asked = FetchMetadata {
                method: parts.method.as_str(),
                sec_fetch_mode: text("sec-fetch-mode"),
                sec_fetch_dest: text("sec-fetch-dest"),
                accept: text("accept"),
                x_requested_with: text("x-requested-with"),
                upgrade: false,
            };
            browser::classify_caller(black_box(&asked), RouteKind::Page)
        });
    });
    group.bench_function("return_address", |b| b.iter(|| ReturnAddress::parse(black_box(PATH))));
}

fn write(c: &mut Criterion) {
    let mut group = c.benchmark_group("write");
    let (user, tenant) = (user(), TenantId::parse("acme.com").unwrap());
    group.bench_function("identity_headers", |b| {
        let access = AccessSettings::default_for(PortalProfile::Wso2Apim);
        b.iter(|| identity_headers(&access, black_box(&user), &tenant));
    });
    let host = HeaderValue::from_static("portal.example.com");
    let peer: IpAddr = [203, 0, 113, 7].into();
    let empty = HeaderMap::new();
    group.bench_function("client_and_origin", |b| {
        b.iter(|| {
            ForwardingHeaders::new(&forwarded::resolve_client(black_box(peer), true, &empty, &[]), &host)
        });
    });
    let origin = ForwardingHeaders::new(&forwarded::resolve_client(peer, true, &empty, &[]), &host).unwrap();
    let parts = browser_request(PATH);
    group.bench_function("origin_into_headers", |b| {
        b.iter_batched_ref(|| parts.headers.clone(), |headers| origin.insert(headers), BatchSize::SmallInput);
    });
    let mut answer = HeaderMap::new();
    for (name, value) in [
        ("content-type", "text/html"),
        ("content-length", "1024"),
        ("date", "x"),
        ("cache-control", "no-store"),
    ] {
        answer.insert(name, HeaderValue::from_static(value));
    }
    group.bench_function("clean_response", |b| {
        b.iter_batched_ref(
            || answer.clone(),
            |headers| clean_response(headers, false),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, validation, evaluation, write);
criterion_main!(benches);
