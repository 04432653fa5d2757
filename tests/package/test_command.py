import hashlib
import pathlib
import tempfile
import unittest

import built


class Command(unittest.TestCase):
    def test_same_input_makes_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            again = pathlib.Path(folder)
            done = built.package(again, "--allow-dynamic", umask=0o077, cwd="/")
            self.assertEqual(done.returncode, 0, done.stderr)
            names = sorted(path.name for path in built.packages().iterdir())
            self.assertEqual(names, sorted(path.name for path in again.iterdir()))
            for name in names:
                self.assertEqual((built.packages() / name).read_bytes(), (again / name).read_bytes(), name)

    def test_checksums_name_each_package(self):
        lines = (built.packages() / "SHA256SUMS").read_text().splitlines()
        written = {name: digest for digest, name in (line.split("  ") for line in lines)}
        found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built.packages().iterdir()}
        del found["SHA256SUMS"]
        self.assertEqual(written, found)
        self.assertIn("doorward.cdx.json", found)

    def test_errors_say_what_to_do(self):
        old = built.workspace() / "old.json"
        old.write_text('{"metadata": {"component": {"version": "0.0.1"}}}')
        text = built.workspace() / "text"
        text.write_text("no program, no certificate")
        missing = built.workspace() / "missing"
        for options, advice in [
            (["--binary", missing], "run `make build`"),
            (["--binary", text], "make build"),
            (["--sbom", missing], "run `make sbom`"),
            (["--sbom", old], "describes version 0.0.1"),
            (["--sbom", text], "run `make sbom` again"),
            (["--roots", missing], "install ca-certificates"),
            (["--roots", text], "has no certificate"),
        ]:
            with self.subTest(options), tempfile.TemporaryDirectory() as folder:
                done = built.package(folder, "--allow-dynamic", *options)
                self.assertEqual(done.returncode, 1)
                self.assertIn(advice, done.stderr)
                self.assertNotIn("Traceback", done.stderr)
                self.assertFalse((pathlib.Path(folder) / "SHA256SUMS").exists(), "the packages look complete")

    def test_dynamic_binary_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done = built.package(folder, "--binary", "/bin/sh")
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not static", done.stderr)
