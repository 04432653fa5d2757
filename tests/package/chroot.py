"""A throw-away copy of this machine to install packages in: an overlay over its root, in a mount namespace of its own.

`python3 tests/package/chroot.py` says by its exit code whether this machine allows it.
"""

import functools
import os
import shutil
import subprocess
import sys

# The copy has no /run of its own machine: systemd looks as if it runs, and systemctl only records its calls.
SETUP = """
set -e
copy=$(mktemp -d)
trap 'umount -R "$copy"; rmdir "$copy"' EXIT
mount -t tmpfs tmpfs "$copy"
mkdir "$copy/upper" "$copy/work" "$copy/tree"
mount -t overlay overlay -o "lowerdir=/,upperdir=$copy/upper,workdir=$copy/work" "$copy/tree"
mount --bind /dev "$copy/tree/dev"
mkdir -p "$copy/tree/run/systemd/system"
printf '#!/bin/sh\\necho systemctl "$@" >>/calls\\n' >"$copy/upper/systemctl"
chmod 755 "$copy/upper/systemctl"
rm -f "$copy/tree/usr/bin/systemctl" "$copy/tree/usr/sbin/policy-rc.d"
mv "$copy/upper/systemctl" "$copy/tree/usr/bin/systemctl"
: >"$copy/tree/calls"
if [ -n "$PACKAGE" ]; then cp "$PACKAGE" "$copy/tree/package.deb"; fi
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$copy/tree" sh -ec "$SCRIPT"
"""


def execute(script, package=""):
    environment = os.environ | {"SCRIPT": script, "PACKAGE": str(package)}
    return subprocess.run(["unshare", "--mount", "sh", "-c", SETUP], env=environment, capture_output=True, text=True)


@functools.cache
def available():
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("dpkg"):
        return False
    return execute("dpkg --version").returncode == 0


def run(package, script):
    """What each `step NAME` of the script printed."""
    done = execute('step() { echo "== $1"; }\n' + script, package)
    if done.returncode:
        raise RuntimeError(f"{done.stdout}{done.stderr}")
    steps = [step.partition("\n") for step in done.stdout.split("== ")[1:]]
    return {name: output for name, _, output in steps}


if __name__ == "__main__":
    sys.exit(0 if available() else 1)
