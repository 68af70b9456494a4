"""Starts the functions as Lambda does, with a store that is there, one that fails, and none: what a start does before it asks for its first event."""

import socket
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


class Server:
    """Answers every request with the same; with nothing, it only accepts connections."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.requests = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            self.requests.append(data)
            if self.answer:
                connection.sendall(self.answer)

    def close(self) -> None:
        # An open accept() keeps a listener that is only closed.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Start(unittest.TestCase):
    functions: ClassVar[dict[str, template.Function]] = template.functions()

    def start(self, function: template.Function, url: str) -> None:
        """Waits for the first poll. A function that ends or hangs instead is an error."""
        # The parameters of a deployment that has a webhook.
        webhook = {"WEBHOOK_URL": "https://receiver.example.com/", "WEBHOOK_SECRET": f"whsec_{'A' * 32}"}
        with runtime.Instance(self.binaries[function.name], runtime.environment(function, url, url) | webhook) as instance:
            instance.polled()

    @classmethod
    def setUpClass(cls) -> None:
        cls.binaries = cargo.all_built(cls.functions)

    def test_a_function_with_tables_connects_before_its_first_event_and_reads_nothing(self) -> None:
        for name, function in self.functions.items():
            with self.subTest(name):
                server = Server(HEALTHY)
                self.addCleanup(server.close)
                self.start(function, server.url)
                has_tables = any(variable.endswith("_TABLE") for variable in function.environment)
                self.assertEqual([request.split(b"\r\n")[0] for request in server.requests], [b"GET / HTTP/1.1"] * has_tables)
                self.assertEqual(len(server.connections), has_tables)

    def test_a_store_that_fails_is_silent_or_is_not_there_stops_no_start(self) -> None:
        for answer in (FAILING, b""):
            server = Server(answer)
            self.addCleanup(server.close)
            self.start(self.functions["login"], server.url)
            self.assertEqual(len(server.connections), 1, "it is tried once")
        server = Server(b"")
        server.close()
        self.start(self.functions["login"], server.url)


if __name__ == "__main__":
    unittest.main()
