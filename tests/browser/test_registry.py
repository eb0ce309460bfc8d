"""No page of ours goes unseen: every address is in the list of pages, or among those that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import RequestFactory
from django.urls import URLPattern

from oscar_crosschannel import urls
from sandbox.shop.outbox import urls as outbox_urls
from tests.browser.pages import NO_PAGES, PAGES, STOREFRONT

#: Django's own, to which no page of ours leads.
STOCK_VIEWS = ("history",)


def addresses() -> Iterator[str]:
    """Names of everything that we answer."""
    yield from (f"{urls.app_name}:{pattern.name}" for pattern in urls.urlpatterns if pattern.name)
    yield from (str(pattern.name) for pattern in outbox_urls.urlpatterns)
    for model in apps.get_app_config(urls.app_name).get_models():
        if model_admin := admin.site._registry.get(model):
            yield from (f"admin:{name}" for name in admin_addresses(model_admin))


def admin_addresses(model_admin: Any) -> Iterator[str]:
    """Names of a model's pages in the admin, without those that it refuses to everybody."""
    request = RequestFactory().get("/")
    request.user = get_user_model()(is_active=True, is_superuser=True)
    refused = set(STOCK_VIEWS)
    refused |= {"add"} if not model_admin.has_add_permission(request) else set()
    refused |= {"delete"} if not model_admin.has_delete_permission(request) else set()
    for pattern in model_admin.get_urls():
        if (
            isinstance(pattern, URLPattern)
            and pattern.name
            and pattern.name.rpartition("_")[2] not in refused
        ):
            yield pattern.name


def test_every_address_of_ours_is_a_page_or_named_as_none() -> None:
    seen = {view for page in PAGES for view in page.views}
    assert set(addresses()) == seen | set(NO_PAGES)
    assert not seen & set(NO_PAGES)


def test_every_page_has_a_name_of_its_own() -> None:
    assert len({page.name for page in PAGES}) == len(PAGES)


def test_every_page_of_oscars_that_we_change_is_looked_at() -> None:
    ours = Path(apps.get_app_config(urls.app_name).path, "templates")
    changed = {str(path.relative_to(ours)) for path in (ours / "oscar").rglob("*.html")}
    assert {page.template for page in STOREFRONT} == changed
