"""Uploads with curl: the portal is asked before the bytes are sent, and one that refuses early ends the upload."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from doorward import Doorward
from portals import Nginx, Tomcat, has_nginx, has_tomcat

MIB = 1024 * 1024
SIZE = 64 * MIB
# far more than any of these takes, far less than a hanging one
SECONDS = 20
CLIENTS = {
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
        cls.before_tomcat = Doorward(cls.home, cls.tomcat.port, routes)
        cls.before_nginx = Doorward(cls.home, cls.nginx.port, routes)

    def put(self, port, path, options):
        """Returns the status and how many bytes were sent."""
        command = ["curl", "-sS", "-m", str(SECONDS), "-o", "/dev/null", "-w", "%{http_code} %{size_upload}",
                   "-T", str(self.file), *options, f"http://127.0.0.1:{port}{path}"]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, f"{path} {options}: {result.stderr}")
        status, sent = result.stdout.split()
        return int(status), int(sent)

    def test_upload_arrives_whole_from_every_client(self):
        for client, options in CLIENTS.items():
            with self.subTest(client):
                arrived = self.tomcat.files / "upload.bin"
                arrived.unlink(missing_ok=True)
                status, _ = self.put(self.before_tomcat.port, "/site/upload.bin", options)
                self.assertEqual((status, arrived.stat().st_size), (201, SIZE))

    def test_a_portal_that_refuses_early_ends_the_upload(self):
        for client, options in CLIENTS.items():
            if client == "HTTP/2":
                continue  # curl 7 calls an answer before the end of the upload a broken stream (tests/it/proxying/uploads.rs)
            for doorward, path, expected in (
                (self.before_nginx, "/small/upload.bin", 413),
                (self.before_tomcat, "/examples/servlets/servlet/HelloWorldExample", 405),
                # Doorward itself refuses this one
                (self.before_tomcat, "/private/upload.bin", 401),
            ):
                with self.subTest(f"{client}: {path}"):
                    path = f"/site{path}" if expected == 413 else path
                    status, sent = self.put(doorward.port, path, options)
                    self.assertEqual(status, expected)
                    self.assertLess(sent, SIZE)
                    if client == "asking first" and expected != 405:
                        # Tomcat says 100 first, whatever its servlet says
                        self.assertEqual(sent, 0, "no 100 Continue was sent")

    def test_serves_on_after_refused_uploads(self):
        for _ in range(20):
            self.put(self.before_nginx.port, "/site/small/upload.bin", CLIENTS["at once"])
        self.assertEqual(self.put(self.before_tomcat.port, "/site/after.bin", CLIENTS["at once"])[0], 201)
