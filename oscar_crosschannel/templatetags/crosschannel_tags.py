"""`{% load crosschannel_tags %}`: the consent boxes in a store's own templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from ..conf import settings
from ..oscar import forms
from ..oscar.safety import safe

register = template.Library()


@register.inclusion_tag("oscar_crosschannel/elements/consent.html", takes_context=True)
def crosschannel_consent(context: Context, form: str = "") -> dict[str, Any]:
    """The consent boxes that are still open for this visitor; nothing when there are none.

    Put it inside the form, or anywhere on the page with the `id` of the form:
    `{% crosschannel_consent form="place_order_form" %}`.
    """
    shown: dict[str, Any] = {"boxes": []}
    with safe("consent boxes"):
        shown |= _fieldset(context, form)
    return shown


@register.simple_tag
def crosschannel_injection() -> bool:
    """Whether the app's own versions of Oscar's templates show its boxes by themselves."""
    return bool(settings.TEMPLATE_INJECTION)


def _fieldset(context: Context, form: str) -> dict[str, Any]:
    request = context["request"]
    boxes = forms.open_boxes(request)
    delivery_phone = getattr(context.get("shipping_address"), "phone_number", None)
    return {
        "boxes": boxes,
        "shown_field": forms.SHOWN_FIELD,
        "shown": forms.shown_marker(boxes),
        "phone_field": forms.PHONE_FIELD,
        "phone": forms.typed_phone(request) or delivery_phone or "",
        "form": form,
    }
