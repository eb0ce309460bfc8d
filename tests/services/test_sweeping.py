"""Searching the shop: each search is on its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from oscar_crosschannel.core.events import Event
from oscar_crosschannel.models import InboxEvent, Watermark
from oscar_crosschannel.oscar.shop import OscarShop
from oscar_crosschannel.services import dispatch, intake
from tests.factories import NOON

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


class Searches:
    """Two searches that note where they begin; one of them may be broken."""

    def __init__(self) -> None:
        self.began: dict[str, list[datetime]] = {"baskets": [], "stock": []}
        self.is_broken = False

    def baskets(self, since: datetime, now: datetime) -> Iterator[Event]:
        self.began["baskets"].append(since)
        if self.is_broken:
            raise RuntimeError("the basket of ada@example.com")
        yield Event(name="basket.active", key="basket:1:swept", occurred_at=now)

    def stock(self, since: datetime, now: datetime) -> Iterator[Event]:
        self.began["stock"].append(since)
        yield Event(name="stock.moved", key="product:1", occurred_at=now, data={"products": []})

    def __call__(self) -> dict[str, object]:
        return {"baskets": self.baskets, "stock": self.stock}


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    found = Searches()
    monkeypatch.setattr(OscarShop, "sweeps", found)
    Watermark.objects.create(name=intake.SWEEP, at=NOON - MINUTE)
    return found


def test_a_search_that_fails_stops_no_other_and_is_reported(
    searches: Searches, caplog: pytest.LogCaptureFixture
) -> None:
    searches.is_broken = True
    assert dispatch.tick(NOON).failed == ["sweep"]
    assert InboxEvent.objects.get().name == "stock.moved"
    assert "searching the shop for baskets failed" in caplog.text
    assert "ada@example.com" not in caplog.text


def test_a_search_that_failed_looks_again_from_where_it_was(searches: Searches) -> None:
    searches.is_broken = True
    for minutes in range(3):
        dispatch.tick(NOON + minutes * MINUTE)
    searches.is_broken = False
    assert not dispatch.tick(NOON + 3 * MINUTE).failed
    dispatch.tick(NOON + 4 * MINUTE)

    first, *_, last = searches.began["baskets"]
    assert searches.began["baskets"] == [first] * 4 + [last]
    others = searches.began["stock"]
    assert others == sorted(set(others)), "the other search does not look at anything twice"
    assert (first, last) == (others[0], others[-1])
    assert not intake.behind().exists()


def test_a_search_that_the_store_has_no_more_is_not_waited_for(searches: Searches) -> None:
    Watermark.objects.create(name=f"{intake.BEHIND}wish lists", at=NOON - MINUTE)
    assert not dispatch.tick(NOON).failed
    assert not intake.behind().exists()
