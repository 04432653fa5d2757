#!/usr/bin/env python3
"""Packages the release binary: tar.gz, Debian package, OCI image, bill of materials and checksums. `make package` calls it.

The same input makes the same bytes: the binary, the files of the repository, the root certificates and SOURCE_DATE_EPOCH.
"""
import argparse
import json
import pathlib
import sys

if sys.version_info < (3, 11):
    sys.exit(f"error: this needs Python 3.11 or later, and python3 is {sys.version.split()[0]}")

from packages import debian, image, tarball  # noqa: E402
from packages.archive import sha256  # noqa: E402
from packages.release import ROOT, read_release, stop  # noqa: E402

SBOM = "doorward.cdx.json"
SUMS = "SHA256SUMS"


def parse_options(arguments):
    parser = argparse.ArgumentParser(description="Packages the release binary of `make build`.")
    parser.add_argument("--binary", type=pathlib.Path, required=True, help="the static binary that `make build` has made")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "dist", help="the folder for the packages (dist)")
    parser.add_argument("--sbom", type=pathlib.Path, default=ROOT / SBOM, help=f"the bill of materials ({SBOM}, from `make sbom`)")
    parser.add_argument("--roots", type=pathlib.Path, default=pathlib.Path("/etc/ssl/certs/ca-certificates.crt"),
                        help="the root certificates of the image (%(default)s)")
    parser.add_argument("--level", type=int, choices=range(1, 10), default=9, help="the level of gzip (%(default)s)")
    parser.add_argument("--allow-dynamic", action="store_true",
                        help="for tests: accept a binary that needs the libraries of this machine")
    return parser.parse_args(arguments)


def read_sbom(path, version):
    try:
        sbom = path.read_bytes()
        described = json.loads(sbom)["metadata"]["component"]["version"]
    except OSError as problem:
        stop(f"{path}: {problem.strerror}: run `make sbom`, or name a bill of materials with --sbom")
    except (ValueError, KeyError, TypeError):
        stop(f"{path} is not a bill of materials in CycloneDX's JSON: run `make sbom` again")
    if described != version:
        stop(f"{path} describes version {described}, and Cargo.toml has {version}: run `make sbom` again")
    return sbom


def write_sums(output, packages):
    """The format of sha256sum: `sha256sum --check SHA256SUMS` verifies the packages."""
    lines = [f"{sha256(path.read_bytes())}  {path.name}\n" for path in sorted(packages)]
    (output / SUMS).write_text("".join(lines))


def main(arguments):
    options = parse_options(arguments)
    release = read_release(options)
    sbom = read_sbom(options.sbom, release.version)
    roots = image.read_roots(options.roots)
    options.output.mkdir(parents=True, exist_ok=True)
    # written again at the end: without it a run has failed
    (options.output / SUMS).unlink(missing_ok=True)
    (options.output / SBOM).write_bytes(sbom)
    deb = debian.build(release, options.output)
    packages = [tarball.build(release, options.output), image.build(release, roots, options.output), options.output / SBOM]
    if deb is None:
        print("left out: the Debian package, because dpkg-deb is missing (package dpkg)", file=sys.stderr)
    else:
        packages.append(deb)
    write_sums(options.output, packages)
    for path in [*sorted(packages), options.output / SUMS]:
        print(f"{path.stat().st_size:>10}  {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
