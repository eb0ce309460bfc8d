"""Each step of the installation forgotten, or done wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.conf import global_settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path, set_script_prefix
from oscar.apps.basket.middleware import BasketMiddleware

from .pasting import found, paste, paste_into_urls, urlconf

OUR_PLACE = path("cc/", include("oscar_crosschannel.urls"))
BASKET = "oscar.apps.basket.middleware.BasketMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"


class OwnBasketMiddleware(BasketMiddleware):  # type: ignore[misc]
    """As headless stores have it."""


def plain_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A middleware that is a function."""
    return get_response


def anything(request: HttpRequest, path: str) -> HttpResponse:
    return HttpResponse()


def rest_of_the_shop() -> list[Any]:
    oscar: Any = apps.get_app_config("oscar")
    return [
        path("i18n/", include("django.conf.urls.i18n")),
        path("admin/", admin.site.urls),
        path("", include(oscar.urls[0])),
    ]


def without(paths: list[str], path: str) -> list[str]:
    return [other for other in paths if other != path]


def test_an_app_behind_oscar_is_told_that_its_boxes_do_not_show(settings: Any) -> None:
    settings.INSTALLED_APPS = [*without(settings.INSTALLED_APPS, "oscar_crosschannel"), "oscar_crosschannel"]
    assert list(found()) == ["W013"]

    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    assert found() == {}


def test_the_order_is_mended_under_the_names_that_the_project_uses(settings: Any) -> None:
    others = without(settings.INSTALLED_APPS, "oscar_crosschannel")
    settings.INSTALLED_APPS = (*others, "oscar_crosschannel.apps.CrosschannelConfig")

    paste(found()["W013"], settings)

    position = settings.INSTALLED_APPS.index("oscar.config.Shop")
    assert settings.INSTALLED_APPS[position - 1] == "oscar_crosschannel.apps.CrosschannelConfig"
    assert found() == {}


def test_addresses_that_are_not_there_are_missed(settings: Any) -> None:
    settings.ROOT_URLCONF = urlconf(rest_of_the_shop())
    assert list(found()) == ["E009"]

    paste(found()["E009"], settings)
    assert found() == {}


@pytest.mark.parametrize("prefixed", [True, False])
def test_addresses_must_not_change_with_the_language(settings: Any, prefixed: bool) -> None:
    inside = i18n_patterns(OUR_PLACE, *rest_of_the_shop(), prefix_default_language=prefixed)
    settings.ROOT_URLCONF = urlconf(inside)
    finding = found()["E024"]
    assert list(found()) == ["E024"]
    assert "take the line out" in str(finding.hint)

    settings.ROOT_URLCONF = urlconf([*i18n_patterns(*rest_of_the_shop(), prefix_default_language=prefixed)])
    paste_into_urls(finding, settings)
    assert found() == {}


def test_addresses_that_another_pattern_takes_are_missed(settings: Any) -> None:
    settings.ROOT_URLCONF = urlconf([*rest_of_the_shop(), re_path(r"^(?P<path>.*)$", anything), OUR_PLACE])
    assert list(found()) == ["E025"]

    paste(found()["E025"], settings)
    assert found() == {}


@pytest.mark.parametrize("place", ["", "deep/"])
def test_addresses_may_be_anywhere(settings: Any, place: str) -> None:
    settings.ROOT_URLCONF = urlconf(
        [
            path(place, include([OUR_PLACE])),
            *i18n_patterns(*rest_of_the_shop()),
            re_path(r"^(?P<path>.*)$", anything),
        ]
    )

    assert found() == {}


def test_a_shop_below_a_path_is_no_fault(settings: Any) -> None:
    set_script_prefix("/shop/")
    try:
        assert found() == {}
    finally:
        set_script_prefix("/")


@pytest.mark.parametrize("kind", [list, tuple])
def test_visitors_without_a_basket_are_missed(settings: Any, kind: type) -> None:
    settings.MIDDLEWARE = kind(without(settings.MIDDLEWARE, BASKET))
    assert list(found()) == ["W023"]

    paste(found()["W023"], settings)
    assert found() == {}


def test_a_basket_middleware_of_the_stores_own_is_one(settings: Any) -> None:
    own = [f"{__name__}.OwnBasketMiddleware", f"{__name__}.plain_middleware"]
    settings.MIDDLEWARE = [*without(settings.MIDDLEWARE, BASKET), *own]

    assert found() == {}


def test_several_languages_need_somebody_to_choose(settings: Any) -> None:
    settings.MIDDLEWARE = without(settings.MIDDLEWARE, LOCALE)
    assert list(found()) == ["W028"]

    paste(found()["W028"], settings)
    assert settings.MIDDLEWARE.index(LOCALE) == 3, "after the session, before the common middleware"
    assert found() == {}


@pytest.mark.parametrize("languages", [[("en", "English")], global_settings.LANGUAGES])
def test_one_language_or_none_chosen_needs_nobody(settings: Any, languages: list[tuple[str, str]]) -> None:
    settings.MIDDLEWARE = without(settings.MIDDLEWARE, LOCALE)
    settings.LANGUAGES = languages

    assert found() == {}
