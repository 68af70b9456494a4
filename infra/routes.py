"""The routes of the API that programs here ask, and the function behind each route."""

import re
from pathlib import Path

REGISTER = "/api/register/"
LOGIN = "/api/login/"
LOGOUT = "/api/logout/"
LOGOUT_ALL = "/api/logout_all/"
SESSIONS = "/api/sessions/"
ME = "/api/users/me/"
EXPORT = "/api/users/me/export/"
SET_USERNAME = "/api/users/set_username/"
CHANGE = "/api/change_password/"
RESET = "/api/password_reset/"
VALIDATE = "/api/password_reset/validate_token/"
CONFIRM = "/api/password_reset/confirm/"
DISAVOW = "/api/password_reset/disavow/"
ACTIVATION = "/api/users/activation/"
RESEND = "/api/users/resend_activation/"

# As the template has them: a function begins with its zip, and its routes follow.
_FUNCTIONS = (Path(__file__).resolve().parent / "template.yaml").read_text().split("CodeUri: ../target/lambda/")[1:]
ROUTES = {path: function.partition("/")[0] for function in _FUNCTIONS for path in re.findall(r"\bPath: (/api/[^ ,}]+)", function)}
