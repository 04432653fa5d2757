"""The Debian package. dpkg-deb builds it; without dpkg-deb there is none."""
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from packages import archive, contents
from packages.archive import PackagedFile
from packages.release import ROOT, stop

DOCUMENTATION = "usr/share/doc/doorward"
SCRIPTS = ROOT / "deploy" / "debian"


def files(release):
    """Nothing below /etc: `doorward init` writes the configuration, for the kind of portal that the administrator names."""
    documents = contents.repository_files(*contents.DOCUMENTS)
    samples = contents.repository_files(*contents.SAMPLES, contents.KUBERNETES)
    return [
        PackagedFile("usr/bin/doorward", release.binary, 0o755),
        PackagedFile("usr/lib/systemd/system/doorward.service", unit()),
        PackagedFile(f"{DOCUMENTATION}/copyright", (SCRIPTS / "copyright").read_bytes()),
        PackagedFile(f"{DOCUMENTATION}/changelog.gz", archive.compress((ROOT / "CHANGELOG.md").read_bytes(), 9)),
        *(PackagedFile(f"{DOCUMENTATION}/{file.path}", file.content) for file in documents),
        *(PackagedFile(f"{DOCUMENTATION}/examples/{file.path.partition('/')[2]}", file.content) for file in samples),
    ]


def unit():
    """The unit of the repository, for where Debian has programs and units."""
    text = (ROOT / contents.UNIT).read_text()
    for written, packaged in [
        ("# /etc/systemd/system/doorward.service\n", ""),
        ("ExecStart=/usr/local/bin/doorward ", "ExecStart=/usr/bin/doorward "),
    ]:
        if text.count(written) != 1:
            stop(f"{contents.UNIT} has no line `{written.strip()}`: adapt `unit` in deploy/packages/debian.py to it")
        text = text.replace(written, packaged)
    if "/usr/local" in text:
        stop(f"{contents.UNIT} names /usr/local, which is not the package's: adapt `unit` in deploy/packages/debian.py to it")
    return text.encode()


def control_files(release, packed):
    size = sum(len(file.content) for file in packed)
    control = (SCRIPTS / "control").read_text().format(
        version=debian_version(release.version), architecture=release.architecture.debian, kibibytes=(size + 1023) // 1024)
    sums = "".join(f"{hashlib.md5(file.content, usedforsecurity=False).hexdigest()}  {file.path}\n"
                   for file in sorted(packed, key=lambda file: file.path))
    scripts = [PackagedFile(f"DEBIAN/{name}", (SCRIPTS / name).read_bytes(), 0o755) for name in ("postinst", "prerm", "postrm")]
    return [PackagedFile("DEBIAN/control", control.encode()), PackagedFile("DEBIAN/md5sums", sums.encode()), *scripts]


def debian_version(version):
    """`1.0.0-rc.1` comes before `1.0.0`: Debian writes that as `1.0.0~rc.1`."""
    return version.replace("-", "~")


def build(release, output):
    """The path of the package, or None where dpkg-deb is missing."""
    if not shutil.which("dpkg-deb"):
        return None
    packed = files(release)
    path = output / f"doorward_{debian_version(release.version)}_{release.architecture.debian}.deb"
    with tempfile.TemporaryDirectory(prefix="doorward-deb-") as folder:
        lay_out(packed + control_files(release, packed), pathlib.Path(folder), release.time)
        # gzip: xz makes other bytes on machines with other numbers of cores
        dpkg_deb("--root-owner-group", "-Zgzip", f"-z{release.level}", "--build", folder, path, time=release.time)
    check(path, release, packed)
    return path


def lay_out(tree, folder, time):
    """Writes the files with fixed modes and times, whatever the umask is."""
    for path in archive.parents(tree):
        (folder / path).mkdir()
    for file in tree:
        target = folder / file.path
        target.write_bytes(file.content)
        target.chmod(file.mode)
        os.utime(target, (time, time))
    # from the inside to the outside: a new file changes the time of its folder
    for path in [*reversed(archive.parents(tree)), "."]:
        (folder / path).chmod(archive.DIRECTORY_MODE)
        os.utime(folder / path, (time, time))


def dpkg_deb(*arguments, time=0):
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(time), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["dpkg-deb", *arguments], env=environment, capture_output=True)
    if done.returncode:
        stop(f"dpkg-deb {' '.join(map(str, arguments))}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def check(path, release, packed):
    fields = dpkg_deb("--info", path).decode()
    listed = {line.split(maxsplit=5)[5] for line in dpkg_deb("--contents", path).decode().splitlines()}
    missing = [file.path for file in packed if f"./{file.path}" not in listed]
    if missing or f" Version: {debian_version(release.version)}\n" not in fields:
        stop(f"{path} lacks {missing}, or its version is not {release.version}: is the disk full?")
