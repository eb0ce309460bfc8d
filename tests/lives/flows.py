"""Flows for lives: each says little, and together they say it in every way there is."""

from __future__ import annotations

from datetime import timedelta

from oscar_crosschannel import After, Blueprint, On, send
from tests.factories import registered

#: What a flow and a campaign may both say; people hear it once.
SALE = "the autumn sale"


@registered
class LivesDeals(Blueprint):
    """This week's deals: a text, or else an email; two days later once more"""

    topic = "weekly_deals"
    start = On("lives.deals")

    first = send("sms", "email", at=After(minutes=0), expires=After(hours=40))
    again = send("email", "sms", at=After(hours=48), expires=After(hours=90))


@registered
class LivesSale(Blueprint):
    """A promotion that campaigns make, too"""

    topic = "weekly_deals"
    start = On("lives.sale")
    priority = 60

    only = send("email", "sms", at=After(hours=2), patience=timedelta(hours=3), intent=SALE)


@registered
class LivesNews(Blueprint):
    """What campaigns send"""

    topic = "weekly_deals"
    start = On("lives.news")
    priority = 90

    only = send("email", "sms", at=After(minutes=0))


@registered
class LivesParcel(Blueprint):
    """A word about an order: a text, or else an email"""

    topic = "order_updates"
    start = On("lives.parcel")
    priority = 10

    only = send("sms", "email", at=After(minutes=5), expires=After(hours=30))


FLOWS = (LivesDeals, LivesSale, LivesNews, LivesParcel)
