"""What becomes of an order is told once, whether by events, by statuses or by both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from oscar.apps.order.exceptions import InvalidShippingEvent
from oscar.core.loading import get_class, get_model
from oscar.test import factories

from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.sms import Encoding, segments
from oscar_crosschannel.models import Contact, InboxEvent, Message, ScheduledEvent
from oscar_crosschannel.oscar import parcels
from oscar_crosschannel.services import contacts, dispatch, inbox, links
from tests.services.stage import CHANNELS, Letters, Wires, letters, wires
from tests.web.forms import changed, parsed

EventHandler = get_class("order.processing", "EventHandler")
Order, Line = get_model("order", "Order"), get_model("order", "Line")
Product = get_model("catalogue", "Product")
ShippingEventType = get_model("order", "ShippingEventType")

pytestmark = [pytest.mark.django_db]
ADA, PHONE = "ada@example.com", "+12065550123"
#: A Tuesday, eleven in the morning in Seattle.
START = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
WHOLE = {"Earl Grey": 2, "Blue teapot": 1}


@dataclass
class Shop:
    """A shop with one order, of two packets of tea and a teapot, and a clock."""

    order: Any
    sms: Wires
    email: Letters
    traveller: Any
    now: datetime = START

    def wait(self, **delta: float) -> None:
        """Let time pass, with a tick when what has moved is understood, and one at the end."""
        end = self.now + timedelta(**delta)
        for moment in sorted({min(self.now + parcels.SETTLE, end), end} - {self.now}):
            self.now = moment
            self.traveller.move_to(moment, tick=False)
            dispatch.tick(moment)

    def report(self, quantities: dict[str, int], *, what: str = "Shipped", notes: str = "") -> Any:
        event_type, _ = ShippingEventType.objects.get_or_create(name=what)
        lines = list(self.order.lines.filter(title__in=quantities))
        counts = [quantities[line.title] for line in lines]
        return EventHandler().handle_shipping_event(self.order, event_type, lines, counts, reference=notes)

    def report_order(self, what: str) -> None:
        """As the admin does, without lines."""
        event_type, _ = ShippingEventType.objects.get_or_create(name=what)
        self.order.shipping_events.create(event_type=event_type)

    def set_lines(self, status: str, *titles: str) -> None:
        for line in self.order.lines.filter(title__in=titles):
            line.set_status(status)

    @property
    def texts(self) -> list[str]:
        return [outbound.content.text for outbound in self.sms.calls]

    @property
    def letters(self) -> list[str]:
        return [outbound.content.text for outbound in self.email.calls]


@pytest.fixture
def shop(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    settings.CROSSCHANNEL_CHANNELS = CHANNELS
    letters.cache_clear()
    wires.cache_clear()
    settings.CROSSCHANNEL_BASE_URL = "https://quillbrook.example"
    pipeline = {
        "Pending": ("Shipped", "Delayed", "Delivered", "Cancelled"),
        "Shipped": ("Delayed", "Delivered", "Pending"),
        "Delayed": ("Shipped", "Delivered"),
    }
    monkeypatch.setattr(Order, "pipeline", pipeline)
    monkeypatch.setattr(Line, "pipeline", pipeline)
    with time_machine.travel(START, tick=False) as traveller:
        yield Shop(make_order(), wires(), letters(), traveller)


def make_order(quantities: dict[str, int] = WHOLE, number: str = "100023") -> Any:
    basket = factories.create_basket(empty=True)
    for title, count in quantities.items():
        basket.add_product(factories.create_product(title=title, price=10, num_in_stock=9), count)
    order = factories.create_order(number=number, basket=basket)
    country = factories.CountryFactory(iso_3166_1_a2="US", iso_3166_1_a3="USA")
    order.shipping_address = factories.ShippingAddressFactory(phone_number=PHONE, country=country, state="WA")
    order.guest_email, order.user = ADA, None
    order.save()
    return order


def told(shop: Shop) -> list[str]:
    """What was texted, each in its first words after the shop's name."""
    return [text.removeprefix("Quillbrook: ").partition(" https://")[0] for text in shop.texts]


# It works.


def test_an_event_is_told_half_a_minute_later_with_what_is_in_the_parcel(shop: Shop) -> None:
    shop.report({"Earl Grey": 1})
    dispatch.tick(shop.now + timedelta(seconds=20))
    assert not shop.texts
    shop.wait(minutes=1)
    assert told(shop) == ["parcel 1 of your order 100023 is on its way, 1 of 3 items: Earl Grey."]
    assert not shop.letters


