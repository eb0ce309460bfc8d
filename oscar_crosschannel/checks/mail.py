"""The way of email to its provider, and of bounces and complaints back."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from anymail.exceptions import AnymailInsecureWebhookWarning
from anymail.utils import get_anymail_setting
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.module_loading import import_string

from ..conf import settings
from .findings import TAG, AppConfigs, caution, with_entries

_BACKENDS, _WEBHOOKS = "anymail.backends.", "anymail.webhooks."
#: Seconds that a call of the provider may last: Anymail's own default.
_TIMEOUT = 30


@register(TAG)
def check_webhooks(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Bounces, complaints and clicks find their way back, and nobody else's do."""
    provider = _provider()
    if not provider or find_spec(f"{_WEBHOOKS}{provider}") is None:
        return []
    try:
        address = reverse(f"anymail:{provider}_tracking_webhook")
    except NoReverseMatch:
        return [
            caution(
                34,
                "Anymail's webhooks are not in the URLconf: bounces and complaints stay unknown, and mail "
                "goes on to people who complained.",
                _urls(),
            )
        ]
    return [_open_to_anyone(address)] if _is_open_to_anyone(address) else []


@register(TAG)
def check_inbound(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Answers that the shop asks for arrive somewhere."""
    if not settings.EMAIL_INBOUND:
        return []
    try:
        reverse("anymail:postmark_inbound_webhook")  # Anymail has all providers' or none
    except NoReverseMatch:
        return [
            caution(
                80,
                "CROSSCHANNEL_EMAIL_INBOUND asks for answers, and Anymail's webhooks are not in the URLconf: "
                "nobody would hear who answers, or unsubscribes by mail.",
                _urls(),
            )
        ]
    return []


@register(TAG)
def check_bulk(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """One message, one recipient, and metadata of its own: what comes back must be told apart."""
    if _provider() != "postmark" or not get_anymail_setting(
        "use_bulk_api", esp_name="Postmark", default=False
    ):
        return []
    return [
        caution(
            36,
            "Postmark's bulk API gives all recipients of a batch the metadata of the last one: what comes back "
            "would be credited to the wrong message.",
            with_entries("ANYMAIL", POSTMARK_USE_BULK_API=False),
        )
    ]


@register(TAG)
def check_time_outs(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """A provider that does not answer releases the worker before its lease is over."""
    lease = settings.LEASE.total_seconds()
    return [
        caution(
            37,
            f"A silent provider would hold the worker for longer than the lease of a message ({lease:.0f} s): "
            f"{name} is {seconds!r}.",
            hint,
        )
        for name, seconds, hint in _time_outs()
        if any(
            part is None or part >= lease for part in (seconds if isinstance(seconds, tuple) else [seconds])
        )
    ]


def _urls() -> str:
    return (
        f"# in {django_settings.ROOT_URLCONF}\nfrom django.urls import include, path\n"
        'urlpatterns = [path("anymail/", include("anymail.urls")), *urlpatterns]'
    )


def _time_outs() -> Iterator[tuple[str, Any, str]]:
    if _provider():
        seconds = get_anymail_setting("requests_timeout", default=_TIMEOUT)
        yield "REQUESTS_TIMEOUT of Anymail", seconds, with_entries("ANYMAIL", REQUESTS_TIMEOUT=_TIMEOUT)
    if django_settings.EMAIL_TIMEOUT is not None:  # None: the app takes its own
        yield "EMAIL_TIMEOUT", django_settings.EMAIL_TIMEOUT, f"EMAIL_TIMEOUT = {_TIMEOUT}"
    if "TIMEOUT" in settings.TWILIO:
        hint = with_entries("CROSSCHANNEL_TWILIO", TIMEOUT=10)
        yield "TIMEOUT of CROSSCHANNEL_TWILIO", settings.TWILIO["TIMEOUT"], hint


def _provider() -> str:
    """Anymail's module of the email provider, "postmark" or "amazon_ses"; empty with other backends."""
    try:
        backend = import_string(settings.EMAIL_BACKEND or django_settings.EMAIL_BACKEND)
    except ImportError:  # has a finding of its own, or Django's own error
        return ""
    modules = [kind.__module__ for kind in backend.__mro__ if kind.__module__.startswith(_BACKENDS)]
    return modules[0].removeprefix(_BACKENDS) if modules else ""


def _is_open_to_anyone(address: str) -> bool:
    """As Anymail sees it: some providers sign what they send, for others there must be a password."""
    view: Any = resolve(address).func
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            view.view_class(**view.view_initkwargs)
        except ImproperlyConfigured:
            return False  # the view needs a key, and will say so
    return any(issubclass(warning.category, AnymailInsecureWebhookWarning) for warning in caught)


def _open_to_anyone(address: str) -> CheckMessage:
    secret = f"{secrets.token_hex(8)}:{secrets.token_hex(16)}"
    host = urlsplit(settings.BASE_URL).netloc or "shop.example"
    return caution(
        35,
        "Anymail's webhooks have no password: anybody could tell the shop that an address bounced.",
        f"# and tell the provider: https://{secret}@{host}{address}\n"
        + with_entries("ANYMAIL", WEBHOOK_SECRET=secret),
    )
