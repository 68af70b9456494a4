"""The routes of the API, and the function behind each."""

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

ROUTES = {
    REGISTER: "register",
    LOGIN: "login",
    LOGOUT: "logout",
    LOGOUT_ALL: "logout",
    SESSIONS: "sessions",
    ME: "me",
    SET_USERNAME: "set-username",
    EXPORT: "export",
    CHANGE: "change-password",
    RESET: "password-reset",
    VALIDATE: "validate-token",
    CONFIRM: "confirm-reset",
    DISAVOW: "disavow",
    ACTIVATION: "verify-address",
    RESEND: "resend-verification",
}