def test_pieces_of_one_line_in_two_parcels(shop: Shop) -> None:
    shop.report({"Earl Grey": 1})
    shop.report({"Earl Grey": 1, "Blue teapot": 1})
    shop.wait(minutes=1)
    assert told(shop) == [
        "parcel 1 of your order 100023 is on its way, 1 of 3 items: Earl Grey.",
        "the last parcel of your order 100023 is on its way, 2 of 3 items: Earl Grey, Blue teapot.",
    ]


def test_an_event_without_quantities_is_about_the_whole_order(shop: Shop) -> None:
    shop.report_order("Dispatched")
    shop.wait(minutes=1)
    assert told(shop) == ["your order 100023 is on its way."]


@pytest.mark.parametrize(
    ("what", "whole", "part"),
    [
        (
            "Delivered",
            "your order 100023 was delivered.",
            "delivered, 1 of 3 items of your order 100023: Blue teapot.",
        ),
        (
            "delayed",
            "your order 100023 takes longer than we thought. We are sorry, and tell you when it is on its way.",
            "sorry, 1 of 3 items of your order 100023 come later: Blue teapot.",
        ),
        (
            "CANCELED",
            "your order 100023 was cancelled.",
            "cancelled, 1 of 3 items of your order 100023: Blue teapot.",
        ),
    ],
)
def test_other_news_of_a_parcel_are_told_as_well(what: str, whole: str, part: str, shop: Shop) -> None:
    shop.report(WHOLE, what=what)
    shop.wait(minutes=1)
    shop.order = make_order(number="100024")
    shop.report({"Blue teapot": 1}, what=what)
    shop.wait(minutes=1)
    assert told(shop) == [whole, part.replace("100023", "100024")]


def test_statuses_of_lines_that_change_together_are_one_parcel(shop: Shop) -> None:
    shop.set_lines("Shipped", "Earl Grey", "Blue teapot")
    shop.wait(minutes=2)
    assert told(shop) == ["your order 100023 is on its way."]


def test_statuses_of_lines_that_change_apart_are_two(shop: Shop) -> None:
    shop.set_lines("Shipped", "Blue teapot")
    shop.wait(hours=1)
    shop.set_lines("Shipped", "Earl Grey")
    shop.wait(hours=1)
    assert told(shop) == [
        "parcel 1 of your order 100023 is on its way, 1 of 3 items: Blue teapot.",
        "the last parcel of your order 100023 is on its way, 2 of 3 items: 2 x Earl Grey.",
    ]


def test_what_was_cancelled_is_not_counted_among_what_is_to_come(shop: Shop) -> None:
    shop.report({"Blue teapot": 1}, what="Cancelled")
    shop.report({"Earl Grey": 2})
    shop.wait(minutes=1)
    assert sorted(told(shop)) == [
        "cancelled, 1 of 3 items of your order 100023: Blue teapot.",
        "your order 100023 is on its way.",
    ]


def test_what_is_left_of_a_line_is_told_when_it_ships(shop: Shop) -> None:
    shop.report({"Earl Grey": 1}, what="Cancelled")
    shop.wait(minutes=1)
    shop.order.set_status("Shipped")
    shop.wait(minutes=1)
    assert told(shop)[1:] == ["your order 100023 is on its way."]
    news = InboxEvent.objects.get(name="parcel.shipped").data
    assert (sum(news["pieces"].values()), news["total"]) == (2, 2)


def test_a_piece_that_shipped_is_told_though_the_other_was_cancelled(shop: Shop) -> None:
    shop.report({"Earl Grey": 1})
    shop.report({"Earl Grey": 1}, what="Cancelled")
    shop.wait(minutes=1)
    assert sorted(told(shop)) == [
        "cancelled, 1 of 3 items of your order 100023: Earl Grey.",
        "parcel 1 of your order 100023 is on its way, 1 of 2 items: Earl Grey.",
    ]


def test_a_piece_is_late_while_its_like_is_on_the_way(shop: Shop) -> None:
    shop.report({"Earl Grey": 1})
    shop.report({"Earl Grey": 1}, what="Delayed")
    shop.wait(minutes=1)
    assert told(shop)[1:] == ["sorry, 1 of 3 items of your order 100023 come later: Earl Grey."]


def test_an_order_may_be_late_before_it_is_sent_and_on_its_way(shop: Shop) -> None:
    for what in ("Delayed", "Shipped", "Delayed", "Delayed"):
        shop.report_order(what)
        shop.wait(minutes=1)
    assert [words.partition(".")[0] for words in told(shop)] == [
        "your order 100023 takes longer than we thought",
        "your order 100023 is on its way",
        "your order 100023 is on its way, but takes longer than we thought",
    ]


