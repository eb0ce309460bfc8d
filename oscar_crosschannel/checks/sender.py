"""Who speaks: what messages say of their sender, and where their links lead."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.http.request import split_domain_port, validate_host
from django.template import TemplateDoesNotExist, TemplateSyntaxError

from ..conf import is_loopback, settings
from ..core.facts import SMS
from ..services import copies, wording_versions, wordings
from ..services.wordings import SMS_KEYWORD
from .findings import TAG, AppConfigs, caution, error, serious, written

#: How the app's own words begin, by the box that they stand beside.
_BEGINNINGS = {
    SMS: "I agree to receive recurring automated marketing text messages ({{ topics }}) from {{ brand }} at the "
    "number provided.",
    SMS_KEYWORD: "By texting this word you agree to receive recurring automated marketing text messages "
    "({{ topics }}) from {{ brand }} at the number you text from.",
}
_REST = (
    "Consent is not a condition of purchase. Message frequency varies (up to {{ frequency }}/month). "
    "Message and data rates may apply. Reply STOP to cancel, HELP for help. "
    "Terms: {{ terms_url }} Privacy: {{ privacy_url }}"
)
#: Where the guide leaves a value to the reader.
_UNFILLED = "…"
#: Django's, which no mailbox provider takes.
_NO_SENDER = "webmaster@localhost"
_SETTINGS_OF_LINKS = ("TERMS_URL", "PRIVACY_URL")


@register(TAG)
def check_shop(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The shop has an address and a name, and remembers who said stop."""
    found: list[CheckMessage] = []
    if problem := _base_url_problem():
        found.append(
            serious(
                4,
                f"CROSSCHANNEL_BASE_URL {problem}. Links in emails and texts are built from it.",
                f"CROSSCHANNEL_BASE_URL = {written(_likely_base_url())}",
            )
        )
    elif not _answers_for(urlsplit(settings.BASE_URL).netloc):
        host = urlsplit(settings.BASE_URL).hostname
        found.append(
            caution(
                33,
                f"Links in messages lead to {host}, which ALLOWED_HOSTS turns away.",
                f"ALLOWED_HOSTS = [*ALLOWED_HOSTS, {written(host)}]",
            )
        )
    if not settings.BRAND:
        found.append(
            serious(
                5,
                "The shop has no name: neither OSCAR_SHOP_NAME nor CROSSCHANNEL_BRAND is set. No marketing text "
                "is sent without the name of its sender.",
                'CROSSCHANNEL_BRAND = "Example Shop"',
            )
        )
    if not django_settings.DEBUG and (not settings.ADDRESS_KEY or _UNFILLED in settings.ADDRESS_KEY):
        found.append(
            caution(
                14,
                "CROSSCHANNEL_ADDRESS_KEY has no value of its own. The suppression list is keyed with SECRET_KEY "
                "instead, or with what stands in the guide; changing either would forget who said stop.",
                "# A shop in which people have said stop already: the SECRET_KEY in use now, not this one.\n"
                f"CROSSCHANNEL_ADDRESS_KEY = {written(secrets.token_hex(32))}",
            )
        )
    return found


