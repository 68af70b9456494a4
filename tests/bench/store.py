"""The store that the functions use while they are measured: tests/kit/examples/store.rs, in a process of its own."""

import http.client
import json
import subprocess
from typing import Any
from urllib.parse import urlsplit

from template import ROOT

PROGRAM = ROOT / "target/debug/examples/store"


class Store:
    """A running store. Its program documents the orders that it takes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([PROGRAM], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{PROGRAM} did not start")
        said = json.loads(line)
        self.url, self.counted_url, self.mail_url, self.password = said["store"], said["counted"], said["mail"], said["password"]
        self._control = http.client.HTTPConnection(urlsplit(said["control"]).netloc)
        self.accounts = 0

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def order(self, path: str, **body: Any) -> Any:
        """Sends an order and waits until it is done."""
        self._control.request("POST", path, json.dumps(body))
        answer = self._control.getresponse().read()
        return json.loads(answer)

    def fill(self, until: int) -> int:
        """Makes sure that accounts 1 to `until` exist; returns the bytes of one, if any was made."""
        self.accounts = until
        return self.order("/accounts", until=until)["bytes_each"]
