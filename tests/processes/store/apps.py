from __future__ import annotations

from typing import Any

from celery.signals import worker_init
from django.apps import AppConfig
from django.core.mail import send_mail
from django.urls import get_resolver
from twilio.rest import Client

from oscar_crosschannel.signals import alert

OPERATOR = "operator@quillbrook.example"


class StoreConfig(AppConfig):
    """The operator gets alerts by email."""

    name = "tests.processes.store"
    label = "drill"

    def ready(self) -> None:
        alert.connect(tell_the_operator, dispatch_uid="drill")
        worker_init.connect(warm_up, dispatch_uid="drill")


def tell_the_operator(code: str, detail: str, **_: Any) -> None:
    send_mail(f"Alert: {code}", detail, None, [OPERATOR])


def warm_up(**_: Any) -> None:
    """Import in the parent what each child would import at its first message: tests kill many children."""
    assert get_resolver().url_patterns
    assert Client("AC", "token").messages
