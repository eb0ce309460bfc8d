"""Who hears of what an operator must know."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from oscar_crosschannel import signals
from oscar_crosschannel.channels import email_connections
from oscar_crosschannel.services import alerts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def operator(settings: Any) -> None:
    settings.ADMINS = [("Olga", "olga@shop.example")]


# it works


def test_the_shops_admins_get_an_email() -> None:
    alerts.tell("channel_broken", "sms is broken")
    (letter,) = mail.outbox
    assert (letter.to, letter.body) == (["olga@shop.example"], "sms is broken")
    assert "channel_broken" in letter.subject


def test_the_email_waits_for_what_it_is_about() -> None:
    with transaction.atomic():
        alerts.tell("channel_broken", "sms is broken")
        assert not mail.outbox
    assert mail.outbox


# it refuses


def test_nobody_is_told_of_what_did_not_happen() -> None:
    with transaction.atomic():
        alerts.tell("channel_broken", "sms is broken")
        transaction.set_rollback(True)
    assert not mail.outbox


# it survives


def test_a_mail_server_that_says_nothing_is_not_waited_for_for_ever(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert settings.EMAIL_TIMEOUT is None, "as Django ships it"
    monkeypatch.setattr(email_connections, "SMTP_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        alerts.tell("channel_broken", "sms is broken")


def test_an_alert_raises_nothing_where_nobody_can_be_told(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # where nobody listens

    def fail(**kwargs: Any) -> None:
        raise ValueError("the pager is down")

    signals.alert.connect(fail)
    try:
        alerts.tell("channel_broken", "sms is broken")
    finally:
        signals.alert.disconnect(fail)
    assert "channel_broken: sms is broken" in caplog.messages
