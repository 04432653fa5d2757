#!/usr/bin/env python3
"""Measures the latency of 1,000 well-behaved clients while one client attacks, against the latency without the attack.

    make fairness                      # builds the release binary first
    python3 tests/lab/fairness.py --doorward PATH [--rounds 3] [--seconds 6] [--only uploads,resets] [--http2]

Each well-behaved client has an address of its own (127.1.0.0/16), one kept connection, and makes one request a second.
The attacker has one address (127.9.9.9). Proxy on CPU 1; clients, attacker (only while they are idle) and portal on CPU 0. All traffic is on loopback.
Needs Debian's nginx as the portal. Each round measures without and then with the attack, on a new proxy. Prints one line per attack:
medians over the rounds of p50, p99 and their ratio, and the failed requests of all rounds.
"""
import argparse
import asyncio
import collections
import gc
import multiprocessing
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

CLIENTS = 1000
ATTACKER = "127.9.9.9"

NGINX = """
daemon off; master_process off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx.err;
worker_rlimit_nofile 65536;
events {{ worker_connections 20000; }}
http {{
  access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s; client_max_body_size 1g; keepalive_requests 1000000;
  client_body_timeout 120s; send_timeout 120s;
  server {{
    listen 127.0.0.1:{port}{http2} backlog=8192;
    location = /1k {{ alias {home}/1k; }}
    location = /big {{ alias {home}/big; }}
    location = /upload {{ proxy_pass http://127.0.0.1:{sink}/; }}
    location = /ws {{ proxy_pass http://127.0.0.1:{sink}/; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }}
  }}
  server {{ listen 127.0.0.1:{sink} backlog=8192; location / {{ return 204; }} }}
}}
"""

