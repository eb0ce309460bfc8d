"""The sandbox as the demo runs it."""

from sandbox.settings import *

# A fork, which sends the texts that Oscar itself only has words for.
INSTALLED_APPS = [
    app.replace("oscar.apps.communication", "sandbox.demo.communication") for app in INSTALLED_APPS
]
MIGRATION_MODULES = {"communication": "oscar.apps.communication.migrations"}

#: The clock jumps; an engine that waited would be late for it.
CROSSCHANNEL_TICK_SECONDS = 0.02  # type: ignore[assignment]
# Phones must show what the app sends and keeps back, not what the provider filters for it.
CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"
# These passwords protect nothing, and a good hash costs half a second each.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
