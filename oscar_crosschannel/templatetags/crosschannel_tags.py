"""`{% load crosschannel_tags %}`: what the app shows in a store's own templates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from django import template
from django.db import transaction
from django.template import Context
from django.urls import NoReverseMatch, reverse

from ..conf import settings
from ..oscar import forms, order_texts, security, sign_ups
from ..oscar.safety import safe

register = template.Library()


@register.inclusion_tag("oscar_crosschannel/elements/consent.html", takes_context=True)
def crosschannel_consent(context: Context, form: str = "") -> dict[str, Any]:
    """The consent boxes that are still open for this visitor; nothing when there are none.

    Put it inside the form, or anywhere on the page with the `id` of the form:
    `{% crosschannel_consent form="place_order_form" %}`.
    """
    shown: dict[str, Any] = {"question": forms.Question()}
    with safe("consent boxes"):
        shown |= _fieldset(context, form)
    return shown


@register.inclusion_tag("oscar_crosschannel/elements/sign_up.html", takes_context=True)
def crosschannel_sign_up(context: Context) -> dict[str, Any]:
    """A form to sign up for messages, for any page of the shop: `{% crosschannel_sign_up %}`.

    One statement, in a savepoint. Nothing in a store that does not mount our addresses.
    """
    shown: dict[str, Any] = {"csrf_token": context.get("csrf_token"), "prefix": "cc_sign_up"}
    with safe("sign-up form"), transaction.atomic():
        request = context["request"]
        shown |= {"form": sign_ups.blank(request), "back": request.path}
    return shown


@register.inclusion_tag("oscar_crosschannel/elements/order_texts.html", takes_context=True)
def crosschannel_order_texts(context: Context) -> dict[str, Any]:
    """“Text me when it ships”, for the page that thanks for `order`; nothing if that was answered before."""
    shown: dict[str, Any] = {"csrf_token": context.get("csrf_token")}
    with safe("box for texts about the order"), transaction.atomic():
        request = context["request"]
        shown |= {"offer": order_texts.offer(request, context["order"]), "back": request.path}
    return shown


@register.inclusion_tag("oscar_crosschannel/elements/account_tab.html", takes_context=True)
def crosschannel_account_tab(context: Context) -> dict[str, Any]:
    """The link to the preference center, for the list of pages of an account.

    Nothing in a store that does not mount our addresses.
    """
    shown: dict[str, Any] = {"is_active": context.get("active_tab") == "crosschannel"}
    with suppress(NoReverseMatch):
        shown["url"] = reverse("oscar_crosschannel:account")
    return shown


@register.simple_tag
def crosschannel_injection() -> bool:
    """Whether the app's own versions of Oscar's templates show its boxes by themselves."""
    return bool(settings.TEMPLATE_INJECTION)


@register.simple_tag(takes_context=True)
def crosschannel_tells_of_password(context: Context) -> bool:
    """Whether a flow mails that `user` has a new password, so that Oscar's own email need not."""
    is_told = False
    with safe("asking who tells of a changed account"), transaction.atomic():
        is_told = security.is_password_told(context["user"].pk)
    return is_told and bool(settings.TEMPLATE_INJECTION)


def _fieldset(context: Context, form: str) -> dict[str, Any]:
    delivery = context.get("shipping_address")
    question = forms.open_question(context["request"], country=getattr(delivery, "country_id", "") or "")
    phone = question.phone or getattr(delivery, "phone_number", None) or ""
    return {"question": replace(question, phone=phone), "form": form, "prefix": "id_cc"}
