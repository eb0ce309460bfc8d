"""The app stands where Oscar and the shop's visitors find it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import global_settings, settings as django_settings
from django.core.checks import CheckMessage, Info, Tags, register
from django.db import DatabaseError
from django.urls import (
    NoReverseMatch,
    Resolver404,
    URLResolver,
    get_resolver,
    get_script_prefix,
    resolve,
    reverse,
)
from django.urls.resolvers import LocalePrefixPattern
from django.utils.module_loading import import_string

from ..conf import settings
from ..oscar import texts
from .findings import TAG, AppConfigs, caution, error, may_ask, written

_BASKET_MIDDLEWARE = "oscar.apps.basket.middleware.BasketMiddleware"
_LOCALE_MIDDLEWARE = "django.middleware.locale.LocaleMiddleware"
_COMMON_MIDDLEWARE = "django.middleware.common.CommonMiddleware"
_LINK = "oscar_crosschannel:click"


@register(TAG)
def check_order(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """The app comes before Oscar: Django takes the first template of a name."""
    if not settings.TEMPLATE_INJECTION or not stands_after_oscar():
        return []
    entries = dict(zip(_labels(), django_settings.INSTALLED_APPS, strict=True))
    ours, oscars = written(entries["oscar_crosschannel"]), written(entries["oscar"])
    return [
        caution(
            13,
            "oscar_crosschannel comes after Oscar in INSTALLED_APPS: its consent boxes do not show.",
            f"# Better: move the line {ours} to just before {oscars}.\n"
            f"INSTALLED_APPS = [app for app in INSTALLED_APPS if app != {ours}]\n"
            f"INSTALLED_APPS.insert(INSTALLED_APPS.index({oscars}), {ours})",
        )
    ]


@register(TAG)
def check_urls(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Links in messages and providers' calls reach the app, in any language."""
    try:
        address = reverse(_LINK, args=["token"])
    except NoReverseMatch:
        message = "The addresses of this app are not in the URLconf: no link in a message would work."
        return [error(9, message, _urls_hint(""))]
    if _has_language_prefix():
        message = (
            "The addresses of this app are inside i18n_patterns: links would change with the language, and "
            "providers would be redirected."
        )
        return [error(24, message, _urls_hint(": take the line out of i18n_patterns(…), and"))]
    if not _is_reached(address):
        message = f"Another pattern takes {address}: no link in a message would work."
        return [error(25, message, _urls_hint(": move the line to the front"))]
    return []


@register(TAG)
def check_middleware(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Visitors have a basket, and their language."""
    found = []
    if not _has_middleware(_BASKET_MIDDLEWARE):
        found.append(
            caution(
                23,
                "Oscar's basket middleware is missing: a basket can neither be filled nor restored by a link.",
                f"MIDDLEWARE = [*MIDDLEWARE, {written(_BASKET_MIDDLEWARE)}]",
            )
        )
    if _is_multilingual() and not _has_middleware(_LOCALE_MIDDLEWARE):
        found.append(
            caution(
                28,
                f"The shop has several LANGUAGES but no LocaleMiddleware: everybody is written to in "
                f"{django_settings.LANGUAGE_CODE!r}.",
                _locale_hint(),
            )
        )
    return found


@register(TAG)
def check_oscars_links(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Oscar's own emails lead to where the shop is."""
    if not django_settings.SECURE_SSL_REDIRECT or getattr(django_settings, "OSCAR_URL_SCHEMA", "") != "http":
        return []
    return [
        caution(
            16,
            "Oscar writes http links into its own emails although the shop redirects to https.",
            'OSCAR_URL_SCHEMA = "https"',
        )
    ]


@register(TAG, Tags.database)
def check_oscars_texts(
    app_configs: AppConfigs, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Nobody wrote words for a text that Oscar cannot send: it raises where the customer has just paid."""
    if not may_ask(databases) or texts.can_be_sent():
        return []
    try:
        codes = texts.written()
    except DatabaseError:  # before the first migration
        return []
    if not codes:
        return []
    return [
        caution(
            30,
            f"Oscar has words for a text ({', '.join(codes)}) and cannot send texts: customers with an account "
            "see an error at that moment, after an order too.",
            "# in python manage.py shell\n"
            "from oscar.core.loading import get_model\n"
            f'get_model("communication", "CommunicationEventType").objects.filter(code__in={codes!r})'
            '.update(sms_template="")',
        )
    ]


@register(TAG, deploy=True)
def check_guests(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Worth a thought, and no fault: said by `check --deploy` only."""
    if getattr(django_settings, "OSCAR_ALLOW_ANON_CHECKOUT", False):
        return []
    return [
        Info(
            "Guests cannot check out, so only customers with an account are reminded of their baskets.",
            hint="OSCAR_ALLOW_ANON_CHECKOUT = True",
            id=f"{TAG}.I029",
        )
    ]


def stands_after_oscar() -> bool:
    """Whether Oscar's templates hide the app's."""
    labels = _labels()
    return "oscar" in labels and labels.index("oscar") < labels.index("oscar_crosschannel")


def _labels() -> list[str]:
    """In the order of INSTALLED_APPS."""
    return [config.label for config in apps.get_app_configs()]


def _urls_hint(what_else: str) -> str:
    return (
        f"# in {django_settings.ROOT_URLCONF}{what_else}\n"
        "from django.urls import include, path\n"
        'urlpatterns = [path("cc/", include("oscar_crosschannel.urls")), *urlpatterns]'
    )


def _has_language_prefix() -> bool:
    return any(
        isinstance(entry.pattern, LocalePrefixPattern) and _holds_ours(entry)
        for entry in get_resolver().url_patterns
    )


def _holds_ours(entry: Any) -> bool:
    if not isinstance(entry, URLResolver):
        return False
    return entry.app_name == "oscar_crosschannel" or any(map(_holds_ours, entry.url_patterns))


def _is_reached(address: str) -> bool:
    try:
        match = resolve("/" + address.removeprefix(get_script_prefix()))
    except Resolver404:
        return False
    return match.view_name == _LINK


def _has_middleware(path: str) -> bool:
    """Whether this middleware is there, or one made of it."""
    return any(path in _ancestry(own) for own in django_settings.MIDDLEWARE)


def _ancestry(path: str) -> set[str]:
    try:
        middleware = import_string(path)
    except ImportError:  # Django will not start, and says why
        return {path}
    kinds = middleware.__mro__ if isinstance(middleware, type) else (middleware,)
    return {path, *(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)}


def _is_multilingual() -> bool:
    """Whether the project chose languages; Django's list of all of them is nobody's choice."""
    chosen = list(django_settings.LANGUAGES)
    return django_settings.USE_I18N and len(chosen) > 1 and chosen != list(global_settings.LANGUAGES)


def _locale_hint() -> str:
    """After the session, before what answers with redirects."""
    ours = written(_LOCALE_MIDDLEWARE)
    if _COMMON_MIDDLEWARE in django_settings.MIDDLEWARE:
        return (
            "MIDDLEWARE = [*MIDDLEWARE]\n"
            f"MIDDLEWARE.insert(MIDDLEWARE.index({written(_COMMON_MIDDLEWARE)}), {ours})"
        )
    return f"MIDDLEWARE = [*MIDDLEWARE, {ours}]"
