"""Holds the management API against its own description and against WSO2's, from which existing clients were made.

`DOORWARD=path/to/doorward python3 tests/api`; the command schemathesis has to be there. API_EXAMPLES makes a run longer.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / "real"))
from ports import free_port, start, wait_until  # noqa: E402

PASSWORD = "Correct-Horse-9"
CONFIGURATION = """
[server]
listen = ["127.0.0.1:{public}"]
drain_delay = "0s"

[admin]
listen = "127.0.0.1:{admin}"

[management]
listen = "127.0.0.1:{management}"
# more than a generator of requests makes
changes_per_hour = 1000000
audit_bytes_per_hour = 4294967295

[[portal.upstream]]
url = "http://127.0.0.1:{public}"

[tenancy]
folder = "{home}/tenants"

[accounts]
enabled = true
store_url = "sqlite:{home}/doorward.db"
hash_memory = 8192
hash_iterations = 1
"""
GOVERNANCE = "/api/server/v1/identity-governance"
# one category and one connector that exist: with random ids nothing but 404 would ever be seen
KNOWN = {
    "category-id": "UGFzc3dvcmQgUG9saWNpZXM",
    "connector-id": "cGFzc3dvcmRIaXN0b3J5",
    "connectorId": "cGFzc3dvcmRIaXN0b3J5",
}


class Doorward:
    def __init__(self, home):
        self.home, self.binary = pathlib.Path(home), os.environ["DOORWARD"]
        (self.home / "tenants" / "acme.com").mkdir(parents=True)
        (self.home / "tenants" / "acme.com" / "tenant-conf.json").write_text("{}")
        self.port, admin = free_port(), free_port()
        file = self.home / "deployment.toml"
        file.write_text(CONFIGURATION.format(public=free_port(), admin=admin, management=self.port, home=home))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DOORWARD_")}
        self.environment = environment
        (self.home / "password").write_text(PASSWORD)
        for tenant in ("carbon.super", "acme.com"):
            self.command("user", "add", "admin", "--tenant", tenant, "--role", "admin", "--password-file", self.home / "password")
        self.process = start([self.binary, "serve", "--config", str(file)], self.home / "log", env=environment)
        wait_until(lambda: self.status(admin), "doorward is ready", 20)

    def command(self, *arguments):
        command = [self.binary, *map(str, arguments), "--config", str(self.home / "deployment.toml")]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")

    def status(self, admin):
        if self.process.poll() is not None:
            raise RuntimeError(f"doorward has ended: {(self.home / 'log').read_text()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    def get(self, path):
        pair = base64.b64encode(f"admin@carbon.super:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"authorization": f"Basic {pair}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def configuration(known):
    """What a check of schemathesis cannot know."""
    lines = [
        "[auth.basic]",
        'username = "admin@carbon.super"',
        f'password = "{PASSWORD}"',
        # lists that have no pages say so with 501, as WSO2's do
        "[checks.not_a_server_error]",
        'expected-statuses = ["2xx", "3xx", "4xx", "501"]',
        # a schema cannot say which names and values a connector takes, nor which ETag there is now
        "[checks.positive_data_acceptance]",
        'expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "412", "501"]',
        "[checks.negative_data_rejection]",
        'expected-statuses = ["400", "401", "403", "404", "405", "406", "412", "413", "415", "422", "428", "501"]',
    ]
    if known:
        lines += ["[parameters]", *(f'"{name}" = "{value}"' for name, value in KNOWN.items())]
    return "\n".join(lines) + "\n"


def run(name, doorward, document, url, checks, known):
    config = doorward.home / f"{name}.toml"
    config.write_text(configuration(known))
    command = [
        "schemathesis", "--config-file", str(config), "run", str(document), "--url", url, "--checks", checks,
        "--max-examples", os.environ.get("API_EXAMPLES", "25"), "--phases", "examples,coverage,fuzzing,stateful",
        "--seed", "7", "--suppress-health-check", "all", "--warnings", "off",
    ]
    print(f"\n-- {name}", flush=True)
    return subprocess.run(command, cwd=doorward.home).returncode == 0


def main():
    if not os.access(os.environ.get("DOORWARD", ""), os.X_OK):
        sys.exit("DOORWARD must name the doorward binary")
    if not shutil.which("schemathesis"):
        sys.exit("schemathesis is missing")
    with tempfile.TemporaryDirectory(prefix="doorward-api-") as home:
        doorward = Doorward(home)
        own = doorward.home / "own.json"
        own.write_text(json.dumps(doorward.get(f"{GOVERNANCE}/openapi.json")))
        base = f"http://127.0.0.1:{doorward.port}"
        wso2 = here.parent / "data" / "wso2-identity-governance.yaml"
        # in WSO2's description many answers are missing that every server gives: 403 and 415 are two of them
        shapes = "not_a_server_error,response_schema_conformance,content_type_conformance"
        results = {
            "own description, what exists": run("own-known", doorward, own, base, "all", True),
            "own description, anything": run("own-any", doorward, own, base, "all", False),
            "own description, a tenant": run("own-tenant", doorward, own, f"{base}/t/acme.com", "all", True),
            "WSO2's description, what exists": run("wso2-known", doorward, wso2, f"{base}/api/server/v1", shapes, True),
            "WSO2's description, anything": run("wso2-any", doorward, wso2, f"{base}/t/acme.com/api/server/v1", shapes, False),
        }
        if doorward.process.poll() is not None:
            sys.exit(f"doorward has ended: {(doorward.home / 'log').read_text()}")
        panics = [line for line in (doorward.home / "log").read_text().splitlines() if "panicked" in line]
    for name, passed in results.items():
        print(f"{'passed' if passed else 'FAILED'}  {name}")
    sys.exit(f"panics: {panics}" if panics else 0 if all(results.values()) else 1)


main()
