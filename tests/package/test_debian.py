import hashlib
import io
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import built
import chroot


def dpkg_deb(*arguments):
    return subprocess.run(["dpkg-deb", *arguments], check=True, capture_output=True).stdout


@unittest.skipUnless(shutil.which("dpkg-deb"), "dpkg-deb is missing")
class DebianPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = built.find("*.deb")
        with tarfile.open(fileobj=io.BytesIO(dpkg_deb("--fsys-tarfile", cls.path))) as archive:
            cls.entries = {entry.name.removeprefix("./"): entry for entry in archive}
            cls.files = {entry.name.removeprefix("./"): archive.extractfile(entry).read() for entry in archive if entry.isfile()}
        with tarfile.open(fileobj=io.BytesIO(dpkg_deb("--ctrl-tarfile", cls.path))) as archive:
            cls.control = {entry.name.removeprefix("./"): archive.extractfile(entry).read().decode()
                           for entry in archive if entry.isfile()}

    def test_has_program_unit_and_documents(self):
        needed = {"usr/bin/doorward", "usr/lib/systemd/system/doorward.service", "usr/share/doc/doorward/copyright",
                  "usr/share/doc/doorward/changelog.gz", "usr/share/doc/doorward/docs/OPERATIONS.md",
                  "usr/share/doc/doorward/examples/deployment.toml", "usr/share/doc/doorward/examples/deployment.schema.json",
                  "usr/share/doc/doorward/examples/tenants/carbon.super/tenant-conf.json"}
        self.assertEqual(needed - set(self.files), set())
        self.assertEqual([name for name in self.files if not name.startswith("usr/")], [], "nothing below /etc")

    def test_entries_belong_to_root_and_have_one_time(self):
        for name, entry in self.entries.items():
            mode = 0o755 if entry.isdir() or name == "usr/bin/doorward" else 0o644
            self.assertEqual((entry.mode, entry.uid, entry.gid, entry.mtime), (mode, 0, 0, built.TIME), name)

    def test_control_file_describes_the_package(self):
        fields = dict(re.findall(r"^(\S+): (.*)$", self.control["control"], re.MULTILINE))
        self.assertEqual((fields["Package"], fields["Version"]), ("doorward", built.VERSION.replace("-", "~")))
        self.assertEqual(self.path.name, f"doorward_{fields['Version']}_{fields['Architecture']}.deb")
        self.assertLess(len(fields["Description"]), 80)
        sums = dict(reversed(line.split("  ")) for line in self.control["md5sums"].splitlines())
        self.assertEqual(sums, {name: hashlib.md5(content).hexdigest() for name, content in self.files.items()})

    def test_unit_starts_the_packaged_program(self):
        unit = self.files["usr/lib/systemd/system/doorward.service"].decode()
        program, = re.findall(r"^ExecStart=/(\S+) serve --config /etc/doorward/deployment.toml$", unit, re.MULTILINE)
        self.assertIn(program, self.files)
        self.assertNotIn("/usr/local", unit)

    def test_program_accepts_its_own_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            dpkg_deb("--extract", self.path, folder)
            program = pathlib.Path(folder) / "usr" / "bin" / "doorward"
            self.assertTrue(built.accepts_its_own_configuration(program, pathlib.Path(folder) / "etc" / "doorward"))

    @unittest.skipUnless(chroot.available(), "root, mount namespaces or overlayfs are missing")
    def test_installs_upgrades_and_purges(self):
        steps = chroot.run(self.path, LIFE)
        self.assertEqual(steps["install"], "2750 root doorward\nsystemctl --system daemon-reload\n")
        self.assertEqual(steps["configure"], "no mistakes\n")
        self.assertEqual(steps["upgrade"], "systemctl --system daemon-reload\nsystemctl try-restart doorward.service\n")
        self.assertEqual(steps["remove"], "systemctl stop doorward.service\nsystemctl --system daemon-reload\ndeployment.toml\n")
        self.assertEqual(steps["purge"], "systemctl --system daemon-reload\n")


# Run by sh in a copy of this machine, where systemctl only records its calls. Each step prints what the test compares.
LIFE = """
calls() { cat /calls; : >/calls; }
files() { find /etc /usr /var/lib /var/log -name '*doorward*' | sort; }
rm -rf /etc/doorward
files >/before
step install
dpkg -i /package.deb >&2
stat -c '%a %U %G' /etc/doorward
calls
step configure
umask 022
/usr/bin/doorward init --profile generic /etc/doorward >&2
setpriv --reuid doorward --regid doorward --clear-groups \\
    /usr/bin/doorward check --config /etc/doorward/deployment.toml | grep -o 'no mistakes'
step upgrade
dpkg -i /package.deb >&2
dpkg --verify doorward
calls
step remove
dpkg -r doorward >&2
calls
ls /etc/doorward | grep deployment.toml
step purge
mkdir -p /var/lib/private/doorward /var/log/private/doorward
ln -s private/doorward /var/lib/doorward
dpkg --purge doorward >&2
calls
files | diff /before -
"""