DEPLOYMENT = """
[apim.devportal]
enable_anonymous_mode = true
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[admin]
listen = "127.0.0.1:{admin}"
[portal]
profile = "generic"
[[portal.upstream]]
url = "http://127.0.0.1:{portal}"
http2 = {http2}
[accounts]
enabled = true
[account_lock]
enabled = true
[[access.route]]
match = "/**"
access = "anonymous"
upgrade = true
[limits.client]
exempt = []
[log]
level = "warn"
access = "off"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, log):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"port {port} does not open: {pathlib.Path(log.name).read_text()}")


def run_on(cpu, command, log):
    return subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL)


class Bench:
    def __init__(self, doorward, http2):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="doorward-fairness-"))
        self.port, self.admin, portal, sink = (free_port() for _ in range(4))
        (self.home / "1k").write_bytes(b"x" * 1024)
        (self.home / "big").write_bytes(b"x" * (50 << 20))
        (self.home / "nginx.conf").write_text(
            NGINX.format(home=self.home, port=portal, sink=sink, http2=" http2" if http2 else ""))
        (self.home / "deployment.toml").write_text(
            DEPLOYMENT.format(port=self.port, admin=self.admin, portal=portal, http2=str(http2).lower()))
        (self.home / "tenants").mkdir()
        self.log = (self.home / "log").open("wb")
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.nginx = run_on(0, [nginx, "-c", str(self.home / "nginx.conf"), "-e", str(self.home / "nginx.err")], self.log)
        wait_for(portal, self.log)
        self.proxy = run_on(1, [doorward, "serve", "--config", str(self.home / "deployment.toml")], self.log)
        wait_for(self.port, self.log)

    def memory_mib(self):
        text = pathlib.Path(f"/proc/{self.proxy.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def rejected(self):
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics").read().decode()
        found = re.findall(r'doorward_client_limit_rejections_total\{[^}]*resource="([a-z_]+)"[^}]*\} (\d+)', text)
        return {name: int(count) for name, count in found if count != "0"}

    def stop(self):
        for process in (self.proxy, self.nginx):
            process.terminate()
            process.wait(60)
        shutil.rmtree(self.home)


# -------------------------------------------------------------------------------------------- well-behaved clients
async def one_client(number, port, until, begin, latencies, failures):
    request = b"GET /1k HTTP/1.1\r\nHost: portal.test\r\n\r\n"
    source = (f"127.1.{number // 250}.{1 + number % 250}", 0)
    reader = writer = None
    at = begin + number / CLIENTS
    while at < until:
        await asyncio.sleep(max(0, at - time.monotonic()))
        started = time.monotonic()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
            writer.write(request)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
            await reader.readexactly(length)
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise OSError(head.split(b"\r\n", 1)[0].decode())
            latencies.append(time.monotonic() - started)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, AttributeError) as error:
            failures.append(repr(error))
            if writer is not None:
                writer.close()
            reader = writer = None
        at += 1


async def well_behaved(port, seconds):
    latencies, failures = [], []
    begin = time.monotonic() + 0.5
    until = begin + seconds
    await asyncio.gather(*(one_client(n, port, until, begin, latencies, failures) for n in range(CLIENTS)))
    return latencies, failures


# ------------------------------------------------------------------------------------------------------- attackers
async def connect(port):
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(ATTACKER, 0))


async def hold(port, count, until, talk, rate=2000):
    """Keeps up to `count` connections on which `talk` runs; each is opened anew when it ends, `rate` a second at most."""
    async def keep():
        while time.monotonic() < until:
            try:
                reader, writer = await connect(port)
                try:
                    await asyncio.wait_for(talk(reader, writer), max(0.1, until - time.monotonic()))
                finally:
                    writer.close()
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(count / rate)
    await asyncio.gather(*(keep() for _ in range(count)))


async def until_closed(reader, _writer):
    while await reader.read(65536):
        pass


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)
HOST = b"\x41\x0bportal.test"


def h2_get(stream, path=b"/1k"):
    block = b"\x82\x86" + HOST + b"\x44" + bytes([len(path)]) + path
    return frame(1, 5, stream, block)


def h2_post(stream):
    return frame(1, 4, stream, b"\x83\x86" + HOST + b"\x44\x07/upload")


async def connections(port, until):
    """10,000 connections without a request."""
    await hold(port, 10_000, until, until_closed)


async def uploads(port, until):
    """1,024 HTTP/2 uploads over 11 connections, a byte a second each."""
    async def talk(reader, writer):
        writer.write(PREFACE)
        drain = asyncio.create_task(until_closed(reader, writer))
        streams = range(1, 2 * 94, 2)
        writer.write(b"".join(h2_post(stream) for stream in streams))
        while not drain.done():
            writer.write(b"".join(frame(0, 0, stream, b"x") for stream in streams))
            await writer.drain()
            await asyncio.sleep(1)
    await hold(port, 11, until, talk)


async def trickled(port, until):
    """1,024 HTTP/1.1 uploads, a byte a second each."""
    async def talk(reader, writer):
        writer.write(b"POST /upload HTTP/1.1\r\nHost: portal.test\r\nContent-Length: 100000\r\n\r\n")
        drain = asyncio.create_task(until_closed(reader, writer))
        while not drain.done():
            writer.write(b"x")
            await asyncio.sleep(1)
    await hold(port, 1024, until, talk)


async def slow_readers(port, until):
    """200 downloads of 50 MiB of which nothing is read."""
    async def talk(_reader, writer):
        writer.transport.pause_reading()
        writer.write(b"GET /big HTTP/1.1\r\nHost: portal.test\r\n\r\n")
        await asyncio.sleep(until - time.monotonic())
    await hold(port, 200, until, talk)


async def slow_streams(port, until):
    """200 downloads of 50 MiB over two HTTP/2 connections whose windows stay at 64 KiB."""
    async def talk(reader, writer):
        writer.write(PREFACE + b"".join(h2_get(stream, b"/big") for stream in range(1, 200, 2)))
        await until_closed(reader, writer)
    await hold(port, 2, until, talk)


async def sign_ins(port, until):
    """500 sign-ins at a time with wrong passwords."""
    async def talk(reader, writer):
        writer.write(b"GET /.doorward/sign-in HTTP/1.1\r\nHost: portal.test\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(re.search(rb"content-length: (\d+)", head, re.I).group(1)))
        token = re.search(rb'name="csrf" value="([^"]+)"', body)
        cookie = re.search(rb"set-cookie: ([^;]+)", head, re.I)
        if not token or not cookie:
            await asyncio.sleep(1)
            return
        form = b"csrf=" + token.group(1) + b"&username=u%d&password=x" % (time.monotonic_ns() % 1000)
        writer.write(b"POST /.doorward/sign-in HTTP/1.1\r\nHost: portal.test\r\nCookie: " + cookie.group(1) +
                     b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(form) + form)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(1)
    await hold(port, 500, until, talk)


async def upgrades(port, until):
    """10,000 WebSocket handshakes."""
    async def talk(reader, writer):
        writer.write(b"GET /ws HTTP/1.1\r\nHost: portal.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        await until_closed(reader, writer)
    await hold(port, 10_000, until, talk)


async def resets(port, until):
    """HTTP/2 requests that are reset at once, 100 a round over 10 connections (CVE-2023-44487)."""
    async def talk(reader, writer):
        writer.write(PREFACE)
        drain = asyncio.create_task(until_closed(reader, writer))
        stream = 1
        while not drain.done():
            batch = b""
            for _ in range(100):
                batch += h2_get(stream) + frame(3, 0, stream, b"\0\0\0\x08")
                stream += 2
            writer.write(batch)
            await writer.drain()
            await asyncio.sleep(0.2)
    await hold(port, 10, until, talk)


ATTACKS = [connections, uploads, trickled, slow_readers, slow_streams, sign_ins, upgrades, resets]


def attack(name, port, seconds):
    os.sched_setaffinity(0, {0})
    # the clients share a CPU with the attacker and must not wait for it: only the proxy is measured
    os.nice(19)
    chosen = next(one for one in ATTACKS if one.__name__ == name)
    asyncio.run(chosen(port, time.monotonic() + seconds))


def measure(port, seconds):
    os.sched_setaffinity(0, {0})
    gc.collect()
    gc.disable()
    latencies, failures = asyncio.run(well_behaved(port, seconds))
    latencies.sort()
    quantile = lambda q: 1000 * latencies[min(len(latencies) - 1, int(len(latencies) * q))] if latencies else float("inf")
    return quantile(0.5), quantile(0.99), len(failures), len(latencies) + len(failures), failures


Round = collections.namedtuple("Round", "before during memory rejected")


def one_round(options, name):
    bench = Bench(options.doorward, options.http2)
    try:
        measure(bench.port, 2)
        before = measure(bench.port, options.seconds)
        attacker = multiprocessing.Process(target=attack, args=(name, bench.port, options.seconds + 4))
        attacker.start()
        time.sleep(3)
        during = measure(bench.port, options.seconds)
        memory, rejected = bench.memory_mib(), bench.rejected()
        attacker.join(60)
        if attacker.is_alive():
            attacker.kill()
        return Round(before, during, memory, rejected)
    finally:
        bench.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--doorward", default=os.environ.get("DOORWARD", "target/release/doorward"))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=6)
    arguments.add_argument("--only", default="")
    arguments.add_argument("--http2", action="store_true", help="speak HTTP/2 with the portal")
    options = arguments.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    names = options.only.split(",") if options.only else [one.__name__ for one in ATTACKS]
    print("| attack | p50 ms without / with | p99 ms without / with | ratio of p99 | failed | memory MiB | rejections |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- |")
    worst = 0.0
    for name in names:
        rounds = [one_round(options, name) for _ in range(options.rounds)]
        median = lambda figure: statistics.median(figure(one) for one in rounds)
        ratio = median(lambda one: one.during[1] / one.before[1])
        worst = max(worst, ratio)
        failures = [failure for one in rounds for failure in one.during[4]]
        print(f"| {name} | {median(lambda one: one.before[0]):.2f} / {median(lambda one: one.during[0]):.2f} "
              f"| {median(lambda one: one.before[1]):.2f} / {median(lambda one: one.during[1]):.2f} | {ratio:.2f} "
              f"| {len(failures)} of {sum(one.during[3] for one in rounds)} | {median(lambda one: one.memory):.0f} "
              f"| {rounds[-1].rejected} |", flush=True)
        for failure in sorted(set(failures))[:3]:
            print(f"  {failures.count(failure)} x {failure}", file=sys.stderr)
    sys.exit(0 if worst <= 2 else 1)


if __name__ == "__main__":
    main()
