"""The tar.gz: for any Linux, unpacked by hand."""
import io
import tarfile
from dataclasses import replace

from packages import archive, contents
from packages.release import stop


def files(release):
    """The files below the one folder of the archive."""
    return [
        archive.PackagedFile("doorward", release.binary, 0o755),
        *contents.repository_files(*contents.DOCUMENTS, *contents.SAMPLES, contents.UNIT, contents.KUBERNETES, contents.CONTAINERFILE),
    ]


def build(release, output):
    folder = f"{release.name}-linux"
    inside = [replace(file, path=f"{folder}/{file.path}") for file in files(release)]
    path = output / f"{folder}.tar.gz"
    path.write_bytes(archive.compress(archive.tar(inside, release.time), release.level))
    check(path, inside)
    return path


def check(path, expected):
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), mode="r:gz") as unpacked:
        found = {entry.name: unpacked.extractfile(entry).read() for entry in unpacked if entry.isfile()}
    if found != {file.path: file.content for file in expected}:
        stop(f"{path} does not contain what was packed: is the disk full?")
