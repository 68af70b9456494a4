"""What connecting to the store costs a function: at its start, and after an idle connection was closed while Lambda had frozen it."""

import random
import socket
import socketserver
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import runtime
import template
import trustme
from operations import named
from store import Store

FUNCTIONS = {"authorizer": "check a token", "login": "login"}
WARM_UP = 5


class Relay(socketserver.ThreadingTCPServer):
    """Passes bytes between functions and the store, over TLS towards the functions if it has a context."""

    daemon_threads = True

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.store, self.context = (urlsplit(url).hostname, urlsplit(url).port), context
        self.url = f"http{'s' if context else ''}://localhost:{self.server_address[1]}"
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def drop(self) -> None:
        """Closes the connections, as AWS closes those that are idle for about a minute."""
        connections, self.connections = self.connections, []
        for connection in connections:
            connection.close()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.drop()


class Passing(socketserver.BaseRequestHandler):
    """One connection. A function sends a request, reads the whole answer, and sends the next."""

    server: Relay

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError), socket.create_connection(self.server.store) as store:
            store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A socket of TLS takes the descriptor over, so it is this one that is closed.
            near = self.server.context.wrap_socket(self.request, server_side=True) if self.server.context else self.request
            self.server.connections.append(near)
            while request := near.recv(1 << 16):
                store.sendall(request)
                near.sendall(_answer(store))


def _answer(store: socket.socket) -> bytes:
    """One whole answer, whose head tells its length."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _some(store)
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < sum(lengths):
        more = _some(store)
        answer, body = answer + more, body + more
    return answer


def _some(store: socket.socket) -> bytes:
    if not (data := store.recv(1 << 16)):
        raise OSError
    return data


@contextmanager
def _relays(store: Store) -> Iterator[tuple[Relay, Relay, str]]:
    """One relay without TLS, one with, and the file of the authority that vouches for it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with ExitStack() as running, tempfile.TemporaryDirectory() as folder:
        trusted = Path(folder) / "authority.pem"
        authority.cert_pem.write_to_path(trusted)
        relays = [Relay(store.url, None), Relay(store.url, context)]
        for relay in relays:
            running.callback(relay.close)
        yield *relays, str(trusted)


def connecting(store: Store, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Each start with a store that refuses connections, one without TLS and one with, in turn; and requests before and after a connection is closed."""
    number = count + WARM_UP
    store.fill(2 * number * len(FUNCTIONS))
    accounts = iter(range(1, store.accounts + 1))
    seen: dict[str, Any] = {}
    with _relays(store) as (plain, tls, trusted), socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        urls = {"none": f"https://localhost:{closed.getsockname()[1]}", "plain": plain.url, "tls": tls.url}
        for name, operation in FUNCTIONS.items():
            function = template.function(name)
            seen[name] = {"init_cpu_ms": {how: [] for how in urls}, "usual": {"wall_ms": [], "cpu_ms": []}, "dropped": {"wall_ms": [], "cpu_ms": []}}
            for round_ in range(count):
                say(f"{name}, start {round_ + 1} of {count}")
                for how in random.sample(list(urls), len(urls)):
                    with runtime.start(function, urls[how], store.mail_url, SSL_CERT_FILE=trusted) as instance:
                        instance.polled()
                        time.sleep(runtime.SETTLE_SECONDS)
                        seen[name]["init_cpu_ms"][how].append(instance.spent_ns()[1] / 1e6)
            events = named(operation).events(store, [next(accounts) for _ in range(2 * number)])
            with runtime.start(function, tls.url, store.mail_url, SSL_CERT_FILE=trusted) as instance:
                for turn in range(number):
                    say(f"{name}, request {turn + 1} of {number}")
                    for how in ("usual", "dropped"):
                        with instance.frozen():
                            if how == "dropped":
                                tls.drop()
                        answered = instance.answer(events.pop())
                        if not named(operation).succeeds(answered.body):
                            raise runtime.Broken(f"{operation}: {answered.body}")
                        if turn >= WARM_UP:
                            seen[name][how]["wall_ms"].append(answered.wall_ms)
                            seen[name][how]["cpu_ms"].append(answered.own_ms)
    return seen
