"""Text messages through Twilio's Messages API, with the official SDK.

There is no idempotency key on creating a message, so a call without a clear answer is an unknown
outcome: it is reconciled by its status callbacks, whose address carries the attempt's uuid, or by
`look_up`. Scheduling by `send_at` is not used: waiting is the engine's work, and opt-outs do not
cancel what is scheduled at the provider.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from ...conf import is_loopback, settings
from ...core.lifecycle import Status
from ...core.outbound import (
    ChannelError,
    Effect,
    NotSent,
    Outbound,
    Receipt,
    Refused,
    SenderBroken,
    UnknownOutcome,
)
from ...core.sms import segments
from .. import http_outcomes
from ..base import Found
from .base import SmsBackend
from .codes import Code, Outcome, code_of, status_of

log = logging.getLogger(__name__)

#: Seconds a message may wait at Twilio; the API takes 1 to 36000.
LONGEST_VALIDITY = 36_000
#: A call begins within the engine's lease after its attempt was recorded.
CALL_WITHIN = timedelta(minutes=5)


class TwilioBackend(SmsBackend):
    """Twilio, as `CROSSCHANNEL_TWILIO` says."""

    def __init__(self) -> None:
        self._clients = threading.local()  # `requests` does not promise sessions to be thread-safe

    def takes_replies(self) -> bool:
        """An alphanumeric sender is one-way."""
        config = settings.TWILIO
        sender = str(config.get("FROM", ""))
        return bool(config.get("MESSAGING_SERVICE_SID")) or not any(map(str.isalpha, sender))

    def sender(self) -> str:
        config = settings.TWILIO
        return str(config.get("MESSAGING_SERVICE_SID") or config.get("FROM") or "")

    def send(self, outbound: Outbound) -> Receipt:
        try:
            client, sender = self._client(), sender_of(settings.TWILIO)
        except ImproperlyConfigured as error:
            raise SenderBroken(str(error)) from error
        try:
            message = client.messages.create(
                to=outbound.recipient.address, body=outbound.content.text, **sender, **_options(outbound)
            )
        except TwilioException as error:
            raise _outcome(error) from error
        except requests.RequestException as error:
            raise _network_outcome(error) from error
        if not message.sid:
            raise UnknownOutcome("Twilio accepted the message without naming it.")
        # A messaging service answers "0": it has not chosen a sender yet.
        billed = _number(message, "num_segments") or segments(outbound.content.text).count
        return Receipt(provider="twilio", provider_id=message.sid, segments=billed)

    def look_up(self, uuid: UUID, provider_id: str, address: str, since: datetime) -> Found | None:
        """Ask for the message by its sid, or for the only one to `address` around `since`.

        Twilio does not give our uuid back, so without a sid an answer is only certain if exactly
        one message went to the number in the minutes in which the call can have begun. The caller
        must still refuse a sid that another attempt already has.
        """
        try:
            messages = self._client().messages
            if provider_id:
                return _found(messages(provider_id).fetch())
            begun = _created_in(messages.stream(to=address, page_size=50), since)
        except (
            ImproperlyConfigured,
            TwilioException,
            requests.RequestException,
            TypeError,
            ValueError,
        ) as error:
            log.warning("Twilio could not be asked about attempt %s: %s", uuid, type(error).__name__)
            return None
        return _found(begun[0]) if len(begun) == 1 else None

    def _client(self) -> Any:
        """This thread's client, built anew when the settings change."""
        config = dict(settings.TWILIO)
        if getattr(self._clients, "config", None) != config:
            self._clients.client, self._clients.config = client_of(config), config
        return self._clients.client


def client_of(config: Mapping[str, Any]) -> Any:
    """A client of the SDK for `config`, the setting `CROSSCHANNEL_TWILIO`.

    Raises `ImproperlyConfigured` if credentials are missing or `BASE_URL` is not allowed here.
    """
    account, token = config.get("ACCOUNT_SID"), config.get("AUTH_TOKEN")
    key, secret = config.get("API_KEY"), config.get("API_SECRET")
    if not account or not (token or (key and secret)):
        raise ImproperlyConfigured(
            "CROSSCHANNEL_TWILIO needs ACCOUNT_SID, and AUTH_TOKEN or API_KEY with API_SECRET."
        )
    _keep_numbers_out_of_logs()
    http = TwilioHttpClient(
        timeout=float(config.get("TIMEOUT", 10))
    )  # the SDK's own default is to wait forever
    client = (
        Client(key, secret, account, http_client=http)
        if key and secret
        else Client(account, token, http_client=http)
    )
    if base_url := config.get("BASE_URL"):
        _point_at(client, http, str(base_url))
    return client


