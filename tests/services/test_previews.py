"""What a person would read: their own basket if they have one, and nothing is sent, kept or granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.core import mail, serializers
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from oscar_crosschannel import After, Blueprint, Context, On, Run, send
from oscar_crosschannel.channels.sms_backends.locmem import outbox
from oscar_crosschannel.conf import flows
from oscar_crosschannel.models import (
    Attempt,
    Click,
    Contact,
    ContactPoint,
    Copy,
    Enrolment,
    InboxEvent,
    Message,
    VoucherBudget,
    VoucherGrant,
)
from oscar_crosschannel.services import copies, setup
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from oscar_crosschannel.services.previews import Preview, in_new_windows, preview
from oscar_crosschannel.services.rendering import CopyKey
from tests.factories import NOON, enrol_all, make_contacts
from tests.services.stage import make_offer

pytestmark = pytest.mark.django_db

Voucher = get_model("voucher", "Voucher")
LEDGER = [Attempt, Click, Contact, ContactPoint, Copy, Enrolment, InboxEvent, Message, VoucherBudget, VoucherGrant, Voucher]  # fmt: skip


class Samovar(Blueprint):
    """The samovar hums"""

    topic = "basket_reminders"
    start = On("samovar.hums")

    hum = send("sms", "email", at=After(hours=1), voucher=True)

    said: ClassVar[Mapping[str, Any]] = {}

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        if self.said.get("raises"):
            raise LookupError("no such samovar")
        if self.said.get("writes"):
            InboxEvent.objects.create(name="x", key="x", occurred_at=NOON, not_before=NOON)
        if self.said.get("silent"):
            return {}
        return {
            run.message_id: Context(values={"cups": run.subjects["cups"]}, links={"tea": "/"}) for run in runs
        }

    def example(self) -> Context:
        return Context(values={"cups": 99}, links={"tea": "/"})


@pytest.fixture(autouse=True)
def _samovar(settings: Any) -> Any:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    setup.install()
    flows.register(Samovar)
    Samovar.said = {}
    yield
    flows.unregister(Samovar.key)


def planned() -> PlannedFlow:
    return next(item for item in load_plans() if item.plan.key == Samovar.key)


def seen(
    contact: Contact | None = None,
    *,
    text: str = "{{ name }} {{ cups }} {{ voucher.code }} STOP",
    **kwargs: Any,
) -> Preview:
    flow = planned()
    key = CopyKey(flow.flow_id, flow.plan.key, "hum", kwargs.pop("channel", "sms"), "en")
    words = copies.draft(key, {"text": text, "subject": "Hum"})
    return preview(flow, flow.plan.steps[0], words, contact, now=NOON, **kwargs)


def words_of(shown: Preview) -> str:
    assert shown.content is not None, shown.refusal
    return shown.content.text


def drinker(cups: int = 7) -> Contact:
    (contact,) = make_contacts(1)
    Contact.objects.filter(pk=contact.pk).update(name="Ann")
    enrol_all([contact], Samovar, anchor=NOON)
    Enrolment.objects.update(subjects={"cups": cups})
    return Contact.objects.get(pk=contact.pk)


# It works.


def test_a_contact_sees_what_their_own_run_is_about() -> None:
    shown = seen(drinker())
    assert words_of(shown).startswith("Quillbrook: Ann 7 ")
    assert shown.is_real


def test_nobody_in_particular_sees_the_example() -> None:
    shown = seen()
    assert words_of(shown).startswith("Quillbrook: Ada 99 TEA")
    assert not shown.is_real


@pytest.mark.rule(81, 82)
def test_a_text_tells_what_it_takes_and_costs(settings: Any) -> None:
    contact = drinker()
    ContactPoint.objects.filter(channel="sms").update(country="US")
    settings.CROSSCHANNEL_SMS_PRICES = {"US": {"price": "0.01", "currency": "EUR"}}
    weight = seen(contact, text="STOP " + "x" * 160).weight
    assert weight is not None
    assert (weight.segments.encoding, weight.segments.count) == ("GSM-7", 2)
    assert weight.price is not None
    assert (weight.cost, weight.price.currency, weight.country) == (Decimal("0.02"), "EUR", "US")


def test_the_shipped_prices_say_where_they_are_from() -> None:
    weight = seen(country="us").weight
    assert weight is not None
    assert weight.price is not None
    assert (weight.price.each, weight.price.currency) == (Decimal("0.0083"), "USD")
    assert weight.price.source
    assert weight.price.as_of


@pytest.mark.rule(82)
@pytest.mark.parametrize(
    ("text", "names", "instead"),
    [
        ("STOP it’s", {"’": "U+2019 right single quotation mark"}, ("'",)),
        ("STOP – it’s", {"–": "U+2013 en dash", "’": "U+2019 right single quotation mark"}, ("-", "'")),
        ("STOP – ☕ –", {"–": "U+2013 en dash", "☕": "U+2615 hot beverage"}, ()),
        ("STOP it's", {}, ()),
    ],
)
def test_every_character_that_makes_a_text_expensive_is_named(
    text: str, names: dict[str, str], instead: tuple[str, ...], settings: Any
) -> None:
    settings.CROSSCHANNEL_SMS_SMART_ENCODING = False
    weight = seen(text=text).weight
    assert weight is not None
    assert (weight.culprits, weight.instead) == (names, instead)


@pytest.mark.parametrize(
    ("html", "framed"),
    [
        ("<html><HEAD lang='en'><title>", "<html><HEAD lang='en'>{}<title>"),
        ("<head>\n<body>", "<head>{}\n<body>"),
        ("<header>Hello</header>", "{}<header>Hello</header>"),
        ("<p>Hello</p>", "{}<p>Hello</p>"),
    ],
)
def test_links_of_an_email_leave_the_frame_that_shows_it(html: str, framed: str) -> None:
    assert in_new_windows(html) == framed.format('<base target="_blank">')


def french() -> Contact:
    contact = drinker()
    contact.points.filter(channel="sms").update(address="+33612345678", country="FR", zones=["Europe/Paris"])
    return contact


@pytest.mark.rule(29, 82)
def test_who_cannot_reply_is_shown_the_link_that_their_text_will_end_with() -> None:
    with_link, without = seen(french()), seen()
    assert " Stop: https://shop.example/cc/u/" in words_of(with_link)
    assert " Stop: " not in words_of(without)
    assert with_link.weight is not None
    assert without.weight is not None
    assert with_link.weight.segments.units > without.weight.segments.units
    assert words_of(seen(country="FR")).rpartition(" Stop: ")[2].startswith("https://")
    assert " Stop: " not in words_of(seen(french(), country="US")), "it is for who gets the text"


def test_times_are_shown_as_the_clock_of_the_person_shows_them() -> None:
    """Without a zone of their own, by the clock furthest behind of those that their number may be in."""
    contact = drinker()
    contact.points.filter(channel="sms").update(
        address="+18505550123", country="US", zones=["America/Chicago", "America/New_York"]
    )
    text = "{{ voucher.valid_until|date:'H:i' }} STOP"
    assert words_of(seen(contact, text=text)) == "Quillbrook: 07:00 STOP"
    contact.zone = "America/New_York"
    assert words_of(seen(contact, text=text)) == "Quillbrook: 08:00 STOP"


# It refuses.


def test_what_would_not_go_out_is_told() -> None:
    shown = seen(text="no way out")
    assert shown.content is None
    assert shown.refusal.startswith("A marketing text must say how to stop")
    assert seen(text="{% load x %}").refusal


def test_a_price_nobody_told_is_not_made_up(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_PRICES = {"FR": {"price": "a lot"}}
    for country in ("DE", "FR", ""):
        weight = seen(country=country).weight
        assert weight is not None
        assert (weight.price, weight.cost) == (None, None)


def test_a_preview_sends_keeps_and_grants_nothing(settings: Any) -> None:
    settings.CROSSCHANNEL_VOUCHER_OFFER = make_offer().name
    contact = drinker()
    Samovar.said = {"writes": True}
    outbox.clear()
    before = serializers.serialize("json", [row for model in LEDGER for row in model.objects.all()])

    assert seen(contact).is_real
    assert seen(contact, channel="email").content is not None

    assert serializers.serialize("json", [row for model in LEDGER for row in model.objects.all()]) == before
    assert (outbox, mail.outbox) == ([], [])


# It survives.


@pytest.mark.parametrize("trouble", ["raises", "silent"])
def test_a_run_with_nothing_to_say_shows_the_example(trouble: str) -> None:
    Samovar.said = {trouble: True}
    shown = seen(drinker())
    assert words_of(shown).startswith("Quillbrook: Ann 99 ")
    assert not shown.is_real


def test_a_contact_in_a_zone_that_does_not_exist_still_has_a_preview() -> None:
    contact = drinker()
    contact.zone = "Mars/Olympus"
    assert words_of(seen(contact))


def test_a_preview_costs_a_known_number_of_statements() -> None:
    contact, flow = drinker(), planned()
    key = CopyKey(flow.flow_id, flow.plan.key, "hum", "email", "en")
    words = copies.draft(key, {"text": "Hi", "subject": "Hi"})
    with CaptureQueriesContext(connection) as queries:
        preview(flow, flow.plan.steps[0], words, contact, now=NOON)
    # rules for texts, number; run, message, address, savepoint around the blueprint's question
    assert len(queries) <= 8, [query["sql"][:90] for query in queries]
