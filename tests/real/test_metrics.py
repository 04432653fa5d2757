"""promtool, Prometheus' own linter, accepts the metrics."""

import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from doorward import Doorward
from portals import Nginx, has_nginx


@unittest.skipUnless(shutil.which("promtool") and has_nginx(), "promtool or nginx is missing")
class Metrics(unittest.TestCase):
    def test_promtool_finds_nothing(self):
        with tempfile.TemporaryDirectory(prefix="doorward-real-") as home:
            accounts = f'[accounts]\nenabled = true\nstore_url = "sqlite:{home}/doorward.db"'
            doorward = Doorward(home, Nginx(home).port, [("/**", "open")], more=accounts)
            # a histogram is checked once it has counted something
            urllib.request.urlopen(f"http://127.0.0.1:{doorward.port}/site/public/page.txt", timeout=5).read()
            with urllib.request.urlopen(f"http://127.0.0.1:{doorward.admin}/metrics", timeout=5) as answer:
                metrics = answer.read()
        self.assertIn(b"doorward_portal_response_seconds_count", metrics)
        checked = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, timeout=20)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))
