"""The emulator answers programs on this machine, and no web page but its own. SECURITY.md and infra/README say so."""

import http.client
import json
import os
import unittest
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import infra_path
from test_life import client

from guarded import API_HOST, allows, by_path

ENDPOINT = urlsplit(os.environ["AWS_ENDPOINT_URL"])
HOST, PORT = str(ENDPOINT.hostname), int(ENDPOINT.port or 80)
OURS = f"127.0.0.1:{PORT}"
EVIL = "https://evil.example"
# What MiniStack allows everybody: to run a program, read mail, delete everything, call any service.
EVERYTHING = [
    ("POST", "/2015-03-31/functions"),
    ("POST", "/2015-03-31/functions/doorward-login/invocations"),
    ("GET", "/_ministack/ses/messages"),
    ("POST", "/_ministack/reset"),
    ("POST", "/"),
    ("GET", "/?Action=DeleteStack&StackName=doorward"),
    ("PUT", "/inbox/index.html"),
    ("GET", "/inbox/index.html"),
]
# How a browser marks what a page of another site makes it send.
PAGES = {
    "fetch with text/plain, which needs no preflight": {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
    "a browser that has no Sec-Fetch-Site": {"Origin": EVIL, "Content-Type": "text/plain"},
    "a form in a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"},
    "a picture or a link": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "another port of this machine": {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
    "another name of this machine": {"Origin": f"http://localhost:{PORT}", "Sec-Fetch-Site": "cross-site"},
    "a preflight": {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"},
    "a name that was pointed here": {"Host": f"evil.example:{PORT}", "Origin": f"http://evil.example:{PORT}", "Sec-Fetch-Site": "same-origin"},
    "a name that looks like ours": {"Host": f"127.0.0.1.evil.example:{PORT}"},
    "a name with ours as a user": {"Host": f"127.0.0.1@evil.example:{PORT}"},
    "our name with a foreign port": {"Host": "127.0.0.1:80"},
    "no name": {"Host": ""},
}


def ask(method: str, path: str, headers: dict[str, str], port: int = PORT) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()


def listening() -> list[tuple[str, int]]:
    """Every address at which the emulator listens, by the kernel's word."""
    pid = json.loads((Path(os.environ["STATE"]) / "emulator.json").read_text())["pid"]
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            sockets.add(os.readlink(link).removeprefix("socket:[").rstrip("]"))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                address, port = fields[1].split(":")
                found.append((address, int(port, 16)))
    return found


class Guard(unittest.TestCase):
    def test_no_page_of_another_site_reaches_anything_but_the_api(self) -> None:
        for page, headers in PAGES.items():
            for method, path in EVERYTHING:
                method = "OPTIONS" if "preflight" in page else method
                with self.subTest(page, method=method, path=path):
                    status, body = ask(method, path, headers)
                    self.assertIn(status, (400, 403), body)
                    self.assertNotIn(b"amazonaws", body)

    def test_a_path_that_only_begins_like_the_apis_or_a_host_that_is_one_opens_nothing_else(self) -> None:
        foreign = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
        for method, path, host in [
            ("POST", "/_aws/execute-api", OURS),
            ("POST", "/_aws/execute-api/doorward", OURS),
            ("POST", "//_aws/execute-api/doorward/v1/", OURS),
            ("GET", "/_aws/lambda-url/doorward/x", OURS),
            ("POST", "/restapis/doorward/v1/_user_request_/x", OURS),
            ("PUT", "/_aws/execute-api/doorward/v1", f"inbox.s3.localhost:{PORT}"),
            ("POST", "/", f"dynamodb.localhost:{PORT}"),
        ]:
            with self.subTest(path, host=host):
                self.assertEqual(ask(method, path, foreign | {"Host": host, "X-Amz-Target": "DynamoDB_20120810.ListTables"})[0], 403)
        # The API's own host: what is asked there is asked of the API, though MiniStack would look at these paths first.
        for path in ("/_ministack/reset", "/_ministack/ses/messages", "/2015-03-31/functions", "/v2/email/identities"):
            status, body = ask("POST", path, foreign | {"Host": f"abcdef12.execute-api.localhost:{PORT}"})
            self.assertEqual(status, 404, body)
        self.assertTrue(client("lambda").list_functions()["Functions"], "something wiped the stack")

    def test_pages_of_other_sites_may_ask_the_api_which_decides_for_itself(self) -> None:
        for path, host in [("/_aws/execute-api/doorward/v1/api/login/", OURS), ("/v1/api/login/", f"doorward.execute-api.localhost:{PORT}")]:
            status, body = ask("POST", path, {"Host": host, "Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"})
            self.assertEqual((status, json.loads(body)), (403, {"detail": "Origin not allowed."}), "it is the function that refuses")

    def test_programs_and_the_inbox_page_are_served(self) -> None:
        own = {"Origin": f"http://{OURS}", "Sec-Fetch-Site": "same-origin"}
        for headers in ({}, own, {"Sec-Fetch-Site": "none"}, {"Host": f"localhost:{PORT}"}):
            with self.subTest(str(headers)):
                self.assertEqual(ask("GET", "/inbox/index.html", headers)[0], 200)
                self.assertEqual(ask("GET", "/_ministack/ses/messages", headers)[0], 200)

    def test_two_hosts_or_two_origins_of_which_one_is_ours_are_none(self) -> None:
        ours = ("host", OURS)
        self.assertTrue(allows([ours], "/", PORT))
        self.assertFalse(allows([ours, ("Host", "evil.example")], "/", PORT))
        self.assertFalse(allows([ours, ("origin", f"http://{OURS}"), ("Origin", EVIL)], "/", PORT))
        self.assertFalse(allows([], "/", PORT))

    def test_the_apis_own_host_is_rewritten_only_where_it_is_one(self) -> None:
        for host in ("evil.example.execute-api.localhost", "a.b.execute-api.localhost", "execute-api.localhost", "x.execute-api.localhost.evil.example"):
            self.assertIsNone(API_HOST.fullmatch(host))
        scope = {"headers": [(b"host", b"doorward.execute-api.localhost:1")], "path": "/v1/x", "raw_path": b"/v1/x"}
        self.assertEqual(by_path(scope)["path"], "/_aws/execute-api/doorward/v1/x")

    def test_every_port_is_this_machines_alone_and_guarded(self) -> None:
        ports = listening()
        self.assertIn(PORT, [port for _, port in ports])
        self.assertGreater(len(ports), 1, "the functions' own ports are not seen")
        for address, port in ports:
            with self.subTest(port):
                self.assertEqual(address, "0100007F", "127.0.0.1, as the kernel writes it")
                # The requests with which a page could fetch the next event of a function, or answer in its name.
                for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, {"Host": f"evil.example:{port}"}):
                    for method, path in (("GET", "/2018-06-01/runtime/invocation/next"), ("POST", "/2018-06-01/runtime/invocation/x/response")):
                        self.assertEqual(ask(method, path, headers, port)[0], 403)


assert infra_path
if __name__ == "__main__":
    unittest.main()