@pytest.mark.parametrize("first", ["Shipped", "Delayed"])
def test_by_its_statuses_too_an_order_may_be_late_before_it_is_sent_and_on_its_way(
    first: str, shop: Shop
) -> None:
    story = ("Delayed", "Shipped", "Delayed", "Shipped", "Delayed")
    for status in story[story.index(first) :]:
        shop.order.set_status(status)
        shop.wait(minutes=1)
    assert [words.partition(".")[0] for words in told(shop)] == [
        *(["your order 100023 takes longer than we thought"] if first == "Delayed" else []),
        "your order 100023 is on its way",
        "your order 100023 is on its way, but takes longer than we thought",
    ]


def test_a_line_that_was_sent_is_late_on_its_way(shop: Shop) -> None:
    for status in ("Shipped", "Delayed"):
        shop.set_lines(status, "Blue teapot")
        shop.wait(minutes=1)
    assert told(shop)[1:] == [
        "sorry, 1 of 3 items of your order 100023 are on their way, but late: Blue teapot."
    ]
    assert segments(shop.texts[-1]).count == 1


def test_a_delay_before_a_status_said_sent_is_another_than_the_one_after_it(shop: Shop) -> None:
    shop.report_order("Delayed")
    shop.wait(minutes=1)
    shop.order.set_status("Shipped")
    shop.wait(minutes=1)
    shop.report_order("Delayed")
    shop.wait(minutes=1)
    assert told(shop)[2].startswith("your order 100023 is on its way, but takes longer than we thought")


def test_what_is_late_after_one_parcel_is_the_rest(shop: Shop) -> None:
    shop.report({"Blue teapot": 1})
    shop.report_order("Delayed")
    shop.wait(minutes=1)
    assert told(shop)[1:] == ["sorry, 2 of 3 items of your order 100023 come later: 2 x Earl Grey."]


@pytest.mark.parametrize("reported", [("Blue teapot", "Earl Grey"), ("Earl Grey", "Blue teapot")])
def test_what_is_never_shipped_is_no_part_of_a_parcel(reported: Sequence[str], shop: Shop) -> None:
    ebook = factories.ProductClassFactory(name="E-book", requires_shipping=False)
    Product.objects.filter(title="Blue teapot").update(product_class=ebook)
    for title in reported:
        shop.report({title: WHOLE[title]})
        shop.wait(minutes=1)
    assert told(shop) == ["your order 100023 is on its way."]


@pytest.mark.parametrize("is_variant", [False, True])
def test_a_seat_is_no_part_of_a_parcel_whatever_the_class_of_its_product_says(
    is_variant: bool, shop: Shop
) -> None:
    seat = Product.objects.get(title="Blue teapot")
    assert seat.is_shipping_required
    if is_variant:
        tasting = Product.objects.create(
            structure="parent", title="Tasting", product_class=seat.product_class
        )
        Product.objects.filter(pk=seat.pk).update(structure="child", parent=tasting, product_class=None)
        seat = tasting
    ScheduledEvent.objects.create(
        product=seat,
        starts_at=START + timedelta(days=9),
        ends_at=START + timedelta(days=9, hours=1),
        zone="America/Los_Angeles",
        place="Weir Lane 4",
        changed_at=START,
    )
    shop.set_lines("Cancelled", "Blue teapot")
    shop.wait(minutes=1)
    shop.report({"Earl Grey": 2})
    shop.wait(minutes=1)
    assert not InboxEvent.objects.filter(name="parcel.cancelled").exists()
    assert "your order 100023 is on its way." in told(shop)


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("DHL 00340434161094015902", "is on its way. Follow it: https://quillbrook.example/cc/l/"),
        ("Kurier Schmidt, Sendung KS-2026-004711", "is on its way. Tracking: KS-2026-004711. https://"),
        ("at the gate", "is on its way. https://"),
    ],
)
@pytest.mark.rule(81)
def test_a_text_says_the_number_that_no_page_shows(notes: str, said: str, shop: Shop) -> None:
    shop.report(WHOLE, notes=notes)
    shop.wait(minutes=1)
    assert said in shop.texts[0]
    found = segments(shop.texts[0])
    assert (found.encoding, found.count) == (Encoding.GSM7, 1)


def test_so_does_the_text_about_a_part(shop: Shop) -> None:
    shop.report({"Earl Grey": 2}, notes="Kurier Schmidt, Sendung KS-2026-004711")
    shop.wait(minutes=1)
    assert ": 2 x Earl Grey. Tracking: KS-2026-004711. https://" in shop.texts[0]


