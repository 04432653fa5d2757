import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import unittest

import built


class Tarball(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        path = built.find("*.tar.gz")
        cls.folder = path.name.removesuffix(".tar.gz")
        with tarfile.open(path) as archive:
            cls.entries = {entry.name: entry for entry in archive}
        cls.unpacked = tempfile.TemporaryDirectory()
        subprocess.run(["tar", "-xzf", path, "-C", cls.unpacked.name], check=True)
        cls.root = pathlib.Path(cls.unpacked.name) / cls.folder

    @classmethod
    def tearDownClass(cls):
        cls.unpacked.cleanup()

    def test_has_what_an_operator_needs_and_no_more(self):
        self.assertEqual(self.folder, f"doorward-{built.VERSION}-{os.uname().machine}-linux")
        inside = {name.removeprefix(f"{self.folder}/") for name in self.entries}
        needed = {"doorward", "LICENSE", "README.md", "CHANGELOG.md", "docs/OPERATIONS.md", "docs/guides/accounts.md",
                  "config/deployment.toml", "config/deployment.schema.json", "config/tenant-conf.schema.json",
                  "config/tenants/carbon.super/tenant-conf.json", "deploy/doorward.service", "deploy/kubernetes-sidecar.yaml"}
        self.assertEqual(needed - inside, set())
        self.assertEqual([name for name in inside if name.endswith((".pem", ".db", ".rs", ".py"))], [])

    def test_entries_belong_to_root_and_have_one_time(self):
        for name, entry in self.entries.items():
            mode = 0o755 if entry.isdir() or name == f"{self.folder}/doorward" else 0o644
            self.assertEqual((entry.mode, entry.uid, entry.gid, entry.mtime), (mode, 0, 0, built.TIME), name)
        self.assertEqual(list(self.entries), sorted(self.entries, key=lambda name: (not self.entries[name].isdir(), name)))

    def test_links_between_documents_resolve(self):
        documents = list(self.root.rglob("*.md"))
        self.assertGreater(len(documents), 15)
        for document in documents:
            for link in re.findall(r"\]\(([^)#]+)", document.read_text()):
                if not link.startswith("http"):
                    self.assertTrue((document.parent / link).exists(), f"{document.relative_to(self.root)} links to {link}")

    def test_program_accepts_its_own_configuration(self):
        self.assertTrue(built.accepts_its_own_configuration(self.root / "doorward", self.root / "try"))
