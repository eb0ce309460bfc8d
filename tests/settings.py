"""The sandbox shop, made fast and left in peace by the developer's own sandbox data."""

from tempfile import TemporaryDirectory

from sandbox.settings import *

# One of each per process, so that test runs side by side share nothing. A file, because threads
# share an in-memory database by table locks that no timeout waits for.
_scratch = TemporaryDirectory(prefix="crosschannel-tests-", ignore_cleanup_errors=True)
HOME = Path(_scratch.name)
MEDIA_ROOT = HOME / "media"
EMAIL_FILE_PATH = HOME / "outbox"
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["NAME"] = HOME / "shop.sqlite3"
    DATABASES["default"]["TEST"] = {"NAME": HOME / "test.sqlite3"}

DEBUG = False
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "shop.example"]  # the address of the shop in many tests
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CROSSCHANNEL_SMS_BACKEND = "oscar_crosschannel.channels.sms_backends.locmem.LocmemBackend"
SANDBOX_CLOCK_FILE = None  # tests live at the real time, or at the `now` they pass
