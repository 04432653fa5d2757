"""The login form behind parsers that cannot be installed here, written from their documentation: `python lenient.py aspnet|rails PORT`.

aspnet: System.Web decodes %uXXXX, compares names without case, reads query, then form; MVC finds `UserName` of a parameter `model` under
`model.UserName` before it looks for `UserName`, and jQuery's brackets count as dots.
rails: Rack parts pairs at `&` and, before 2.2, at `;`; drops brackets before a name; `_method` in a form is the method.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_plus

kind, port = sys.argv[1], int(sys.argv[2])
verified = {}


def pairs(text, separators):
    for pair in re.split(separators, text):
        name, _, value = pair.partition("=")
        yield name, value


def aspnet(query, body):
    def decode(text):
        text = re.sub("%u([0-9a-fA-F]{4})", lambda found: chr(int(found.group(1), 16)), text)
        return unquote_plus(text)

    fields = {}
    for name, value in [*pairs(query, "&"), *pairs(body, "&")]:
        name = decode(name).lower().strip()
        name = re.sub(r"\[([^\]\d]+)\]", r".\1", name)
        fields.setdefault(name, decode(value))
    find = lambda name: fields.get(f"model.{name}", fields.get(name))  # noqa: E731
    return find("username"), find("password"), None


def rails(query, body):
    fields = {}
    for name, value in [*pairs(query, "[&;]"), *pairs(body, "[&;]")]:
        found = re.match(r"[\[\]]*([^\[\]]+)\]*", unquote_plus(name).lstrip())
        if found:
            fields[found.group(1)] = unquote_plus(value)
    return fields.get("username"), fields.get("password"), fields.get("_method")


class Login(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
        if path == "/verifications":
            return self.respond(200, json.dumps(verified))
        user, password, method = {"aspnet": aspnet, "rails": rails}[kind](query, body)
        method = (method or self.command).upper()
        if path.lower().rstrip("/").removesuffix(".json") != "/login" or None in (user, password) or method == "OPTIONS":
            return self.respond(200, "Who are you?")
        verified[user] = verified.get(user, 0) + 1
        wrong = self.headers.get("Referer", "/login?error")
        return self.respond(302, "", "/home" if password == "correct" else wrong)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer

    def respond(self, status, text, location=None):
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", port), Login).serve_forever()