@register(TAG)
def check_email(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """All email has a sender, and what advertises one of its own and a postal address."""
    missing = [name for name in ("EMAIL_FROM_MARKETING", "POSTAL_ADDRESS") if not getattr(settings, name)]
    wrong = [
        name
        for name in ("EMAIL_FROM_MARKETING", "EMAIL_FROM_TRANSACTIONAL", "EMAIL_INBOUND")
        if (sender := getattr(settings, name)) and not _is_address(sender)
    ]
    found = []
    if missing:
        names = " and ".join(f"CROSSCHANNEL_{name}" for name in missing)
        found.append(
            caution(
                12,
                f"No marketing email will be sent: {names} not set.",
                "\n".join(_example(name) for name in missing),
            )
        )
    if not settings.EMAIL_FROM_TRANSACTIONAL and django_settings.DEFAULT_FROM_EMAIL == _NO_SENDER:
        found.append(
            caution(
                43,
                f"Emails about orders and accounts would be sent by {_NO_SENDER}: neither "
                "CROSSCHANNEL_EMAIL_FROM_TRANSACTIONAL nor DEFAULT_FROM_EMAIL is set.",
                _example("EMAIL_FROM_TRANSACTIONAL"),
            )
        )
    if wrong:
        names = " and ".join(f"CROSSCHANNEL_{name}" for name in wrong)
        found.append(
            error(31, f"{names}: this is no email address.", "\n".join(_example(name) for name in wrong))
        )
    return found


@register(TAG)
def check_consent_words(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """A box for texts shows what carriers ask for before they take a sender."""
    unset = [name for name in _SETTINGS_OF_LINKS if not getattr(settings, name)]
    if unset:
        names = " and ".join(f"CROSSCHANNEL_{name}" for name in unset)
        return [
            caution(
                32,
                f"The words beside the box for texts name no terms or no privacy policy: {names} not set. "
                "Carriers refuse such senders.",
                "\n".join(
                    f"CROSSCHANNEL_{name} = {written(f'{_likely_base_url()}/{name[:-4].lower()}/')}"
                    for name in unset
                ),
            )
        ]
    return list(_lacking_words())


def _lacking_words() -> Iterator[CheckMessage]:
    """What the shop's own versions of our files leave out, in any language it speaks."""
    for kind, beginning in _BEGINNINGS.items():
        lacking = {words: None for language in copies.languages() for words in _lacking(kind, language)}
        if lacking:
            yield caution(
                40,
                f"The words of consent/{kind}.txt lack {', '.join(lacking)}. Carriers refuse senders whose "
                "customers do not read that before they agree.",
                f"{{# in oscar_crosschannel/consent/{kind}.txt, your version of the words #}}\n{beginning} {_REST}",
            )


def _lacking(kind: str, language: str) -> Iterator[str]:
    try:
        words = wordings.shipped(kind, language).words
    except (ImproperlyConfigured, TemplateDoesNotExist, TemplateSyntaxError):
        return  # the pages with the box will say so
    for code in wordings.missing_phrases(kind, "", language, words):
        yield str(wording_versions.LACKING[code])


def _base_url_problem() -> str:
    base = settings.BASE_URL
    if not base:
        return "is not set"
    parts = urlsplit(base)
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or base != f"{parts.scheme}://{parts.netloc}"
    ):
        return f"must be a scheme and a host without a slash at the end, not {base!r}"
    if parts.scheme == "http" and not (django_settings.DEBUG and is_loopback(parts.hostname)):
        return "must begin with https://"
    return ""


def _likely_base_url() -> str:
    """The address of the shop, as far as the settings tell."""
    if django_settings.DEBUG:
        return "http://127.0.0.1:8000"
    base = urlsplit(settings.BASE_URL)
    public = [
        host for host in django_settings.ALLOWED_HOSTS if re.fullmatch(r"[\w-]+(\.[\w-]+)*\.[a-z]+", host)
    ]
    return f"https://{base.netloc or next(iter(public), 'shop.example')}"


def _answers_for(netloc: str) -> bool:
    if django_settings.DEBUG:
        return True  # Django has rules of its own there
    return validate_host(split_domain_port(netloc)[0], django_settings.ALLOWED_HOSTS)


def _example(name: str) -> str:
    brand = settings.BRAND or "Example Shop"
    host = urlsplit(_likely_base_url()).hostname
    host = "shop.example" if not host or is_loopback(host) else host
    value = {
        "EMAIL_FROM_MARKETING": f"{brand} <hello@news.{host}>",
        "EMAIL_FROM_TRANSACTIONAL": f"{brand} <orders@{host}>",
        "EMAIL_INBOUND": f"hello@in.{host}",
        "POSTAL_ADDRESS": f"{brand}, 1 High Street, 12345 Town",
    }[name]
    return f"CROSSCHANNEL_{name} = {written(value)}"


def _is_address(sender: str) -> bool:
    try:
        validate_email(parseaddr(sender)[1])
    except ValidationError:
        return False
    return True
