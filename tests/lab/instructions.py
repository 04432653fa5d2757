#!/usr/bin/env python3
"""Counts the instructions that one proxied request costs, by callgrind; repeatable where times are not.

    make instructions                                  # builds the release binary first
    python3 tests/lab/instructions.py --doorward PATH [--other PATH]

Runs the binary twice under callgrind, with 1,000 and with 3,000 requests over one kept connection, and divides the difference.
With --other both binaries are counted and the ratio is printed. Needs valgrind; traffic stays on loopback.
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

FEW, MANY = 1000, 3000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
DEPLOYMENT = """
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
drain_delay = "0s"
[admin]
listen = "off"
[portal]
profile = "generic"
[[portal.upstream]]
url = "http://127.0.0.1:{portal}"
[apim.devportal]
enable_anonymous_mode = true
[log]
level = "warn"
access = "off"
"""
# this machine has no limits per client unless this is written; an older binary to compare with does not know the key
# the client counts, and is not in a burst, whose requests wait in a queue
NO_EXEMPTION = "[limits.client]\nexempt = []\nrequests_per_second = 1000000\n"
# what browsers send with a navigation
REQUEST = (b"GET /docs/page HTTP/1.1\r\nHost: portal.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
           b"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\n"
           b"Connection: keep-alive\r\nCookie: theme=dark\r\nSec-Fetch-Mode: cors\r\n\r\n")


def serve(listener):
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(client,), daemon=True).start()


def answer(client):
    unread = b""
    while chunk := client.recv(65536):
        unread += chunk
        while b"\r\n\r\n" in unread:
            unread = unread.split(b"\r\n\r\n", 1)[1]
            client.sendall(ANSWER)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def exchange(connection):
    connection.sendall(REQUEST)
    read = b""
    while b"\r\n\r\n" not in read or len(read.split(b"\r\n\r\n", 1)[1]) < 1024:
        chunk = connection.recv(65536)
        assert chunk, "the connection was closed"
        read += chunk
    assert read.startswith(b"HTTP/1.1 200"), read[:200]


def instructions(doorward, portal, requests):
    home = pathlib.Path(tempfile.mkdtemp(prefix="doorward-instructions-"))
    try:
        port = free_port()
        (home / "tenants").mkdir()
        file = home / "deployment.toml"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DOORWARD_")}
        text = DEPLOYMENT.format(port=port, portal=portal)
        file.write_text(text + NO_EXEMPTION)
        if subprocess.run([doorward, "check", "--config", file], env=environment, capture_output=True).returncode:
            file.write_text(text)
        process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={home}/out", doorward, "serve", "--config",
             str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        for _ in range(600):
            try:
                connection = socket.create_connection(("127.0.0.1", port), 120)
                break
            except OSError:
                time.sleep(0.1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(requests):
            exchange(connection)
        connection.close()
        process.terminate()
        said = process.communicate(timeout=120)[1].decode()
        return int(re.search(r"Collected : (\d+)", said).group(1))
    finally:
        shutil.rmtree(home)


def per_request(doorward, portal):
    return (instructions(doorward, portal, MANY) - instructions(doorward, portal, FEW)) / (MANY - FEW)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--doorward", default=os.environ.get("DOORWARD", "target/release/doorward"))
    arguments.add_argument("--other", help="a second binary to compare with")
    options = arguments.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    portal = listener.getsockname()[1]
    first = per_request(options.doorward, portal)
    print(f"{first:,.0f} instructions a plain request")
    if options.other:
        second = per_request(options.other, portal)
        print(f"{second:,.0f} of the other; ratio {first / second:.4f}")


if __name__ == "__main__":
    main()
