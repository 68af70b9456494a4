"""Starts the functions as Lambda does, with a store that is there, one that fails, and none: what a start does before it asks for its first event."""

import socketserver
import sys
import threading
import unittest
from typing import ClassVar

import infra_path

sys.path.insert(0, str(infra_path.ROOT / "tests" / "bench"))
import cargo  # noqa: E402
import runtime  # noqa: E402
import template  # noqa: E402

HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhealthy"
FAILING = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Server(socketserver.ThreadingTCPServer):
    """Answers every request with the same; with nothing, it only accepts connections."""

    daemon_threads = True

    def __init__(self, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.answer, self.connections, self.requests = answer, 0, list[bytes]()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Connection(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        self.server.connections += 1
        while data := self.request.recv(1 << 16):
            self.server.requests.append(data)
            self.request.sendall(self.server.answer)


class Start(unittest.TestCase):
    functions: ClassVar[dict[str, template.Function]] = template.functions()

    def start(self, function: template.Function, url: str) -> None:
        """Waits for the first poll. A function that ends or hangs instead is an error."""
        # The parameters of a deployment that has a webhook.
        webhook = {"WEBHOOK_URL": "https://receiver.example.com/", "WEBHOOK_SECRET": f"whsec_{'A' * 32}"}
        with runtime.Instance(self.binaries[function.name], runtime.environment(function, url, url) | webhook) as instance:
            instance.polled()

    def started(self, function: template.Function) -> Server:
        """Starts a function with a healthy store, and returns what the store was asked."""
        server = Server(HEALTHY)
        self.addCleanup(server.close)
        self.start(function, server.url)
        return server

    @classmethod
    def setUpClass(cls) -> None:
        cls.binaries = cargo.all_built(cls.functions)

    def test_a_function_with_tables_connects_before_its_first_event_and_reads_nothing(self) -> None:
        for name, function in self.functions.items():
            with self.subTest(name):
                has_tables = any(variable.endswith("_TABLE") for variable in function.environment)
                server = self.started(function)
                if has_tables and not server.requests:  # A start gives up connecting after a second, which a busy machine may need.
                    server = self.started(function)
                self.assertEqual([request.split(b"\r\n")[0] for request in server.requests], [b"GET / HTTP/1.1"] * has_tables)
                self.assertEqual(server.connections, has_tables)

    def test_a_store_that_fails_is_silent_or_is_not_there_stops_no_start(self) -> None:
        for answer in (FAILING, b""):
            server = Server(answer)
            self.addCleanup(server.close)
            self.start(self.functions["login"], server.url)
            self.assertEqual(server.connections, 1, "it is tried once")
        server = Server(b"")
        server.close()
        self.start(self.functions["login"], server.url)


if __name__ == "__main__":
    unittest.main()
