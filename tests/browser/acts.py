"""What happened in the shop before the browsers came: real pages, the real engine, moved time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client, override_settings
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_crosschannel import api
from oscar_crosschannel.core.consent_files import RowProblem
from oscar_crosschannel.core.facts import EMAIL
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import StepTuning, Tuning
from oscar_crosschannel.models import (
    ConsentEvent,
    ConsentImport,
    ConsentText,
    Contact,
    Copy,
    Enrolment,
    Erasure,
    Flow,
    Guard,
    InboxEvent,
    Message,
    OrdinaryReply,
    ScheduledEvent,
    Suppression,
    Topic,
    UnreadReply,
)
from oscar_crosschannel.services import contacts, copies, importing, links, own_flows, tuning
from oscar_crosschannel.services.flow_versions import Outline
from oscar_crosschannel.services.plans import origin
from sandbox import clock
from sandbox.shop.outbox import engine, mails, phones
from sandbox.shop.people import PASSWORD, STAFF
from tests.browser.story import BEGIN, END
from tests.oscar.conftest import Shopper

COMPUTER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SCANNER = "Mozilla/5.0 (compatible; Proofpoint URL Defense; mail scanner)"

ADA, ADA_PHONE = "ada@example.org", "+12065550142"
ROSA, ROSA_PHONE = "rosa@example.org", "+12125550136"
UNA, VERA = "una@example.org", "vera@example.org"

BOTH = {"cc_email": "1", "cc_sms": "1"}

#: Who is asked by email whether a ticked box was theirs; one each for pages that change with a click.
ASKED = ("ines@example.org", "jon@example.org", "kim@example.org", "lou@example.org")

#: Numbers and words to fill into addresses, and cookies.
Places = dict[str, Any]


def play() -> Places:
    """The story up to `END`; returns what pages need in their addresses."""
    clock.set_now(BEGIN)
    _ada_leaves()
    _guests_leave()
    _customers_leave()
    _hours(0.5)
    _engine_dies_at(_message("mara@example.org", "nudge"))
    _hours(1.25)
    _scanner_opens_everything(_message(ADA, "nudge"))
    _hours(3)
    _says(ROSA_PHONE, "STOP")
    _hours(4)
    _browser().get(_path(links.click_url(_message(ADA, "nudge").pk, 0)))
    _hours(5)
    alice = _alice_buys()
    _hours(39)
    _vera_leaves()
    _theos_mailbox_is_gone()
    _dev_gets_another_email()
    engine.advance(END)
    _others_are_asked_by_email()
    return {**_addresses(), "order": alice, "cookies": _cookies()}


# Acts


def _ada_leaves() -> None:
    """A new customer, who agrees to both."""
    ada = _shopper()
    ada.register(ADA, **BOTH, cc_phone=ADA_PHONE)
    ada.client.post("/accounts/profile/edit/", {"first_name": "Ada", "last_name": "Byron", "email": ADA})
    for title, quantity in (("Chamomile Inkwell", 1), ("Peppermint Hour", 1), ("Heron Cup", 2)):
        ada.add(_product(title), quantity)
    engine.work()
    _says(ADA_PHONE, "YES")


def _guests_leave() -> None:
    rosa = _shopper()
    rosa.add(_product("Millrace Breakfast"))
    rosa.enter_checkout(ROSA, **BOTH, cc_phone=ROSA_PHONE)
    mara = _shopper()
    mara.add(_product("Mill Towel"))
    mara.enter_checkout("mara@example.org", cc_email="1")
    engine.work()
    _says(ROSA_PHONE, "YES")


def _customers_leave() -> None:
    una = _shopper()
    una.register(UNA, cc_email="1")
    una.add(_product("Rosehip Lane"), 2)
    for email, title in (
        ("alice@example.com", "The Reading Box"),
        ("ben@example.com", "Millrace Breakfast"),
        ("dev@example.com", "Copper Kettle Assam"),
        ("finn@example.com", "Gooseneck Kettle, 1 l"),
    ):
        _customer(email).add(_product(title))
    engine.work()


def _engine_dies_at(message: Message) -> None:
    """Between the provider's call and its record, as a power cut does it."""
    now = timezone.now()
    Message.objects.filter(pk=message.pk).update(
        state=State.SENDING, channel="email", attempted_at=now, lease_until=now, calls=1, first_call_at=now
    )
    message.attempts.create(uuid=uuid4(), channel="email", number=1, started_at=now, status_at=now)


