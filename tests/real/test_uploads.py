"""Uploads with curl: the portal is asked before the bytes are sent, and one that refuses early ends the upload."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from gate import Gate
from portals import Nginx, Tomcat, has_nginx, has_tomcat

MIB = 1024 * 1024
SIZE = 64 * MIB
# far more than any of these takes, far less than a hanging one
SECONDS = 20
WAYS = {
    "at once": ["-H", "Expect:"],
    "asking first": ["-H", "Expect: 100-continue", "--expect100-timeout", str(SECONDS)],
    "chunked": ["-H", "Expect:", "-H", "Transfer-Encoding: chunked"],
    "HTTP/2": ["--http2-prior-knowledge"],
}


@unittest.skipUnless(shutil.which("curl") and has_tomcat() and has_nginx(), "curl, Tomcat or nginx is missing")
class Uploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        home = tempfile.TemporaryDirectory(prefix="doorward-real-")
        cls.addClassCleanup(home.cleanup)
        cls.home = pathlib.Path(home.name)
        cls.file = cls.home / "upload.bin"
        cls.file.write_bytes(bytes(range(256)) * (SIZE // 256))
        cls.tomcat, cls.nginx = Tomcat(cls.home), Nginx(cls.home)
        routes = [("/site/**", "open"), ("/examples/**", "open"), ("/**", "signed-in")]
        cls.before_tomcat = Gate(cls.home, cls.tomcat.port, routes)
        cls.before_nginx = Gate(cls.home, cls.nginx.port, routes)

    def put(self, port, path, options):
        """Returns the status and how many bytes were sent."""
        command = ["curl", "-sS", "-m", str(SECONDS), "-o", "/dev/null", "-w", "%{http_code} %{size_upload}",
                   "-T", str(self.file), *options, f"http://127.0.0.1:{port}{path}"]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, f"{path} {options}: {result.stderr}")
        status, sent = result.stdout.split()
        return int(status), int(sent)

    def test_an_upload_arrives_whole_in_every_way(self):
        for way, options in WAYS.items():
            with self.subTest(way):
                arrived = self.tomcat.files / "upload.bin"
                arrived.unlink(missing_ok=True)
                status, _ = self.put(self.before_tomcat.port, "/site/upload.bin", options)
                self.assertEqual((status, arrived.stat().st_size), (201, SIZE))

    def test_a_portal_that_refuses_early_ends_the_upload(self):
        for way, options in WAYS.items():
            if way == "HTTP/2":
                continue  # curl 7 calls an answer before the end of the upload a broken stream (tests/it/uploads.rs)
            for gate, path, expected in (
                (self.before_nginx, "/small/upload.bin", 413),
                (self.before_tomcat, "/examples/servlets/servlet/HelloWorldExample", 405),
                # this one the gate refuses itself
                (self.before_tomcat, "/private/upload.bin", 401),
            ):
                with self.subTest(f"{way}: {path}"):
                    path = f"/site{path}" if expected == 413 else path
                    status, sent = self.put(gate.port, path, options)
                    self.assertEqual(status, expected)
                    self.assertLess(sent, SIZE)
                    if way == "asking first" and expected != 405:
                        # Tomcat says 100 first, whatever its servlet says
                        self.assertEqual(sent, 0, "nobody said that the upload may begin")

    def test_the_gate_goes_on_after_uploads_that_were_refused(self):
        for _ in range(20):
            self.put(self.before_nginx.port, "/site/small/upload.bin", WAYS["at once"])
        self.assertEqual(self.put(self.before_tomcat.port, "/site/after.bin", WAYS["at once"])[0], 201)
