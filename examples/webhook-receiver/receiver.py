"""Receives events that Doorward posts: refuses what is not signed by it or too old, and ignores repeats.

    python3 -m pip install standardwebhooks
    WEBHOOK_SECRET=whsec_… python3 receiver.py 8080

Here the ids of events that were handled are kept in memory. Keep yours where the work is done, in the same transaction.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
handled: set[str] = set()
one_at_a_time = Lock()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 262_144))
        try:
            event = webhook.verify(body, dict(self.headers.items()))
        except WebhookVerificationError:
            return self.answer(400)
        with one_at_a_time:
            if event["id"] not in handled:
                print(event["type"], event["data"].get("account_id", "all accounts"), event["id"], flush=True)  # your work, before the answer
                handled.add(event["id"])
        self.answer(204)  # anything else than 2xx, and it comes again

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing of requests."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