def _scanner_opens_everything(message: Message) -> None:
    scanner = Client(HTTP_USER_AGENT=SCANNER)
    for number in range(len(message.links)):
        scanner.get(_path(links.click_url(message.pk, number)))


def _alice_buys() -> Any:
    alice = _customer("alice@example.com")
    alice.client.get("/checkout/")
    alice.give_address()
    alice.choose_shipping()
    alice.place_order()
    return get_model("order", "Order").objects.get().number


def _vera_leaves() -> None:
    vera = _shopper()
    vera.add(_product("Rosehip Lane"))
    vera.enter_checkout(VERA, cc_email="1")
    engine.work()


def _theos_mailbox_is_gone() -> None:
    api.suppress(EMAIL, "theo@example.org", note="550 5.1.1", cause=Suppression.Cause.HARD_BOUNCE)


def _dev_gets_another_email() -> None:
    """So the links in what went to the former one lead nowhere."""
    contacts.set_point(
        _contact("dev@example.com"), EMAIL, "dev@example.net", source="identity", now=timezone.now()
    )


def _others_are_asked_by_email() -> None:
    """As a shop does that has every ticked box confirmed."""
    with override_settings(CROSSCHANNEL_DOUBLE_OPT_IN={"email": True, "sms": True}):
        for email in ASKED:
            guest = _shopper()
            guest.add(_product("Mill Towel"))
            guest.enter_checkout(email, cc_email="1")
        engine.work()
    _browser().post(links.confirm_path(_request_of(ASKED[-1])))


def _says(phone: str, words: str) -> None:
    company = phones.here()
    assert company is not None
    assert company.reply(phone, words)
    engine.work()


def _hours(after: float) -> None:
    engine.advance(BEGIN + timedelta(hours=after))


# People


def _shopper() -> Shopper:
    return Shopper(_browser())


def _customer(email: str) -> Shopper:
    shopper = _shopper()
    assert shopper.client.login(username=email, password=PASSWORD)
    return shopper


def _browser() -> Client:
    return Client(HTTP_USER_AGENT=COMPUTER)


def _product(title: str) -> Any:
    return get_model("catalogue", "Product").objects.get(title=title)


def _contact(email: str) -> Contact:
    return Contact.objects.get(points__address=email, merged_into=None)


def _message(email: str, step: str) -> Message:
    return Message.objects.get(contact=_contact(email), flow__key="abandoned_cart", step_key=step)


def _question(email: str) -> int:
    """The message that asked somebody to confirm."""
    return Message.objects.get(contact=_contact(email), flow__key="opt_in_email").pk


def _request_of(email: str) -> int:
    """The question that went to this mailbox."""
    requests = ConsentEvent.objects.filter(contact=_contact(email), action=ConsentEvent.Action.REQUEST)
    return requests.latest("pk").pk


def _mail(email: str) -> str:
    """The latest in somebody's inbox."""
    return next(mail.id for mail in reversed(mails.everything()) if email in mail.to)


def _path(url: str) -> str:
    return url.removeprefix(settings.CROSSCHANNEL_BASE_URL)


# What pages need


