"""Anymail chosen, and what must be so that bounces and complaints come back."""

from __future__ import annotations

from typing import Any

import pytest
from anymail.backends.postmark import EmailBackend as Postmark

from .pasting import found, paste, urlconf
from .test_installation import OUR_PLACE, rest_of_the_shop

SMTP = "django.core.mail.backends.smtp.EmailBackend"


class OwnPostmark(Postmark):  # type: ignore[misc]
    """A backend of the store's own, made of Anymail's."""


@pytest.fixture
def postmark(settings: Any) -> None:
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "token", "WEBHOOK_SECRET": "user:password"}


@pytest.mark.usefixtures("postmark")
def test_a_provider_that_is_set_up_hears_nothing() -> None:
    assert found() == {}


@pytest.mark.usefixtures("postmark")
@pytest.mark.parametrize("backend", ["anymail.backends.postmark.EmailBackend", f"{__name__}.OwnPostmark"])
def test_webhooks_that_are_not_there_are_missed(settings: Any, backend: str) -> None:
    settings.EMAIL_BACKEND = SMTP
    settings.CROSSCHANNEL_EMAIL_BACKEND = backend
    settings.ROOT_URLCONF = urlconf([OUR_PLACE, *rest_of_the_shop()])
    assert list(found()) == ["W034"]

    paste(found()["W034"], settings)
    assert found() == {}


@pytest.mark.parametrize(
    "backend",
    [
        SMTP,
        "anymail.backends.test.EmailBackend",
        "anymail.backends.console.EmailBackend",
        "anymail.backends.scaleway.EmailBackend",  # has no webhooks
    ],
)
def test_a_backend_without_webhooks_needs_none(settings: Any, backend: str) -> None:
    settings.EMAIL_BACKEND = backend
    settings.ROOT_URLCONF = urlconf([OUR_PLACE, *rest_of_the_shop()])

    assert found() == {}


@pytest.mark.usefixtures("postmark")
@pytest.mark.parametrize("keeps_others", [True, False])
def test_webhooks_that_are_open_to_anyone_are_named(settings: Any, keeps_others: bool) -> None:
    if keeps_others:
        settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "token"}
    else:
        del settings.ANYMAIL
    finding = found()["W035"]
    assert list(found()) == ["W035"]

    paste(finding, settings)
    assert found() == {}
    assert (
        f"https://{settings.ANYMAIL['WEBHOOK_SECRET']}@shop.example/anymail/postmark/tracking/"
        in finding.hint
    )
    assert ("POSTMARK_SERVER_TOKEN" in settings.ANYMAIL) is keeps_others


@pytest.mark.parametrize(
    ("provider", "keys"),
    [
        ("mailgun", {"MAILGUN_API_KEY": "key", "MAILGUN_WEBHOOK_SIGNING_KEY": "key"}),
        ("mailgun", {"MAILGUN_API_KEY": "key"}),
        ("postal", {}),  # its webhook does not work without a key, and says so
    ],
)
def test_a_provider_that_signs_needs_no_password(settings: Any, provider: str, keys: dict[str, str]) -> None:
    settings.EMAIL_BACKEND = f"anymail.backends.{provider}.EmailBackend"
    settings.ANYMAIL = keys

    assert found() == {}


@pytest.mark.rule(63)
@pytest.mark.usefixtures("postmark")
@pytest.mark.parametrize("flat", [True, False])
def test_postmarks_bulk_api_must_be_off(settings: Any, flat: bool) -> None:
    if flat:
        settings.ANYMAIL_POSTMARK_USE_BULK_API = True
    else:
        settings.ANYMAIL = {**settings.ANYMAIL, "POSTMARK_USE_BULK_API": True}
    assert list(found()) == ["W036"]

    paste(found()["W036"], settings)
    assert found() == {}


@pytest.mark.rule(57)
@pytest.mark.usefixtures("postmark")
@pytest.mark.parametrize("seconds", [None, 300, (3, 600), (3, None)])
def test_a_silent_provider_must_release_the_worker(settings: Any, seconds: Any) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "REQUESTS_TIMEOUT": seconds}
    assert list(found()) == ["W037"]

    paste(found()["W037"], settings)
    assert found() == {}


@pytest.mark.rule(57)
def test_a_silent_smtp_server_must_release_the_worker(settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 600
    assert list(found()) == ["W037"]

    paste(found()["W037"], settings)
    assert found() == {}


@pytest.mark.rule(57)
@pytest.mark.usefixtures("postmark")
def test_time_outs_within_the_lease_are_the_projects_own(settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 10
    settings.ANYMAIL = {**settings.ANYMAIL, "REQUESTS_TIMEOUT": (3, 20)}

    assert found() == {}


def test_answers_that_nobody_would_hear_are_missed(settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_INBOUND = "hello@in.shop.example"
    settings.ROOT_URLCONF = urlconf([OUR_PLACE, *rest_of_the_shop()])
    assert list(found()) == ["W080"]

    paste(found()["W080"], settings)
    assert found() == {}
