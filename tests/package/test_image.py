import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import tarfile
import tempfile
import unittest

import built


class ImageLayout(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tarfile.open(built.find("*.oci.tar")) as archive:
            cls.files = {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isfile()}

    def blob(self, descriptor):
        content = self.files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
        self.assertEqual(descriptor["digest"], f"sha256:{hashlib.sha256(content).hexdigest()}")
        self.assertEqual(descriptor["size"], len(content))
        return content

    def image(self):
        """The configuration and the one layer, found as a container runtime finds them."""
        self.assertEqual(json.loads(self.files["oci-layout"]), {"imageLayoutVersion": "1.0.0"})
        described, = json.loads(self.files["index.json"])["manifests"]
        self.assertEqual(described["annotations"]["io.containerd.image.name"], f"localhost/doorward:{built.VERSION}")
        manifest = json.loads(self.blob(described))
        layer, = manifest["layers"]
        self.assertEqual(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip")
        config = json.loads(self.blob(manifest["config"]))
        content = gzip.decompress(self.blob(layer))
        digest = hashlib.sha256(content).hexdigest()
        self.assertEqual(config["rootfs"], {"type": "layers", "diff_ids": [f"sha256:{digest}"]})
        return config, content

    def test_settings_are_those_of_the_containerfile(self):
        config, _ = self.image()
        self.assertEqual((config["os"], config["created"]), ("linux", "2023-11-14T22:13:20Z"))
        self.assertEqual(config["config"], {
            "User": "2000:2000",
            "ExposedPorts": {"8080/tcp": {}, "9901/tcp": {}},
            "Entrypoint": ["/doorward"],
            "Cmd": ["serve", "--config", "/etc/doorward/deployment.toml"],
            "Labels": {
                "org.opencontainers.image.title": "Doorward",
                "org.opencontainers.image.description": "Authentication reverse proxy for developer portals",
                "org.opencontainers.image.licenses": "Apache-2.0",
            },
        })

    def test_layer_has_the_program_and_the_roots(self):
        layer = tarfile.open(fileobj=io.BytesIO(self.image()[1]))
        self.addCleanup(layer.close)
        files = {entry.name: entry for entry in layer if entry.isfile()}
        modes = {name: (entry.mode, entry.uid, entry.gid, entry.mtime) for name, entry in files.items()}
        self.assertEqual(modes, {
            "doorward": (0o555, 0, 0, built.TIME),
            "etc/ssl/certs/ca-certificates.crt": (0o444, 0, 0, built.TIME),
        })
        self.assertEqual(layer.extractfile("doorward").read(), built.binary().read_bytes())
        self.assertEqual(layer.extractfile("etc/ssl/certs/ca-certificates.crt").read(), built.roots().read_bytes())

    def test_entrypoint_accepts_its_own_configuration(self):
        config, layer = self.image()
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["tar", "-x", "-C", folder], input=layer, check=True)
            program, = config["config"]["Entrypoint"]
            root = pathlib.Path(folder)
            self.assertTrue(built.accepts_its_own_configuration(root / program.removeprefix("/"), root / "configuration"))