def test_the_link_of_a_known_carrier_leads_there_by_way_of_the_shop(shop: Shop, client: Client) -> None:
    event = shop.report(WHOLE, notes="DHL 00340434161094015902")
    path = links.parcel_path(event.pk)
    assert client.get(path)["Location"].startswith("https://www.dhl.com/")

    event.notes = "on its way"
    event.save()
    assert client.get(path)["Location"] == f"https://quillbrook.example{parcels.order_path(shop.order)}"


def test_a_store_with_pages_of_its_own_says_where_an_order_is_seen(shop: Shop, settings: Any) -> None:
    settings.CROSSCHANNEL_ORDER_URL = "/my/orders/{number}"
    assert parcels.order_path(shop.order) == "/my/orders/100023"


@pytest.mark.parametrize("state", ["whole", "part", "last"])
@pytest.mark.rule(81)
def test_a_text_of_usual_length_is_one_segment(state: str, shop: Shop) -> None:
    if state == "last":
        shop.report({"Earl Grey": 2})
    shop.report(WHOLE if state == "whole" else {"Blue teapot": 1})
    shop.wait(minutes=1)
    found = segments(shop.texts[-1])
    assert (found.encoding, found.count) == (Encoding.GSM7, 1)


# It refuses.


@pytest.mark.parametrize("pause", [0, 2], ids=["at-once", "hours-later"])
def test_a_status_after_the_events_tells_nothing_new(pause: int, shop: Shop) -> None:
    shop.report(WHOLE)
    shop.wait(hours=pause)
    shop.order.set_status("Shipped")
    shop.set_lines("Shipped", *WHOLE)
    shop.wait(hours=2)
    assert len(shop.texts) == 1


@pytest.mark.parametrize("pause", [0, 2], ids=["at-once", "hours-later"])
def test_events_after_the_status_tell_nothing_new(pause: int, shop: Shop) -> None:
    shop.order.set_status("Shipped")
    shop.wait(hours=pause)
    shop.report({"Earl Grey": 2})
    shop.report({"Blue teapot": 1})
    shop.wait(hours=2)
    assert len(shop.texts) == (1 if pause else 2), "who reports two parcels in one breath means two"


def test_a_status_after_one_parcel_tells_of_the_rest(shop: Shop) -> None:
    shop.report({"Blue teapot": 1})
    shop.wait(hours=1)
    shop.order.set_status("Shipped")
    shop.wait(hours=1)
    assert told(shop)[1:] == [
        "the last parcel of your order 100023 is on its way, 2 of 3 items: 2 x Earl Grey."
    ]


def test_a_status_of_the_order_tells_of_what_no_line_told(shop: Shop) -> None:
    shop.set_lines("Shipped", "Earl Grey")
    shop.wait(hours=1)
    shop.order.set_status("Shipped")
    shop.wait(hours=1)

    assert len(shop.texts) == 2
    assert "Earl Grey" not in shop.texts[1]
    assert "Blue teapot" in shop.texts[1]


def test_a_status_that_comes_a_second_time_tells_nothing(shop: Shop) -> None:
    for status in ("Shipped", "Pending", "Shipped"):
        shop.order.set_status(status) if status != "Pending" else Order.objects.update(status="Pending")
        shop.wait(hours=1)
        shop.order.refresh_from_db()
    assert len(shop.texts) == 1


def test_an_event_that_oscar_takes_back_is_not_told(shop: Shop) -> None:
    event_type = ShippingEventType.objects.create(name="Shipped")
    line = shop.order.lines.get(title="Blue teapot")
    with pytest.raises(InvalidShippingEvent):
        EventHandler().create_shipping_event(shop.order, event_type, [line], [5])
    assert InboxEvent.objects.filter(name=parcels.MOVED).exists()
    shop.wait(hours=1)
    assert not shop.texts


def test_what_the_shop_calls_its_own_affair_is_nobody_elses(shop: Shop) -> None:
    shop.report(WHOLE, what="Picked")
    assert not InboxEvent.objects.filter(name=parcels.MOVED).exists()


def test_an_order_that_came_to_nothing_is_not_announced(shop: Shop, settings: Any) -> None:
    settings.CROSSCHANNEL_NON_CONVERTING_STATUSES = ["Pending"]
    shop.report(WHOLE)
    shop.wait(hours=1)
    assert not shop.texts


