//! A request from end to end, over loopback sockets: client → Doorward → portal, beside client → portal in the same run.
//! One request at a time, so this is added latency, not throughput; for that see `make lab`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up has to stop"
)]

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use criterion::{Criterion, criterion_group, criterion_main};
use doorward::internals::{
    boot::{self, RunningProxy},
    clock::Clock,
    config::load::load,
    demo::{AUDIENCE, ISSUER, SamplePortal},
};

const BODY: &str = "0123456789abcdef";

/// Answers every request with the same kilobyte, without looking at it.
fn portal() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1024\r\n\r\n{}", BODY.repeat(64)).into_bytes();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), answer.clone());
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut head = [0; 8192];
                while stream.read(&mut head).is_ok_and(|read| read > 0) {
                    if stream.write_all(&answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn start_proxy(portal: SocketAddr, folder: &std::path::Path, issuer: &SamplePortal) -> RunningProxy {
    let keys = folder.join("keys.json");
    std::fs::write(&keys, issuer.key_set()).unwrap();
    let file = folder.join("deployment.toml");
    std::fs::write(
        &file,
        format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n[admin]\nlisten = \"off\"\n\
             [portal]\nprofile = \"generic\"\n[[portal.upstream]]\nurl = \"http://{portal}\"\n\
             [[issuer]]\nissuer = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\njwks_file = \"keys.json\"\n\
             [log]\naccess = \"off\"\n"
        ),
    )
    .unwrap();
    boot::start(load(&file, &BTreeMap::new()).unwrap(), Clock::system()).unwrap()
}

/// One keep-alive connection; each call sends the request and reads the whole answer.
fn exchange(address: SocketAddr, headers: &str) -> impl FnMut() {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!("GET /1k HTTP/1.1\r\nhost: portal.test\r\n{headers}\r\n").into_bytes();
    let mut answer = vec![0; 16 * 1024];
    move || {
        stream.write_all(&request).unwrap();
        let mut read = 0;
        loop {
            read += stream.read(&mut answer[read..]).unwrap();
            let head = answer[..read].windows(4).position(|four| four == b"\r\n\r\n");
            if head.is_some_and(|head| read >= head + 4 + 1024) {
                assert!(answer.starts_with(b"HTTP/1.1 200"));
                break;
            }
        }
    }
}

fn end_to_end(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let issuer = SamplePortal::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let portal = portal();
    let gate = start_proxy(portal, folder.path(), &issuer);
    let token = issuer.mint("alice", "carbon.super", Clock::system().now(), Duration::from_hours(1)).unwrap();
    let mut group = c.benchmark_group("end_to_end");
    group.bench_function("direct", |b| b.iter(exchange(portal, "")));
    group.bench_function("through doorward, anonymous", |b| b.iter(exchange(gate.http[0], "")));
    let bearer = format!("authorization: Bearer {token}\r\n");
    group.bench_function("through doorward, known token", |b| b.iter(exchange(gate.http[0], &bearer)));
    group.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
