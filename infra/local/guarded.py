"""MiniStack behind a guard, which is run instead of `python -m ministack`.

MiniStack answers everybody who reaches its port, allows CORS for every origin, and runs the programs that it is given. Every web page in a browser
on this machine can reach that port. The guard therefore refuses requests that a page of another site can make a browser send, with

- a `Host` that is not this machine's, as from a page whose name was made to point to 127.0.0.1 (DNS rebinding),
- an `Origin` other than the requested address,
- `Sec-Fetch-Site: cross-site` or `same-site`, which browsers also send without an `Origin`: for pictures, links and forms with GET.

Routes of deployed APIs accept any origin, because an API is made for pages of other sites and decides for itself. Programs (the functions, an AWS
SDK, SAM CLI, curl) send neither `Origin` nor `Sec-Fetch-Site`.
"""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
# The two forms of an API's address. Other sites may only use the first. With the second MiniStack handles some paths itself, its own reset among
# them, so the guard rewrites it to the first.
API_PATH = re.compile(r"/_aws/execute-api/[^/]+/")
API_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.localhost(:\d+)?")
# Answers with the number of this process, so that whoever started it knows that no other program has taken its port.
PROCESS_PATH = "/_doorward/process"
REFUSAL = b'{"message":"This is the local stack of the person at this machine: a page of another site may call its API, nothing else."}'

App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


def allows(headers: Headers, path: str, port: int) -> bool:
    """Whether a request may pass: it is addressed to this machine, and no page of another site sent it."""
    given: dict[str, list[str]] = {}
    for name, value in headers:
        given.setdefault(name.lower(), []).append(value.strip().lower())
    hosts = given.get("host", [])
    if len(hosts) != 1 or not _is_ours(hosts[0], port):
        return False
    if API_PATH.match(path) and hosts[0].removesuffix(f":{port}") in _names():
        return True
    own = {f"http://{hosts[0]}", f"https://{hosts[0]}"}
    return set(given.get("origin", [])) <= own and set(given.get("sec-fetch-site", [])) <= {"none", "same-origin"}


def _names() -> set[str]:
    return LOOPBACK | {os.environ.get("BIND_HOST", "127.0.0.1"), os.environ.get("MINISTACK_HOST", "localhost")}


def _is_ours(host: str, port: int) -> bool:
    """Whether a `Host` is this machine and this port. Names below localhost belong to nobody (RFC 6761, 6.3)."""
    name = host.removesuffix(f":{port}")
    return (name != host or port == 80) and (name in _names() or bool(re.fullmatch(r"[a-z0-9.-]+\.localhost", name)))


def by_path(scope: dict[str, Any]) -> dict[str, Any]:
    """Rewrites a request to an API's own host to the equivalent request with its path."""
    headers = [(name, value) for name, value in scope["headers"] if name.lower() == b"host"]
    found = API_HOST.fullmatch(headers[0][1].decode("latin-1").lower()) if len(headers) == 1 else None
    if not found:
        return scope
    prefix = f"/_aws/execute-api/{found[1]}"
    host = f"localhost{found[2] or ''}".encode()
    return scope | {
        "path": prefix + scope["path"],
        "raw_path": prefix.encode() + (scope.get("raw_path") or scope["path"].encode()),
        "headers": [(name, host if name.lower() == b"host" else value) for name, value in scope["headers"]],
    }


def guarded(app: App, port: int) -> App:
    """The application, which only gets allowed requests."""

    async def guard(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        scope = by_path(scope)
        if allows([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]], scope["path"], port):
            if scope["type"] == "http" and scope["path"] == PROCESS_PATH:
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
                return await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
            return await app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": REFUSAL})

    return guard


def guard_runtime_ports() -> None:
    """Guards the ports where functions fetch their events (Lambda's runtime API), which have no check of their own."""
    parse = BaseHTTPRequestHandler.parse_request

    def parse_request(handler: BaseHTTPRequestHandler) -> bool:
        if not parse(handler):
            return False
        # None of their paths belongs to an API.
        if allows(handler.headers.items(), "/", handler.server.server_address[1]):  # type: ignore[arg-type, index]
            return True
        handler.send_error(403)
        return False

    BaseHTTPRequestHandler.parse_request = parse_request  # type: ignore[assignment, method-assign]


def main(directory: Path) -> None:
    sys.path.append(str(Path(__file__).parent))  # python -I leaves it out
    from keeping import kept
    from ministack import app as ministack

    guard_runtime_ports()
    port = int(os.environ["GATEWAY_PORT"])
    ministack.app = guarded(kept(ministack.app, directory, port), port)
    ministack.main()


if __name__ == "__main__":
    main(Path(sys.argv.pop(1)))  # MiniStack reads the other arguments, and there are none
