"""Behind a proxy: what comes past it is refused once ProxySecret is given, and `make doctor` finds it while it is not."""

import json
import os
import unittest
import urllib.error
import urllib.request

from test_doctor import doctor
from test_life import client, update

SECRET, NEXT = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def ask(path: str, method: str = "POST", **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(os.environ["API_URL"] + path, b"{}" if method == "POST" else None, {"Content-Type": "application/json"} | headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def told(secret: str) -> dict[str, str]:
    return {"X-Doorward-Proxy-Secret": secret}


class Proxy(unittest.TestCase):
    def test_nobody_gets_past_a_proxy_that_sends_a_secret(self) -> None:
        self.addCleanup(update, TrustedProxyHops="0", ProxySecret="")
        update(TrustedProxyHops="1")
        self.assertTrue([finding for finding in doctor()[1] if "answers whoever comes past your proxies" in finding])

        update(ProxySecret=SECRET)
        self.assertFalse([finding for finding in doctor()[1] if "past your proxies" in finding or "PROXY_SECRET" in finding])
        paths = client("cloudformation").get_template(StackName="doorward", TemplateStage="Processed")["TemplateBody"]["Resources"]["Api"]["Properties"]["Body"]["paths"]
        for path in paths:
            for method in ("GET", "POST", "OPTIONS", "DELETE"):
                for headers in ({}, told(""), told(SECRET[:-1]), told(SECRET + "0"), told(SECRET.upper())):
                    status, body = ask(path, method, **headers)
                    self.assertEqual((status, json.loads(body)), (403, {"detail": "Request was refused."}), f"{method} {path}")
                self.assertNotEqual(ask(path, method, **told(SECRET))[0], 403, f"{method} {path}")

        # While it is changed, both are taken.
        update(ProxySecret=f"{NEXT},{SECRET}")
        for secret in (SECRET, NEXT):
            self.assertNotEqual(ask("/api/login/", **told(secret))[0], 403)
        self.assertEqual(ask("/api/login/", **told(f"{NEXT},{SECRET}"))[0], 403)

    def test_the_secret_is_told_nowhere(self) -> None:
        self.addCleanup(update, ProxySecret="")
        update(ProxySecret=SECRET)
        self.assertNotIn(SECRET, json.dumps(client("cloudformation").describe_stacks(StackName="doorward"), default=str))


if __name__ == "__main__":
    unittest.main()
