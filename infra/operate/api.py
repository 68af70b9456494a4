"""Requests to a deployed API as `make verify` makes them, and what an unexpected answer means."""

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from processes import deferred
from routes import ROUTES
from stack import Environment
from typed import Failure

# The longest `Retry-After` that is waited for, in seconds.
LONGEST_WAIT = 60
# Pauses before a request is repeated that the gateway has throttled, in seconds.
PAUSES = (1, 2, 4, 8)


class Later(Failure):
    """No problem was found so far, but the test cannot continue now."""


@dataclass(frozen=True)
class Answer:
    """What a route answered. Without an answer the status is 0 and the body says why."""

    status: int
    body: Any
    headers: dict[str, str]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The API never redirects a program, so a redirect comes from something in front of it."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Api:
    """The API of a stack, under its own URL."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self.url = env.api_url
        self._opener = urllib.request.build_opener(_NoRedirect)
        # Requests do not come through the proxy, so they send its secret. AWS does not return this parameter, but an operator can read a function's
        # variables.
        secrets = env.functions["Login"]["Environment"]["Variables"].get("PROXY_SECRET", "")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "doorward-verify"}
        if secrets:
            self._headers["X-Doorward-Proxy-Secret"] = secrets.partition(",")[0]

    def post(self, path: str, session: str = "", **body: str) -> Answer:
        """POSTs JSON. After a 429 it waits and repeats the request, if the wait is short."""
        headers = {"Authorization": f"Token {session}"} if session else {}
        for pause in (*PAUSES, None):
            answer = self.ask("POST", path, json.dumps(body).encode(), headers)
            if answer.status != 429:
                return answer
            wait = int(answer.headers.get("retry-after") or pause or LONGEST_WAIT + 1)
            if wait > LONGEST_WAIT or pause is None:
                break
            time.sleep(wait)
        until = f"for {answer.headers['retry-after']} more seconds (its limit for one client)" if "retry-after" in answer.headers else "(ThrottleRate)"
        raise Later(f"{path} takes no more requests from here {until}: try again later, or from another address.")

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Makes one request. Signals wait until it is over, so that a request which was sent has also taken effect or failed."""
        request = urllib.request.Request(self.url + path, body, self._headers | (headers or {}), method=method)
        with deferred():
            try:
                with self._opener.open(request, timeout=30) as answer:
                    return _read(answer.status, answer)
            except urllib.error.HTTPError as error:
                with error:
                    return _read(error.code, error)
            except (OSError, ValueError) as error:
                return Answer(0, str(getattr(error, "reason", error)), {})

    def expect(self, answer: Answer, status: int, path: str, to: str) -> Any:
        """The body of an answer with this status. Any other is a failure that says what to look at."""
        if answer.status == status:
            return answer.body
        answered = f"answers {answer.status}" if answer.status else f"does not answer ({answer.body})"
        raise Failure(f"{path} {answered} to {to}, and not {status}: {self._cause(answer, path)}.")

    def _cause(self, answer: Answer, path: str) -> str:
        function, given = ROUTES[path], self._env.parameters
        parameter = "".join(word.capitalize() for word in function.split("-")) + "Concurrency"
        log = f"its log /aws/lambda/{self._env.name}-{function} says"
        detail = answer.body.get("detail") if isinstance(answer.body, dict) else None
        if given.get(parameter) == "0":
            return f"{function} is stopped by {parameter}=0; `make set PARAMS={parameter}=` runs it again"
        if not answer.status:
            return f"look at DNS and the certificate of {self.url}"
        if answer.status == 403 and detail == "Request was refused.":
            return "the web ACL WebAclArn refuses this address" if given.get("WebAclArn") else "the function has another ProxySecret than login; deploy again"
        if answer.status in (403, 404) and detail in (None, "Not found."):
            return f"API Gateway does not know the route under {self.url}; deploy again, and look at DomainName and DefaultEndpoint"
        if answer.status in (500, 502, 504):
            return f"the function does not start or fails; {log} why"
        if answer.status == 503:
            return f"a service that the function calls refuses or fails; {log} which (a table, a permission)"
        return f"{log} what it found"


def _read(status: int, answer: Any) -> Answer:
    text = answer.read().decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    return Answer(status, body, {name.lower(): value for name, value in answer.headers.items()})