def _addresses() -> Places:
    """What stands in braces in `tests.browser.pages`."""
    nudge, bought = _message(ADA, "nudge"), _message("alice@example.com", "nudge")
    ask, done, plain, over = (links.confirm_path(_request_of(email)) for email in ASKED)
    return {
        "recover": links.recover_path(nudge.pk),
        "recover_gone": links.recover_path(bought.pk),
        "preferences": links.preferences_path(nudge.pk),
        "preferences_text": links.preferences_path(_message(ADA, "code").pk),
        "preferences_rosa": links.preferences_path(_message(ROSA, "nudge").pk),
        "preferences_una": links.preferences_path(_message(UNA, "nudge").pk),
        "preferences_over": links.preferences_path(_message("dev@example.com", "nudge").pk),
        "preferences_alice": links.preferences_path(bought.pk),
        "why": links.why_path(nudge.pk),
        "order_texts": links.order_texts_path(get_model("order", "Order").objects.earliest("pk").pk),
        "join_texts": links.join_texts_path(nudge.pk),
        "why_text": links.why_path(_message(ADA, "code").pk),
        "why_question": links.why_path(_question(ASKED[0])),
        "unsubscribe": _path(links.unsubscribe_url(nudge.pk)),
        "unsubscribe_una": _path(links.unsubscribe_url(_message(UNA, "nudge").pk)),
        "unsubscribe_ben": _path(links.unsubscribe_url(_message("ben@example.com", "nudge").pk)),
        "unsubscribe_text": _path(links.unsubscribe_url(_message(ADA, "code").pk)),
        "confirm": ask,
        "confirm_done": done,
        "confirm_plain": plain,
        "confirm_over": over,
        "flow": Flow.objects.get(key="abandoned_cart").pk,
        "own_flow": _own_flow().pk,
        "ada": _contact(ADA).pk,
        "rosa": _contact(ROSA).pk,
        "sent": nudge.pk,
        "code": _message(ADA, "code").pk,
        "stopped": _message(ROSA, "code").pk,
        "dropped": _message("finn@example.com", "nudge").pk,
        "unknown": _message("mara@example.org", "nudge").pk,
        "cancelled": _message("alice@example.com", "code").pk,
        "enrolment": _run_of(ADA),
        "consent": ConsentEvent.objects.filter(contact=_contact(ADA), action="grant").earliest("pk").pk,
        "wording": ConsentText.objects.earliest("pk").pk,
        "topic": Topic.objects.earliest("pk").pk,
        "suppression": Suppression.objects.filter(cause=Suppression.Cause.REVOKED).latest("pk").pk,
        "bounce": Suppression.objects.get(cause=Suppression.Cause.HARD_BOUNCE).pk,
        "planned": _message(VERA, "code").pk,
        "running": _run_of(VERA),
        "ada_email": _contact(ADA).points.get(channel=EMAIL).pk,
        "vera_email": _contact(VERA).points.get(channel=EMAIL).pk,
        "guard": _warning().pk,
        "import": _file_that_waits().pk,
        "import_done": _file_that_was_taken().pk,
        "erasure": _erasure().pk,
        "scheduled": _webinar().pk,
        "join_closed": links.join_path(get_model("order", "Line").objects.latest("pk").pk),
        "unread": (doubt := _doubt()).pk,
        "unread_reply": doubt.reply_id,
        "answer": _answer().pk,
        "event": InboxEvent.objects.earliest("pk").pk,
        "event_aside": _event_set_aside().pk,
        "mail": _mail(ADA),
        "mail_question": _mail(ASKED[0]),
    }


def _event_set_aside() -> InboxEvent:
    """One that a flow could not begin with, however often it was tried."""
    now = timezone.now()
    return InboxEvent.objects.create(
        name="order.placed",
        key="order:gone",
        occurred_at=now,
        not_before=now,
        processed_at=now,
        tries=5,
        error="welcome: ValueError: no",
        left={"contact": None, "parts": ["welcome"]},
    )


def _own_flow() -> Flow:
    """A flow that a merchant made: a step of which the words were changed, in shadow mode."""
    now, author = timezone.now(), get_user_model().objects.get(username=STAFF[0]).pk
    outline = Outline(title="Thank you", topic="order_updates", stops=("order.voided",))
    hello = StepTuning(title="A word of thanks", delay=timedelta(hours=2), channels=("email",))
    with transaction.atomic():
        made = own_flows.create(outline, "order.placed", author=author, now=now)
        flow = tuning.lock(made.pk)
        found = origin(flow)
        assert found is not None
        tuning.retune(flow, found[0], Tuning(enabled=False, steps={"thanks": hello}), now=now, author=author)
        for text in (
            "Thank you, {{ name }}.\nYour parcel is on its way.",
            "Thank you, {{ name }}.\nIt is on its way.",
        ):
            draft = Copy(
                flow=flow, step_key="thanks", channel="email", language="en", subject="Thanks", text=text
            )
            copies.keep(flow, draft, now=now, author=author)
        shown = Tuning(enabled=True, shadow=True, steps={"thanks": hello})
        tuning.retune(flow, found[0], shown, now=now, author=author)
    return flow


