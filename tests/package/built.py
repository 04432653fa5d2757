"""The packages under test: built once from the binary of the tests, in a temporary folder."""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
TIME = 1700000000


@functools.cache
def workspace():
    """Removed when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="doorward-package-")
    workspace.folder = folder
    return pathlib.Path(folder.name)


@functools.cache
def binary():
    """Without debug information, which is most of a debug binary."""
    source, stripped = os.environ["DOORWARD"], workspace() / "binary"
    if not shutil.which("strip") or subprocess.run(["strip", "-o", stripped, source]).returncode:
        shutil.copy(source, stripped)
    return stripped


@functools.cache
def sbom():
    file = workspace() / "sbom.json"
    file.write_text(json.dumps({"metadata": {"component": {"version": VERSION}}}))
    return file


@functools.cache
def roots():
    file = workspace() / "roots.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    return file


def package(output, *options, **process):
    """Runs deploy/package.py; later options win."""
    command = [sys.executable, ROOT / "deploy" / "package.py", "--binary", binary(), "--output", output, "--sbom", sbom(),
               "--roots", roots(), "--level", "1", *options]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(TIME)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, **process)


@functools.cache
def packages():
    """The folder with the packages."""
    output = workspace() / "dist"
    done = package(output, "--allow-dynamic")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return output


def find(pattern):
    """The one package whose name matches."""
    path, = packages().glob(pattern)
    return path


def accepts_its_own_configuration(program, folder):
    """Whether the packaged program runs, writes a configuration, and finds no mistake in it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOORWARD_")}

    def output(*arguments):
        return subprocess.run([program, *arguments], check=True, capture_output=True, text=True, env=environment).stdout

    output("init", "--profile", "generic", folder)
    checked = output("check", "--config", folder / "deployment.toml")
    return output("--version") == f"doorward {VERSION}\n" and "no mistakes" in checked