@pytest.mark.rule(22)
def test_who_declined_texts_about_orders_is_written_to_instead(shop: Shop) -> None:
    shop.report({"Earl Grey": 1})
    shop.wait(minutes=1)
    page = links.preferences_path(Message.objects.get(channel="sms").pk)
    form = parsed(Client().get(page)).select_one("form:has([name=words_language])")
    Client().post(page, changed(form, sms_order_updates=None))
    shop.report({"Blue teapot": 1})
    shop.wait(minutes=1)
    assert (len(shop.texts), len(shop.letters)) == (1, 1)
    assert "1 × Blue teapot" in shop.letters[0]


@pytest.mark.rule(64)
def test_a_shop_without_a_provider_of_texts_tells_it_by_email(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Wires, "reaches_people", lambda self: False)
    shop.report(WHOLE)
    shop.wait(minutes=1)
    assert (len(shop.texts), len(shop.letters)) == (0, 1)


def test_an_order_without_a_phone_is_told_by_email(shop: Shop) -> None:
    shop.order.shipping_address = None
    shop.order.save()
    shop.report(WHOLE)
    shop.wait(minutes=1)
    assert (len(shop.texts), len(shop.letters)) == (0, 1)


def test_news_of_an_old_order_do_not_undo_what_is_known_since(shop: Shop) -> None:
    shop.report({"Earl Grey": 1})
    shop.wait(minutes=1)
    ada = Contact.objects.get()
    assert (ada.country, ada.region) == ("US", "WA"), "it fills gaps"
    contacts.identify(email=ADA, name="Augusta", country="CA", region="BC", now=shop.now)
    contacts.set_point(ada, "sms", "+12505550199", source="order.placed", now=shop.now)

    shop.report({"Blue teapot": 1})
    shop.wait(minutes=1)
    ada.refresh_from_db()
    assert (ada.name, ada.country, ada.region) == ("Augusta", "CA", "BC")
    assert shop.sms.reached == [PHONE, "+12505550199"]


def test_a_number_that_was_made_up_gives_no_page(shop: Shop, client: Client) -> None:
    event = shop.report(WHOLE)
    forged = tokens.make(tokens.PARCEL, event.pk, keys=[b"not the shop's key"])
    assert client.get(f"/cc/parcel/{forged}/").status_code == 404
    assert client.post(links.parcel_path(event.pk)).status_code == 405


# It survives.


def test_what_was_overtaken_overnight_is_told_no_more(shop: Shop, settings: Any) -> None:
    settings.CROSSCHANNEL_HELD_UNTIL_MORNING = ["order_updates"]
    shop.wait(hours=10)  # nine in the evening in Seattle
    shop.report(WHOLE)
    shop.wait(hours=3)
    assert not shop.texts
    assert not shop.letters, "an email would have said it, and the text never come"
    shop.report(WHOLE, what="Delivered")
    shop.wait(hours=14)
    assert told(shop) == ["your order 100023 was delivered."]


def test_a_delay_that_is_over_by_the_morning_is_told_no_more(shop: Shop, settings: Any) -> None:
    settings.CROSSCHANNEL_HELD_UNTIL_MORNING = ["order_updates"]
    shop.wait(hours=10)
    shop.report({"Earl Grey": 1}, what="Delayed")
    shop.wait(hours=3)
    shop.report(WHOLE)
    shop.wait(hours=14)
    assert told(shop) == ["your order 100023 is on its way."]


def test_news_that_are_a_day_old_are_told_nobody(shop: Shop) -> None:
    shop.report(WHOLE)
    dispatch.tick(shop.now + timedelta(hours=25))
    assert not shop.texts
    assert [message.reason for message in Message.objects.filter(topic="order_updates")] == ["expired"]


def test_a_fold_that_is_repeated_tells_nothing_twice(shop: Shop) -> None:
    shop.report(WHOLE)
    shop.wait(minutes=1)
    InboxEvent.objects.update(processed_at=None, not_before=shop.now)
    shop.wait(minutes=1)
    assert len(shop.texts) == 1


def test_news_that_were_taken_before_it_was_known_what_is_under_way_are_told(shop: Shop) -> None:
    shop.report(WHOLE, what="Delayed")
    (news,) = parcels.follow(inbox.as_event(InboxEvent.objects.get(name=parcels.MOVED)))
    old = {name: value for name, value in news.data.items() if name != "is_under_way"}
    inbox.publish(replace(news, data=old), now=shop.now)
    InboxEvent.objects.filter(name=parcels.MOVED).update(processed_at=shop.now)
    dispatch.tick(shop.now)
    assert told(shop)[0].startswith("your order 100023 takes longer than we thought")


def test_an_order_whose_buyer_has_no_account_any_more_is_nobodys(shop: Shop) -> None:
    Order.objects.update(guest_email="")
    shop.report(WHOLE)
    shop.wait(hours=1)
    assert not Contact.objects.exists()
