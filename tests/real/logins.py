"""Portals with a login form, each in another framework, that count how many passwords of each user they have looked at."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request

from ports import accepts, free_port, start, wait_until

HERE = pathlib.Path(__file__).resolve().parent / "logins"


def has_express():
    """Installs both versions as the lock file says."""
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    if not (HERE / "node_modules/express5").is_dir():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        return subprocess.run(command, cwd=HERE, stdout=subprocess.DEVNULL).returncode == 0
    return True


def flask_python():
    """The interpreter that has Flask: ours, or that of the command `flask`."""
    command = shutil.which("flask")
    candidates = [sys.executable] + ([str(pathlib.Path(command).resolve().parent / "python3")] if command else [])
    for python in candidates:
        if os.access(python, os.X_OK) and not subprocess.run([python, "-c", "import flask"], stderr=subprocess.DEVNULL).returncode:
            return python
    return None


def has_php():
    return shutil.which("php") is not None


class Login:
    """A portal that is started by `command` and has its form at `/login`."""

    path, field, counts = "/login", "username", "/verifications"

    def __init__(self, home, name, command, **environment):
        self.name, self.port = name, free_port()
        command = [part.replace("PORT", str(self.port)) for part in command]
        log = pathlib.Path(home) / f"{name}.log"
        self.process = start(command, log, cwd=HERE, env={**os.environ, **environment})
        wait_until(lambda: accepts(self.port), f"{name} starts")

    def verifications(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.counts}", timeout=10) as answer:
            return json.load(answer)


class PhpLogin(Login):
    # `.` and blanks in a name are `_` to PHP
    field = "user_name"

    def __init__(self, home):
        counts = pathlib.Path(home) / "php.json"
        super().__init__(home, "php", ["php", "-S", "127.0.0.1:PORT", "router.php"], VERIFICATIONS=str(counts))


class PhpProgram(PhpLogin):
    """Without a router: PHP itself serves every path below `/login.php` with that script."""

    path, counts = "/login.php", "/login.php?verifications"

    def __init__(self, home):
        files = pathlib.Path(home) / "php"
        files.mkdir()
        shutil.copy(HERE / "router.php", files / "login.php")
        counts = pathlib.Path(home) / "php.json"
        command = ["php", "-S", "127.0.0.1:PORT", "-t", str(files)]
        Login.__init__(self, home, "php-program", command, VERIFICATIONS=str(counts))


class TomcatLogin(Login):
    path, counts = "/site/login.jsp", "/site/login.jsp?verifications"

    def __init__(self, tomcat):
        shutil.copy(HERE / "login.jsp", tomcat.files / "login.jsp")
        self.name, self.port = "tomcat", tomcat.port
        wait_until(lambda: self.verifications() == {}, "the page is compiled")


if __name__ == "__main__":
    # is everything here that these tests need?
    raise SystemExit(0 if has_express() and flask_python() and has_php() else 1)
