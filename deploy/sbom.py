#!/usr/bin/env python3
"""Writes the bill of materials of the release binary, CycloneDX 1.5, as doorward.cdx.json. `make sbom` calls it.

cargo-cyclonedx lists what Cargo.lock could bring in, also crates behind features that are off (ring, MySQL). `cargo tree` names
what is compiled. The bill keeps those, and this fails where one of them is missing or has no licence.
"""
import json
import os
import pathlib
import subprocess
import sys

FILE = pathlib.Path("doorward.cdx.json")
CARGO = os.environ.get("CARGO", "cargo")


def compiled(target):
    """(name, version) of each crate in the binary or in what builds it."""
    tree = subprocess.run(
        [CARGO, "tree", "--locked", "--target", target, "--edges", "normal,build", "--prefix", "none", "--no-dedupe",
         "--format", "{p}"], check=True, capture_output=True, text=True).stdout
    words = (line.split() for line in tree.splitlines() if line)
    return {(name, version.removeprefix("v")) for name, version, *_ in words} - own_package()


def own_package():
    metadata = subprocess.run([CARGO, "metadata", "--no-deps", "--format-version", "1", "--offline"],
                              check=True, capture_output=True, text=True).stdout
    return {(package["name"], package["version"]) for package in json.loads(metadata)["packages"]}


def main(target):
    if subprocess.run([CARGO, "cyclonedx", "--version"], capture_output=True).returncode:
        sys.exit("error: cargo-cyclonedx is missing: cargo install --locked cargo-cyclonedx")
    subprocess.run([CARGO, "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--target", target,
                    "--override-filename", FILE.stem], check=True)
    bill = json.loads(FILE.read_text())
    wanted = compiled(target)
    bill["components"] = [part for part in bill["components"] if (part["name"], part["version"]) in wanted]
    known = {part["bom-ref"] for part in bill["components"]} | {bill["metadata"]["component"]["bom-ref"]}
    bill["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in known]}
        for one in bill["dependencies"] if one["ref"] in known]
    missing = wanted - {(part["name"], part["version"]) for part in bill["components"]}
    unlicensed = [part["name"] for part in bill["components"] if not part.get("licenses")]
    if missing or unlicensed:
        sys.exit(f"the bill of materials lacks {sorted(missing)}, and licences of {unlicensed}")
    # our own package is named by the folder it was built in
    text = json.dumps(bill, indent=2).replace(f"path+file://{pathlib.Path.cwd()}#", "")
    FILE.write_text(text + "\n")
    print(f"{FILE}: {len(wanted)} crates")


if __name__ == "__main__":
    main(sys.argv[1])
