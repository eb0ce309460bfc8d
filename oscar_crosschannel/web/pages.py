"""Small pages that work in any shop: no log-in, no script, nothing fetched from elsewhere."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils import translation

from ..conf import settings


def page(name: str, *, language: str = "", status: int = 200, **context: Any) -> HttpResponse:
    """The template `oscar_crosschannel/<name>.html`, in `language` or else the visitor's.

    Rendered without the request, so that the shop's context processors cost it no query and
    cannot break it.
    """
    with translation.override(language or translation.get_language()):
        html = render_to_string(
            f"oscar_crosschannel/{name}.html",
            {"brand": settings.BRAND, "homepage_url": settings.BASE_URL or "/", **context},
        )
    return HttpResponse(html, status=status)


def unknown_link() -> HttpResponse:
    """For a link that was cut off, or made up."""
    return page("unknown_link", status=404)
