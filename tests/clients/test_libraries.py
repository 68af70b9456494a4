"""Requests as libraries for Python send them: Django REST Framework's own test client, requests, httpx and the standard library."""

import json
import unittest
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import django
import httpx
import requests
from account import API, live
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

settings.configure(SECRET_KEY="of a test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, INSTALLED_APPS=["rest_framework"])
django.setup()
urlpatterns: list[Any] = []

from rest_framework.test import APIClient  # noqa: E402  (it needs the settings)


def credentials(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Token {token}"} if token else {}


def forward(environ: dict[str, Any]) -> HttpResponse:
    """Sends to the stack what a test client would hand to a Django site in its own process."""
    headers = {name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_") and name != "HTTP_COOKIE"}
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = requests.request(environ["REQUEST_METHOD"], API + environ["PATH_INFO"], data=body, headers=headers | {"Content-Type": environ["CONTENT_TYPE"]}, timeout=60)
    response = HttpResponse(answer.content, status=answer.status_code, content_type=answer.headers["Content-Type"])
    response.wsgi_request = WSGIRequest(environ)  # type: ignore[attr-defined]
    return response


class RestFramework(unittest.TestCase):
    def send(self, path: str, fields: dict[str, str], token: str | None, **how: Any) -> tuple[int, Any]:
        client = APIClient()
        client.handler = forward  # type: ignore[assignment]
        client.credentials(**({"HTTP_AUTHORIZATION": f"Token {token}"} if token else {}))
        response = client.post(path, urlencode(fields) if "content_type" in how else fields, **how)
        return response.status_code, response.json()

    def test_api_client_multipart_which_is_its_default(self) -> None:
        live(self.send)

    def test_api_client_json(self) -> None:
        live(lambda path, fields, token: self.send(path, fields, token, format="json"))

    def test_api_client_form(self) -> None:
        live(lambda path, fields, token: self.send(path, fields, token, content_type="application/x-www-form-urlencoded"))


class Libraries(unittest.TestCase):
    def test_requests_json(self) -> None:
        live(lambda path, fields, token: self.read(requests.post(API + path, json=fields, headers=credentials(token), timeout=60)))

    def test_requests_form(self) -> None:
        live(lambda path, fields, token: self.read(requests.post(API + path, data=fields, headers=credentials(token), timeout=60)))

    def test_requests_multipart(self) -> None:
        def send(path: str, fields: dict[str, str], token: str | None) -> tuple[int, Any]:
            parts = {name: (None, value) for name, value in fields.items()}
            return self.read(requests.post(API + path, files=parts, headers=credentials(token), timeout=60))

        live(send)

    def test_httpx_json(self) -> None:
        with httpx.Client(base_url=API, timeout=60) as client:
            live(lambda path, fields, token: self.read(client.post(path, json=fields, headers=credentials(token))))

    def test_httpx_form(self) -> None:
        with httpx.Client(base_url=API, timeout=60) as client:
            live(lambda path, fields, token: self.read(client.post(path, data=fields, headers=credentials(token))))

    def test_urllib_with_its_default_content_type(self) -> None:
        def send(path: str, fields: dict[str, str], token: str | None) -> tuple[int, Any]:
            try:
                with urllib.request.urlopen(urllib.request.Request(API + path, urlencode(fields).encode(), credentials(token)), timeout=60) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        live(send)

    @staticmethod
    def read(answer: requests.Response | httpx.Response) -> tuple[int, Any]:
        return answer.status_code, answer.json()


if __name__ == "__main__":
    unittest.main()
