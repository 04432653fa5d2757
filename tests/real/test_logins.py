"""The login guard before real frameworks: of no user are more passwords looked at than the limit, however the requests are written.

Each hostile form is sent again and again for a user of its own, with requests between that would reset the counter. First it is sent to
the portal itself: a list that the portal does not read proves nothing.
"""

import socket
import sys
import tempfile
import unittest

from doorward import Doorward
from logins import Login, PhpLogin, PhpProgram, TomcatLogin, flask_python, has_express, has_php
from portals import Tomcat, has_tomcat

LIMIT = 5
GUESSES = 12
FORM = "application/x-www-form-urlencoded"

GUARD = """
[accounts]
enabled = true
store_url = "sqlite:{home}/doorward.db"
hash_memory = 8192
hash_iterations = 1

[account_lock]
enabled = true
max_attempts = {limit}

[account_lock.address]
max_attempts = 0

[[guard]]
match = "{path}"
user_in = "form"
user_fields = ["{field}"]
succeeded_redirect = ["/home*", "http://127.0.0.1/home*"]
"""

# `@FIELD` is the name of the field, `@USER` the user
BODIES = [
    "@FIELD=@USER&password=x",
    "password=x&@FIELD=@USER",
    "\ufeff@FIELD=@USER&password=x",
    "%EF%BB%BF@FIELD=@USER&password=x",
    "[@FIELD]=@USER&password=x",
    "%5B@FIELD%5D[]=@USER&password=x",
    "[[@FIELD]]=@USER&password=x",
    "@FIELD[]=@USER&password=x",
    "@FIELD[0]=@USER&password=x",
    "@FIELD%5B%5D=@USER&password=x",
    "@FIELD=decoy&@FIELD=@USER&password=x",
    "@FIELD=@USER&@FIELD=decoy&password=x",
    "@FIELD=decoy&[@FIELD]=@USER&password=x",
    "@FIELD=decoy&@FIELD[]=@USER&password=x",
    "+@FIELD=@USER&password=x",
    "@FIELD%00=@USER&password=x",
    "@FIELD%00x=@USER&password=x",
    "@UPPER=@USER&password=x",
    "@FIELD=decoy&model.@FIELD=@USER&password=x",
    "model[@FIELD]=@USER&password=x",
    "%u0075sername=@USER&password=x",
    "user.name=@USER&password=x",
    "user+name=@USER&password=x",
    "user[name=@USER&password=x",
    "x=1;@FIELD=@USER&password=x",
    "_method=OPTIONS&@FIELD=@USER&password=x",
    "!@FIELD=@USER&_@FIELD=on&password=x",
    "@FIELD=@USER%20&password=x",
    "@FIELD=@ENCODED&password=x",
]
METHODS = ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "HEAD", "PROPFIND"]
PATHS = ["@PATH", "@PATH/", "@PATH/a", "@PATH/a/b.css", "@CASE", "@PATH.json", "@PATH.abcdefg", "@PATH.x-y", "@PATH;x=1", "/.@PATH", "/@PATH", "@PATH%20", "@PATH?x=1",
         "@PATH?@FIELD=@USER&password=x"]


def send(port, method, path, body, headers=()):
    """One request in bytes; the status and the address it leads to."""
    body = body.encode()
    lines = [
        f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in ({"Content-Type": FORM, **dict(headers)}).items()),
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = b""
        try:
            while piece := wire.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def hostile(portal):
    """Every body by POST to the plain path; the plain body by every method and to every path."""
    def filled(text):
        return (text.replace("@CASE", portal.path.upper()).replace("@PATH", portal.path)
                .replace("@UPPER", portal.field.upper()).replace("@FIELD", portal.field))

    for body in BODIES:
        yield "POST", portal.path, filled(body)
    for method in METHODS:
        yield method, portal.path, filled(BODIES[0])
    for path in PATHS:
        yield "POST", filled(path), filled(BODIES[0])
    yield "GET", filled("@PATH?@FIELD=@USER&password=x"), ""


class GuessingTests:
    """What every portal is put through."""

    def attack(self, portal, home):
        guard = GUARD.format(home=home, limit=LIMIT, path=portal.path, field=portal.field)
        doorward = Doorward(home, portal.port, [("/**", "open")], guard)
        read_as_sign_in = 0
        for number, (method, path, body) in enumerate(hostile(portal)):
            user = f"user{number}"
            path = path.replace("@USER", user)
            body = body.replace("@USER", user).replace("@ENCODED", f"u%73er{number}")
            send(portal.port, method, path, body)
            read = self.verified_count(portal, user)
            read_as_sign_in += read
            for turn in range(GUESSES):
                send(doorward.port, method, path, body, [("Referer", "http://127.0.0.1/home")])
                send(doorward.port, method, path, body.replace("password=x", f"password={turn}"))
                # and what would reset the counter
                plain = f"{portal.field}={user}&password=x"
                send(doorward.port, "OPTIONS", portal.path, plain)
                send(doorward.port, "HEAD", portal.path, plain)
                send(doorward.port, "POST", portal.path, plain, [("X-HTTP-Method-Override", "OPTIONS")])
            guesses = self.verified_count(portal, user) - read
            self.assertLessEqual(guesses, LIMIT, f"{portal.name}: {method} {path} {body!r}")
        # an honest user gets in, and mistakes are forgiven
        for _ in range(2):
            for _ in range(LIMIT - 1):
                self.assertEqual(send(doorward.port, "POST", portal.path, f"{portal.field}=honest&password=x"), 302)
            self.assertEqual(send(doorward.port, "POST", portal.path, f"{portal.field}=honest&password=correct"), 302)
        self.assertEqual(self.verified_count(portal, "honest"), 2 * LIMIT)
        print(f"\n{portal.name}: {number + 1} hostile forms, {read_as_sign_in} of which the portal reads as a sign-in", flush=True)
        self.assertGreater(read_as_sign_in, 5)

    def verified_count(self, portal, user):
        """As lists and spellings of a portal name one user."""
        return sum(count for name, count in portal.verifications().items() if user in [part.strip() for part in name.split(",")])


class Logins(GuessingTests, unittest.TestCase):
    def before(self, start_portal):
        with tempfile.TemporaryDirectory(prefix="doorward-real-") as home:
            self.attack(start_portal(home), home)

    @unittest.skipUnless(has_express(), "node or npm is missing, or Express could not be installed")
    def test_limit_holds_before_express(self):
        for version in ("express4", "express5"):
            with self.subTest(version):
                self.before(lambda home: Login(home, version, ["node", "express.cjs", version, "PORT"]))

    @unittest.skipUnless(flask_python(), "flask is missing")
    def test_limit_holds_before_flask(self):
        self.before(lambda home: Login(home, "flask", [flask_python(), "flask_login.py", "PORT"]))

    @unittest.skipUnless(has_php(), "php is missing")
    def test_limit_holds_before_php(self):
        for portal in (PhpLogin, PhpProgram):
            with self.subTest(portal.__name__):
                self.before(portal)

    @unittest.skipUnless(has_tomcat(), "tomcat10-common or java is missing")
    def test_limit_holds_before_tomcat(self):
        self.before(lambda home: TomcatLogin(Tomcat(home)))

    def test_limit_holds_before_lenient_parsers(self):
        for kind in ("aspnet", "rails"):
            with self.subTest(kind):
                self.before(lambda home: Login(home, kind, [sys.executable, "lenient.py", kind, "PORT"]))
