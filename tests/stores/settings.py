"""A plain store, as Oscar's guide sets it up. Every kind of store is this and a little more.

The environment says where it lives and whom it talks to, see `sandbox.settings`.
"""

from sandbox.settings import *

INSTALLED_APPS = [app for app in INSTALLED_APPS if not app.startswith("sandbox.")]
MIDDLEWARE = [middleware for middleware in MIDDLEWARE if not middleware.startswith("sandbox.")]
ROOT_URLCONF = "tests.stores.urls"
WSGI_APPLICATION = None
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
SANDBOX_CLOCK_FILE = None  # `tests.stores.serving` moves the clock of its process itself
CROSSCHANNEL_DEVELOPMENT_CLOCK = ""

CROSSCHANNEL_SMS_RATE = None  # nobody's network is spared by waiting for it
THUMBNAIL_DUMMY = True  # the one product has no picture

# These passwords protect nothing, and a good hash costs half a second each.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def replaced(**apps: str) -> list[str]:
    """INSTALLED_APPS with Oscar's app of each label replaced: `replaced(order="forks.order.apps.OrderConfig")`."""
    return [apps.get(app.removeprefix("oscar.apps.").partition(".apps.")[0], app) for app in INSTALLED_APPS]
