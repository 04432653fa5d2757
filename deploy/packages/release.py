"""What is released: the binary with its version and architecture, and the time that all files in the packages have."""
import os
import pathlib
import struct
import subprocess
import sys
import tomllib
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[2]

# fields of an ELF file, in the specification's words
ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
PT_INTERP = 3


@dataclass(frozen=True)
class Architecture:
    """One architecture by the names that `uname`, Debian and OCI give it."""
    name: str
    debian: str
    oci: str


# by e_machine of the ELF header
ARCHITECTURES = {62: Architecture("x86_64", "amd64", "amd64"), 183: Architecture("aarch64", "arm64", "arm64")}


@dataclass(frozen=True)
class Release:
    binary: bytes
    architecture: Architecture
    version: str
    # seconds since 1970
    time: int
    # of gzip
    level: int

    @property
    def name(self):
        return f"doorward-{self.version}-{self.architecture.name}"


def stop(problem):
    sys.exit(f"error: {problem}")


def read_release(options):
    binary = read_binary(options.binary)
    if has_interpreter(binary) and not options.allow_dynamic:
        stop(f"{options.binary} is not static, so it does not run in an empty image or with an older libc: "
             "run `make build`, and name the binary of its last line")
    release = Release(binary, architecture(binary, options.binary), package_version(), source_time(), options.level)
    check_version(options.binary, release)
    return release


def read_binary(path):
    try:
        binary = path.read_bytes()
    except OSError as problem:
        stop(f"{path}: {problem.strerror}: run `make build`, and name the binary of its last line with --binary")
    if not binary.startswith(ELF_64_LITTLE_ENDIAN):
        stop(f"{path} is not a 64-bit Linux program: name the binary that `make build` has made with --binary")
    return binary


def architecture(binary, path):
    machine, = struct.unpack_from("<H", binary, 18)
    if machine not in ARCHITECTURES:
        known = ", ".join(known.name for known in ARCHITECTURES.values())
        stop(f"{path} is for another architecture (e_machine {machine}) than {known}: "
             "add its names to ARCHITECTURES in deploy/packages/release.py")
    return ARCHITECTURES[machine]


def has_interpreter(binary):
    """Whether the binary needs the dynamic loader of the machine, and so its libraries."""
    table, = struct.unpack_from("<Q", binary, 32)
    size, count = struct.unpack_from("<HH", binary, 54)
    return any(struct.unpack_from("<I", binary, table + row * size) == (PT_INTERP,) for row in range(count))


def package_version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]


def check_version(path, release):
    """A binary from before the version was raised must not be packaged under the new one."""
    if release.architecture.name != os.uname().machine:
        return
    try:
        printed = subprocess.run([path.resolve(), "--version"], check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as problem:
        stop(f"`{path} --version` fails: {problem}: run `make build` again")
    if printed != f"doorward {release.version}":
        stop(f"`{path} --version` prints `{printed}`, and Cargo.toml has {release.version}: run `make build` again")


def source_time():
    """SOURCE_DATE_EPOCH, else the time of the last commit; without git the same for everyone."""
    written = os.environ.get("SOURCE_DATE_EPOCH")
    if written is not None:
        if not written.isdecimal():
            stop(f"SOURCE_DATE_EPOCH is `{written}`: write seconds since 1970, or leave it out")
        return int(written)
    try:
        done = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    except OSError:
        return 0
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 0
