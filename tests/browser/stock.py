"""The same shop without this app: what its pages are measured against."""

from tests.browser.settings import *

INSTALLED_APPS.remove("oscar_crosschannel")
ROOT_URLCONF = "tests.browser.stock_urls"
ALLOWED_HOSTS = ["127.0.0.1"]
INTERNAL_IPS = []  # no bar that leads to the outbox
