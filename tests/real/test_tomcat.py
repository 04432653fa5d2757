"""A real Tomcat behind Doorward: pages, large files at constant memory, WebSocket."""

import hashlib
import http.client
import os
import tempfile
import time
import unittest

from doorward import Doorward
from portals import Tomcat, has_tomcat
from wire import WebSocket, exchange

MIB = 1024 * 1024
SIZE = int(os.environ.get("REAL_MIB", "1024"))
# of the process with the file over the process without it: the bytes in flight, in both directions
GROWTH_LIMIT_MIB = 32


class Pieces:
    """A file of `SIZE` MiB that is never in memory; no two of its pieces are the same."""

    def __init__(self):
        self.hash, self.block = hashlib.blake2b(), os.urandom(MIB)

    def __iter__(self):
        for number in range(SIZE):
            piece = number.to_bytes(8, "big") + self.block[8:]
            self.hash.update(piece)
            yield piece


@unittest.skipUnless(has_tomcat(), "tomcat10-common, tomcat10-examples or java is missing")
class BehindTomcat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory(prefix="doorward-real-")
        cls.addClassCleanup(cls.home.cleanup)
        cls.tomcat = Tomcat(cls.home.name)
        routes = [("/examples/**", "open"), ("/site/**", "open"), ("/**", "signed-in")]
        cls.doorward = Doorward(cls.home.name, cls.tomcat.port, routes, websockets=["/examples/websocket/**"])

    def test_pages_and_servlets_are_unchanged(self):
        for path in (
            "/examples/",
            "/examples/index.html",
            "/examples/servlets/index.html",
            "/examples/servlets/servlet/HelloWorldExample",
            "/examples/jsp/jsp2/el/basic-arithmetic.jsp",
            "/site/public/page.txt",
            "/examples/not-there",
        ):
            with self.subTest(path):
                direct, through = exchange(self.tomcat.port, path), exchange(self.doorward.port, path)
                self.assertEqual(through[0], direct[0])
                self.assertEqual(through[1], direct[1])
        self.assertIn(b"Hello", exchange(self.doorward.port, "/examples/servlets/servlet/HelloWorldExample")[1])

    def test_closed_page_never_reaches_tomcat(self):
        self.assertEqual(exchange(self.doorward.port, "/manager/html")[0], 401)

    def test_large_file_passes_at_constant_memory(self):
        pieces, idle = Pieces(), self.doorward.peak_memory_mib()
        started = time.monotonic()
        up = http.client.HTTPConnection("127.0.0.1", self.doorward.port, timeout=120)
        up.request("PUT", "/site/large.bin", body=iter(pieces), headers={"Content-Length": str(SIZE * MIB)})
        self.assertIn(up.getresponse().status, (201, 204))
        uploaded = time.monotonic()
        down = http.client.HTTPConnection("127.0.0.1", self.doorward.port, timeout=120)
        down.request("GET", "/site/large.bin")
        answer, received = down.getresponse(), hashlib.blake2b()
        while piece := answer.read(MIB):
            received.update(piece)
        self.assertEqual(received.hexdigest(), pieces.hash.hexdigest())
        peak = self.doorward.peak_memory_mib()
        print(f"\n{SIZE} MiB up in {uploaded - started:.1f} s, down in {time.monotonic() - uploaded:.1f} s, "
              f"peak resident memory {peak:.1f} MiB, before {idle:.1f} MiB", flush=True)
        self.assertLess(peak - idle, GROWTH_LIMIT_MIB)

    def test_a_chunked_upload_arrives_whole(self):
        up = http.client.HTTPConnection("127.0.0.1", self.doorward.port, timeout=30)
        up.request("PUT", "/site/chunked.txt", body=iter([b"one ", b"two ", b"three"]), encode_chunked=True,
                   headers={"Transfer-Encoding": "chunked"})
        self.assertIn(up.getresponse().status, (201, 204))
        self.assertEqual((self.tomcat.files / "chunked.txt").read_bytes(), b"one two three")

    def test_a_websocket_echoes(self):
        socket = WebSocket(self.doorward.port, "/examples/websocket/echoProgrammatic")
        self.addCleanup(socket.close)
        self.assertEqual(socket.status, 101)
        for text in ("hello", "x" * 5000, "ünïcode"):
            socket.send(text)
            self.assertEqual(socket.receive(), text)
