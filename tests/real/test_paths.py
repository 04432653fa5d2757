"""The differential path test: each path that Doorward allows as public is public to the portal as well.

Each hostile path is sent byte for byte, once to the portal itself and once through Doorward. Doorward may refuse it or ask for a
sign-in; if it forwards it, the portal must answer with a public page, and exactly as it answers directly.
"""

import tempfile
import unittest

from doorward import Doorward
from portals import Nginx, Tomcat, has_nginx, has_tomcat
from wire import exchange

UP = ["..", "%2e%2e", "%2E.", ".%2e", "..;", "..;x=1", "%2e%2e;", "..%3b", "%252e%252e", "..%00", "..%20", "..%09", "..%0a",
      "..%c0%80", "%c0%ae%c0%ae", "%uff0e%uff0e", "..%23", "..%3f", "...", ". .", ".%00.", "..\t"]
SLASH = ["/", "%2f", "%2F", "%252f", "\\", "%5c", "%255c", "//", "/./", "/;/", "%c0%af", "/%2e/", "%2f/", "/%20/"]
FORMS = [
    "/site/public{s}{u}{s}private{s}page.txt",
    "/site/public/{u}{s}private/page.txt",
    "/site/public/x{s}{u}{s}{u}{s}private/page.txt",
    "/site/public/page.txt{s}{u}{s}{u}{s}private/page.txt",
]
SINGLE = [
    "/site/private/page.txt",
    "/site/private/page.txt?/site/public/",
    "/site/private/page.txt#/site/public/",
    "/site/private/page.txt;/site/public/page.txt",
    "/site/private/page.txt%00/site/public/page.txt",
    "/site/private;x/page.txt",
    "/site;x/private/page.txt",
    "/site//private/page.txt",
    "//site/private/page.txt",
    "/site/./private/page.txt",
    "/site/%70rivate/page.txt",
    "/SITE/private/page.txt",
    "/site/public;/../private/page.txt",
    "/site/public;/..;/private/page.txt",
    "/site/public/;/../../private/page.txt",
    "/;/site/private/page.txt",
    "/./site/private/page.txt",
    "http://127.0.0.1/site/private/page.txt",
    "http://127.0.0.1/site/public/../private/page.txt",
    "/site/private/page.txt/",
    "/site/private/page.txt%20",
    "/site/private/page.txt.",
    "//x/site/private/page.txt",
    "///x/site/private/page.txt",
    "/\\x/site/private/page.txt",
    "/%2fx/site/private/page.txt",
    "/site/private/page.txt::$DATA",
    "/site/private/page.txt%a0",
    "/site/pri%ffvate/page.txt",
    "/site/private%2fpage.txt",
    "/site/private/page.txt;x=1",
    "/site/public/page.txt",
    "/site/public/%70age.txt",
    "/site/public/page.txt;jsessionid=1",
    "/site/public//page.txt",
    "/site/public/../public/page.txt",
]
HOSTILE = SINGLE + sorted({form.format(u=up, s=slash) for form in FORMS for up in UP for slash in SLASH})


class Differential:
    def compare(self, portal, doorward):
        reached_directly = let_through = 0
        for path in HOSTILE:
            target = path.encode("utf-8")
            direct_status, direct = exchange(portal.port, target)
            through_status, through = exchange(doorward.port, target)
            private = b"PRIVATE" in direct
            reached_directly += private
            self.assertNotIn(b"PRIVATE", through, f"{path!r} shows the private page (direct: {direct_status})")
            refused = through_status in (0, 302, 400, 401, 404, 405, 414, 421)
            if not refused or b"PUBLIC" in through:
                let_through += 1
                self.assertEqual((through_status, through), (direct_status, direct), f"{path!r} has another answer")
        print(f"\n{type(portal).__name__}: {len(HOSTILE)} paths, {reached_directly} reach the private page directly, "
              f"{let_through} pass Doorward, 0 reach it through Doorward", flush=True)
        # otherwise the list tests nothing, or Doorward refuses everything
        self.assertGreater(reached_directly, 5)
        self.assertGreater(let_through, 0)


# everything but the public page is closed, and everything but the private page is open
RULES = [
    [("/site/public/**", "open"), ("/**", "signed-in")],
    [("/**", "open"), ("/site/private/**", "signed-in")],
]


@unittest.skipUnless(has_tomcat(), "tomcat10-common, tomcat10-examples or java is missing")
class TomcatPaths(Differential, unittest.TestCase):
    def test_public_path_is_public_to_tomcat(self):
        with tempfile.TemporaryDirectory(prefix="doorward-real-") as home:
            tomcat = Tomcat(home)
            for number, rules in enumerate(RULES):
                with self.subTest(rules=rules):
                    self.compare(tomcat, Doorward(f"{home}/{number}", tomcat.port, rules))


@unittest.skipUnless(has_nginx(), "nginx is missing")
class NginxPaths(Differential, unittest.TestCase):
    def test_public_path_is_public_to_nginx(self):
        with tempfile.TemporaryDirectory(prefix="doorward-real-") as home:
            nginx = Nginx(home)
            for number, rules in enumerate(RULES):
                with self.subTest(rules=rules):
                    self.compare(nginx, Doorward(f"{home}/{number}", nginx.port, rules))
