"""The stack that Doorward replaces, as the documentation of its parts sets it up: Django, Django REST Framework with TokenAuthentication, and
django-rest-passwordreset, over SQLite. `peer.py` serves it with gunicorn.

The environment says where the database is and what a hash costs. Run as a program it makes the tables and as many accounts as it is told.
"""

import os
import sys
import time

import django
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.wsgi import get_wsgi_application
from django.db import connection

PASSWORD = "Correct-Horse-42"


class Hasher(Argon2PasswordHasher):
    """Argon2id at the cost of the template."""

    memory_cost, time_cost, parallelism = (int(os.environ[name]) for name in ("ARGON2_MEMORY_KIB", "ARGON2_ITERATIONS", "ARGON2_PARALLELISM"))


settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTH_PASSWORD_VALIDATORS=[
        {"NAME": f"django.contrib.auth.password_validation.{name}"}
        for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["PEER_DATABASE"], "CONN_MAX_AGE": None}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "rest_framework.authtoken", "django_rest_passwordreset"],
    MIDDLEWARE=[f"{__name__}.StoreTime", "django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    PASSWORD_HASHERS=[f"{__name__}.Hasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        # Three a day by default, and all requests come from here. It is asked all the same.
        "DEFAULT_THROTTLE_RATES": {"django-rest-passwordreset-request-token": "1000/s"},
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="only-for-this-measurement",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.password_validation import validate_password  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework import generics, permissions, serializers  # noqa: E402
from rest_framework.authtoken.views import obtain_auth_token  # noqa: E402


class StoreTime:
    """Says in a header how much processor time of a request was SQLite's. Doorward's store is a process of its own, whose time is not counted either."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        spent = 0

        def timed(execute, sql, params, many, context):
            nonlocal spent
            started = time.thread_time_ns()
            try:
                return execute(sql, params, many, context)
            finally:
                spent += time.thread_time_ns() - started

        with connection.execute_wrapper(timed):
            answer = self.get_response(request)
        answer["X-Store-Nanoseconds"] = str(spent)
        return answer


class Registration(serializers.ModelSerializer):
    email = serializers.EmailField(required=True)
    password = serializers.CharField(write_only=True, validators=[validate_password])

    class Meta:
        model = User
        fields = ("username", "email", "password")

    def create(self, validated_data):
        return User.objects.create_user(**validated_data)


class Register(generics.CreateAPIView):
    permission_classes = [permissions.AllowAny]
    serializer_class = Registration


urlpatterns = [
    path("register/", Register.as_view()),
    path("login/", obtain_auth_token),
    path("password_reset/", include("django_rest_passwordreset.urls")),
]
application = get_wsgi_application()


if __name__ == "__main__":
    from django.contrib.auth.hashers import make_password
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    stored = make_password(PASSWORD)
    names = [f"account-{number:07}" for number in range(1, int(sys.argv[1]) + 1)]
    User.objects.bulk_create(User(username=name, email=f"{name}@example.com", password=stored) for name in names)