def _doubt() -> UnreadReply:
    """Somebody wrote what may mean stop."""
    _says("+61412345698", "Who is this? Please don’t text me again.")
    return UnreadReply.objects.get()


def _answer() -> OrdinaryReply:
    """Somebody asks something; and somebody unknown said stop."""
    _says("+61412345698", "Do you have it in green?")
    _says("+61412345697", "STOP")
    return OrdinaryReply.objects.latest("pk")


#: One row for each thing that can become of a row.
_FILE = """address;topics;agreed_at;source;how;words;action
iris@example.org;weekly_deals;2026-01-05T10:00;Harbour market;paper card;Yes, send me the weekly deals.;
iris@example.org;weekly_deals;2026-01-05T10:00;Harbour market;paper card;Yes, send me the weekly deals.;
jan@example.org;weekly_deals;2026-01-05T10:00;Harbour market;;;
kit@example.org;;;;;;stop
1.20656E+10;weekly_deals;2026-01-05T10:00;Harbour market;paper card;Yes, text me the weekly deals.;
"""


def _file_that_waits() -> ConsentImport:
    return importing.keep(_FILE.encode(), name="harbour-market.csv", by=STAFF[0], now=timezone.now())


def _file_that_was_taken() -> ConsentImport:
    now = timezone.now()
    return ConsentImport.objects.create(
        at=now, by=STAFF[0], file_name="newsletter.csv", digest="0" * 64, rows=5, confirmed_at=now, taken=5,
        granted=1, unproven=1, revoked=1, unchanged=1, refused=1, finished_at=now,
        problems=[[4, RowProblem.NO_PROOF], [6, RowProblem.SHORTENED]],
    )  # fmt: skip


def _webinar() -> ScheduledEvent:
    """An evening on the web, in a month."""
    starts_at = timezone.now() + timedelta(days=30)
    event = ScheduledEvent(
        product=_product("Rosehip Lane"),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        zone="Europe/London",
        join_link="https://rooms.example.net/reading",
        agenda="What to read with which tea",
    )
    api.save_event(event)
    return event


def _erasure() -> Erasure:
    """Of somebody long forgotten."""
    return Erasure.objects.create(contact_id=0, at=timezone.now(), cause="request", by=STAFF[0])


def _warning() -> Guard:
    """A few people complained; not enough to pause anything."""
    return Guard.objects.create(
        channel=EMAIL,
        measure=Guard.Measure.COMPLAINTS,
        level=Guard.Level.WARNED,
        bad=4,
        sent=3100,
        since=_message(ADA, "nudge").created_at,
    )


def _run_of(email: str) -> int:
    return Enrolment.objects.get(contact=_contact(email), flow__key="abandoned_cart").pk


def _cookies() -> dict[str, dict[str, str]]:
    """Of those who look at the pages."""
    gateway, preview = _shopper(), _customer("finn@example.com")
    gateway.add(_product("Peppermint Hour"))
    preview.give_address(phone="+61412345678")
    preview.choose_shipping()
    buyer = _shopper()
    buyer.add(_product("Mill Towel"))
    buyer.buy("walter@example.org")
    ada = _browser()
    ada.force_login(_contact(ADA).user)
    merchant = _browser()
    assert merchant.login(username=STAFF[0], password=STAFF[2])
    clients = {
        "gateway": gateway.client,
        "preview": preview.client,
        "buyer": buyer.client,
        "customer": ada,
        "merchant": merchant,
    }
    return {
        who: {name: morsel.value for name, morsel in client.cookies.items() if name != "messages"}
        for who, client in clients.items()
    }
