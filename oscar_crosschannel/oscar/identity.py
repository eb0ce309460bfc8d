"""Who a visitor, an account or an order is: addresses, name, language and place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import get_language
from oscar.core.loading import get_class

from ..core.events import OLD, ConsentAnswer, Event

CheckoutSessionData = get_class("checkout.utils", "CheckoutSessionData")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is known of a person at one moment. Empty fields are unknown."""

    user_id: int | None = None
    email: str = ""
    phone: str = ""  #: E.164, or as it was typed
    name: str = ""  #: first name
    language: str = ""
    country: str = ""  #: ISO 3166-1 alpha-2
    region: str = ""  #: state or province, as it was typed

    @property
    def is_known(self) -> bool:
        """Whether this leads to a contact. A phone alone does not: it may have changed hands."""
        return bool(self.user_id or self.email)

    def event(
        self,
        name: str,
        key: str,
        *,
        at: datetime,
        subjects: Mapping[str, int] | None = None,
        answers: tuple[ConsentAnswer, ...] = (),
        is_old: bool = False,
    ) -> Event:
        """Something this person did, or heard of something older (`is_old`): what is known since counts then."""
        profile = {
            "name": self.name,
            "language": self.language,
            "country": self.country,
            "region": self.region,
        }
        return Event(
            name=name,
            key=key,
            occurred_at=at,
            user_id=self.user_id,
            email=self.email,
            phone=self.phone,
            subjects=subjects or {},
            data={field: value for field, value in profile.items() if value}
            | ({OLD: True} if is_old else {}),
            answers=answers,
        )


def of_user(user: Any) -> Identity:
    """An account. A custom user model may lack names."""
    return Identity(
        user_id=user.pk,
        email=user.email or "",
        name=getattr(user, "first_name", "") or "",
        language=language_of_page(),
    )


def of_visitor(request: HttpRequest, *, email: str = "") -> Identity:
    """Who is browsing: the account, else what a guest has typed in the checkout so far.

    Asks the database nothing: user and session are loaded whenever Oscar has loaded the basket.
    """
    if request.user.is_authenticated:
        return of_user(request.user)
    checkout = _checkout_data(request)
    address = checkout.get("shipping", {}).get("new_address_fields") or {}
    return Identity(
        email=email or guest_email(request),
        phone=address.get("phone_number") or "",
        name=address.get("first_name") or "",
        language=language_of_page(),
        country=address.get("country_id") or "",
        region=address.get("state") or "",
    )


def guest_email(request: HttpRequest) -> str:
    """The address a guest typed at the gateway; nobody has verified it."""
    return _checkout_data(request).get("guest", {}).get("email") or ""


def of_order(order: Any, user: Any = None, *, language: str = "") -> Identity:
    """Who bought. `user` spares the query for `order.user` where the caller has it.

    An order does not know its language. Only who handles the buyer's own request may give the one of
    the page: orders are also changed by staff, and by payment providers.
    """
    if user is None or not user.is_authenticated:
        user = order.user
    address = order.shipping_address
    phone = address.phone_number if address else None
    return Identity(
        user_id=user.pk if user else None,
        email=(user.email if user else order.guest_email) or "",
        phone=phone.as_e164 if phone else "",
        name=(address.first_name if address else "") or "",
        language=language,
        country=(address.country_id if address else "") or "",
        region=(address.state if address else "") or "",
    )


def language_of_page() -> str:
    """The language in which the visitor's own request is answered."""
    return get_language() or ""


def _checkout_data(request: HttpRequest) -> Mapping[str, Any]:
    # Oscar's own reader would create the entry, and with it a session for every visitor. Behind an
    # API there may be no session at all.
    session = getattr(request, "session", {})
    data: Mapping[str, Any] = session.get(CheckoutSessionData.SESSION_KEY) or {}
    return data
