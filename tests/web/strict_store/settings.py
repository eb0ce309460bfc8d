"""Settings of a store that redirects wherever Django can, for a web server of its own on the test's database."""

import os

from tests.settings import *

DATABASES["default"]["NAME"] = os.environ["STRICT_STORE_DATABASE"]
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
APPEND_SLASH = True
_auth = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
MIDDLEWARE = [
    *MIDDLEWARE[:_auth],
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    *MIDDLEWARE[_auth:],
]
assert "django.middleware.locale.LocaleMiddleware" in MIDDLEWARE
