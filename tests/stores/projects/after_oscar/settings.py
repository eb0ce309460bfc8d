"""A store that lists the app after Oscar, and has the tag in templates of its own."""

from tests.stores.settings import *

INSTALLED_APPS.remove("oscar_crosschannel")
INSTALLED_APPS.append("oscar_crosschannel")
TEMPLATES[0]["DIRS"] = [HOME / "templates"]
