"""The real binary in front of a real portal."""

import os
import pathlib
import urllib.error
import urllib.request

from ports import free_port, start, wait_until

CONFIGURATION = """
[server]
listen = ["127.0.0.1:{port}"]
drain_delay = "0s"

[admin]
listen = "127.0.0.1:{admin}"

[portal]
profile = "generic"

[[portal.upstream]]
path = "/"
url = "http://127.0.0.1:{upstream}"

[tenancy]
folder = "{home}/tenants"
{routes}
{more}
"""

ROUTE = """
[[access.route]]
match = "{match}"
access = "{access}"
"""

UPGRADE = """
[[access.route]]
match = "{match}"
access = "open"
upgrade = true
"""


class Doorward:
    """`routes`: pairs of a pattern and its access level; `more`: sections of the configuration; `websockets`: patterns of open
    routes with WebSockets."""

    def __init__(self, home, upstream, routes, more="", websockets=()):
        home = pathlib.Path(home) / f"doorward-{upstream}"
        (home / "tenants").mkdir(parents=True)
        self.port, self.admin = free_port(), free_port()
        routes = "".join(ROUTE.format(match=match, access=access) for match, access in routes)
        routes += "".join(UPGRADE.format(match=match) for match in websockets)
        file = home / "deployment.toml"
        values = {"port": self.port, "admin": self.admin, "upstream": upstream, "home": home, "routes": routes, "more": more}
        file.write_text(CONFIGURATION.format(**values))
        self.log = home / "log"
        # the environment overrides the file
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DOORWARD_")}
        self.process = start([os.environ["DOORWARD"], "serve", "--config", str(file)], self.log, env=environment)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"doorward has ended: {self.log.read_text()}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=1) as answer:
                    return answer.status == 200
            except urllib.error.HTTPError:
                return False

        wait_until(ready, "doorward is ready", 20)

    def peak_memory_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmHWM")
