"""Files of a package, and tar archives of them: the same files make the same bytes."""
import gzip
import hashlib
import io
import pathlib
import tarfile
from dataclasses import dataclass

DIRECTORY_MODE = 0o755


@dataclass(frozen=True)
class PackagedFile:
    # below the root of the package, without a slash in front
    path: str
    content: bytes
    mode: int = 0o644


def parents(files):
    """The folders that hold the files, each before what is in it."""
    found = {str(parent) for file in files for parent in pathlib.PurePosixPath(file.path).parents}
    return sorted(found - {"."})


def tar(files, time):
    """Entries are sorted and belong to root."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in parents(files):
            archive.addfile(entry(folder, tarfile.DIRTYPE, DIRECTORY_MODE, time))
        for file in sorted(files, key=lambda file: file.path):
            header = entry(file.path, tarfile.REGTYPE, file.mode, time)
            header.size = len(file.content)
            archive.addfile(header, io.BytesIO(file.content))
    return stream.getvalue()


def entry(path, kind, mode, time):
    header = tarfile.TarInfo(path)
    header.type, header.mode, header.mtime = kind, mode, time
    header.uid = header.gid = 0
    header.uname = header.gname = "root"
    return header


def compress(content, level):
    """gzip without a file name and a time in its header."""
    stream = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=level, fileobj=stream, mtime=0) as compressed:
        compressed.write(content)
    return stream.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()