def sender_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Who sends: the messaging service if there is one, else the number."""
    if service := config.get("MESSAGING_SERVICE_SID"):
        return {"messaging_service_sid": str(service)}
    if number := config.get("FROM"):
        return {"from_": str(number)}
    raise ImproperlyConfigured("CROSSCHANNEL_TWILIO needs MESSAGING_SERVICE_SID or FROM.")


def _point_at(client: Any, http: TwilioHttpClient, base_url: str) -> None:
    """Make `client` talk to a counterpart of Twilio, which must be this machine outside DEBUG."""
    if not (django_settings.DEBUG or is_loopback(urlsplit(base_url).hostname or "")):
        raise ImproperlyConfigured("CROSSCHANNEL_TWILIO: BASE_URL is for tests and must name this machine.")
    client.edge = client.region = None  # TWILIO_EDGE and TWILIO_REGION would be put into any host name
    http.session.trust_env = False  # and a proxy of the environment would get the request
    client.api.base_url = base_url.rstrip("/")


def _keep_numbers_out_of_logs() -> None:
    """At INFO the SDK logs every request with its parameters."""
    logger = logging.getLogger("twilio.http_client")
    if logger.getEffectiveLevel() < logging.WARNING:
        logger.setLevel(logging.WARNING)


def _options(outbound: Outbound) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if outbound.callback_url:
        options["status_callback"] = outbound.callback_url
    if outbound.valid_until:
        left = int((outbound.valid_until - outbound.now).total_seconds())
        options["validity_period"] = max(1, min(left, LONGEST_VALIDITY))
    return options


def _outcome(error: TwilioException) -> ChannelError:
    """What an HTTP error of the API says. 4xx: by the code table, then by the status."""
    status, code = _number(error, "status"), _number(error, "code")
    detail = str(getattr(error, "msg", "") or getattr(error, "title", "") or type(error).__name__)
    entry = code_of(code) if code and code != status else None
    name = str(code or status or "")
    if status == http_outcomes.TOO_MANY:
        return NotSent(detail, code=name, retry_after=entry.retry_after if entry else None)
    if not status or not 400 <= status < 500 or status == http_outcomes.REQUEST_TIMEOUT:
        return UnknownOutcome(detail, code=name)
    if entry and entry.known:
        return _outcome_of(entry, detail)
    if status in http_outcomes.BROKEN_SENDER:
        return SenderBroken(detail, code=name)
    return Refused(detail, code=name, alert=True)


def _outcome_of(entry: Code, detail: str) -> ChannelError:
    if entry.outcome is Outcome.NOT_SENT:
        return NotSent(detail, code=entry.code, retry_after=entry.retry_after)
    if entry.outcome is Outcome.SENDER_BROKEN:
        return SenderBroken(detail, code=entry.code, retry_after=entry.retry_after)
    if entry.outcome is Outcome.UNKNOWN:
        return UnknownOutcome(detail, code=entry.code)
    # A code that must come more than once proves nothing yet.
    effect = entry.effect if entry.times == 1 else Effect.NONE
    return Refused(detail, code=entry.code, effect=effect, alert=entry.alert)


def _network_outcome(error: requests.RequestException) -> ChannelError:
    detail = f"No answer from Twilio: {type(error).__name__}"
    return NotSent(detail) if http_outcomes.never_left(error) else UnknownOutcome(detail)


def _number(of: object, name: str) -> int | None:
    value = str(getattr(of, name, ""))
    return int(value) if value.isdecimal() else None


def _created_in(messages: Any, since: datetime) -> list[Any]:
    """The messages of our side that were created in the call's minutes; `messages` come newest first."""
    first = since.astimezone(UTC).replace(microsecond=0)  # Twilio's times have no fractions
    found = []
    for message in messages:
        if message.date_created < first:
            break
        if message.date_created <= first + CALL_WITHIN and str(message.direction).startswith("outbound"):
            found.append(message)
    return found


def _found(message: Any) -> Found:
    code = str(message.error_code or "")
    # It exists, so it was accepted, whatever a status word of the future may mean.
    return Found(provider_id=message.sid, status=status_of(message.status, code) or Status.QUEUED, code=code)
