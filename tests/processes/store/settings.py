"""The tests' shop with the outside world behind its channels, and with times that a test can wait for."""

from datetime import timedelta

from tests.settings import *

INSTALLED_APPS = ["tests.processes.store", *INSTALLED_APPS]
CROSSCHANNEL_SMS_BACKEND = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
CROSSCHANNEL_SMS_RATE = None
# Longer than a test holds an answer back.
CROSSCHANNEL_TWILIO["TIMEOUT"] = EMAIL_TIMEOUT = 60
CROSSCHANNEL_LEASE = timedelta(seconds=4)
CROSSCHANNEL_CHANNEL_REST = timedelta(seconds=1)
CROSSCHANNEL_TICK_SECONDS = 1
CROSSCHANNEL_JUDGE_BATCH = 20  # so that workers share a few hundred messages

if CELERY_BROKER_URL == "filesystem://":
    _broker = Path(os.environ["BROKER_FOLDER"])
    _folders = {name: _broker / name for name in ("messages", "control")}
    for _folder in _folders.values():
        _folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": _folders["messages"],
        "data_folder_out": _folders["messages"],
        "control_folder": _folders["control"],
    }
