"""Everything the shop mounts with one `path("cc/", include("oscar_crosschannel.urls"))`.

Each address also works without its last slash: a redirect would lose a mailbox provider's POST,
and fail a webhook's signature.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from .web.confirm import confirm
from .web.join import join
from .web.join_texts import join_texts
from .web.order_texts import order_texts
from .web.parcel import parcel
from .web.preferences import account, preferences
from .web.recovery import recover
from .web.sign_up import sign_up
from .web.tracking import click
from .web.unsubscribe import unsubscribe
from .web.webhooks import twilio_inbound, twilio_status
from .web.why import why

app_name = "oscar_crosschannel"


def _either(route: str, view: Callable[..., HttpResponseBase], name: str) -> list[URLPattern]:
    return [path(f"{route}/", view, name=name), path(route, view)]


urlpatterns = [
    *_either("l/<slug:token>", click, "click"),
    *_either("r/<slug:token>", recover, "recover"),
    *_either("u/<slug:token>", unsubscribe, "unsubscribe"),
    *_either("c/<slug:token>", confirm, "confirm"),
    *_either("j/<slug:token>", join, "join"),
    *_either("preferences", account, "account"),
    *_either("p/<slug:token>", preferences, "preferences"),
    *_either("w/<slug:token>", why, "why"),
    *_either("sign-up", sign_up, "sign_up"),
    *_either("order-texts/<slug:token>", order_texts, "order_texts"),
    *_either("t/<slug:token>", join_texts, "join_texts"),
    *_either("parcel/<slug:token>", parcel, "parcel"),
    *_either("twilio/inbound", twilio_inbound, "twilio_inbound"),
    *_either("twilio/status/<uuid:uuid>", twilio_status, "twilio_status"),
]
