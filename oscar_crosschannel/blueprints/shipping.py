"""What becomes of a parcel: one message each, by text, and by email only to whom no text can go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, gettext_lazy as _, gettext_noop

from ..core.facts import EMAIL, SMS
from ..core.plan import After, Blueprint, Context, On, Run, send
from ..oscar import parcels


class _OfAParcel(Blueprint):
    """News of a parcel, which nobody needs a day later."""

    topic = "order_updates"
    priority = 10
    kind: ClassVar[str]
    happened: ClassVar[str]  #: for the page "Why did I get this?"
    glossary = {
        "order": _("Number of the order"),
        "items": _("The things it is about"),
        "items.title": _("Name of a thing"),
        "items.quantity": _("How many of it"),
        "contents": _("The same in a few words, for texts"),
        "count": _("How many pieces it is about"),
        "total": _("How many pieces the order has, without those that were cancelled"),
        "parcel": _("The how many-th parcel of the order it is"),
        "last": _("Whether it is the last of several"),
        "under_way": _("Whether what is late was on its way already"),
        "carrier": _("Name of the carrier; empty if nobody wrote one"),
        "tracking_number": _("The carrier’s number for it; empty if nobody wrote one"),
        "is_followed": _("Whether the carrier has a page for it"),
        "links.parcel": _("Leads to the carrier’s page for the parcel, or else to the order"),
        "links.order": _("Leads to the order"),
    }

    news = send(SMS, EMAIL, at=After(minutes=0), expires=After(hours=24))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        language = {run.message_id: run.language for run in runs}
        found = parcels.news(runs, self.kind)
        return {pk: parcels.in_language(parcel, language[pk]) for pk, parcel in found.items()}

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        """It was not taken back, and nothing newer is known of the same things."""
        return set(parcels.news(runs, self.kind))

    def occasion(self, run: Run) -> str:
        return gettext(self.happened) % {"day": date_format(localtime(run.anchor), "DATE_FORMAT")}

    def example(self) -> Context:
        things = [(gettext("Earl Grey"), 1), (gettext("Blue teapot"), 1)]
        return Context(
            values={
                "order": "100023",
                "items": [{"title": title, "quantity": count} for title, count in things],
                "contents": parcels.contents(things),
                "count": 2,
                "total": 3,
                "parcel": 1,
                "last": False,
                "under_way": False,
                "carrier": "UPS",
                "tracking_number": "1Z999AA10123456784",
                "is_followed": True,
            },
            links={"parcel": "/", "order": "/"},
        )


class ParcelShipped(_OfAParcel):
    """A parcel is on its way"""

    kind = parcels.SHIPPED
    happened = gettext_noop("Something you ordered was sent to you on %(day)s.")
    start = On("parcel.shipped")


class ParcelDelivered(_OfAParcel):
    """A parcel was delivered"""

    kind = parcels.DELIVERED
    happened = gettext_noop("Something you ordered was delivered on %(day)s.")
    start = On("parcel.delivered")


class ParcelDelayed(_OfAParcel):
    """A parcel is late"""

    kind = parcels.DELAYED
    happened = gettext_noop("On %(day)s it turned out that something you ordered would come later.")
    start = On("parcel.delayed")


class ParcelCancelled(_OfAParcel):
    """Something ordered does not come"""

    kind = parcels.CANCELLED
    happened = gettext_noop("Something you ordered was cancelled on %(day)s.")
    start = On("parcel.cancelled")


#: All of them.
SHIPPING: tuple[type[Blueprint], ...] = (ParcelShipped, ParcelDelivered, ParcelDelayed, ParcelCancelled)
