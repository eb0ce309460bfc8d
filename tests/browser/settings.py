"""The sandbox shop as the browser tests serve it: under a name, which Chromium maps to a free port.

So the links in emails and texts work whatever the port is, and look as in a real shop.
"""

import os

from tests.browser.servers import HOST

os.environ["SANDBOX_BASE_URL"] = f"https://{HOST}"
os.environ.pop("SANDBOX_DATABASE_URL", None)  # browsers see the same pages whatever the database is

from sandbox.settings import *

ALLOWED_HOSTS = [HOST, "testserver"]
# A good hash costs half a second each, and these passwords protect nothing.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
