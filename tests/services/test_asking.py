"""Anybody can type any number into a form: how often, and because of whom, its owner is asked for a YES."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from oscar_crosschannel.core.consent import Unasked
from oscar_crosschannel.models import Consent, ConsentEvent, ContactPoint, InboxEvent, Suppression
from oscar_crosschannel.services import consents, contacts, evidence, suppressions
from tests.factories import NOON
from tests.services.shoppers import ANN, OTHER_PHONE, PHONE, TOPICS, answer, guest, member, permitted, tick

pytestmark = [pytest.mark.django_db, pytest.mark.rule(8)]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: Addresses of the internet; those for documentation are nobody's, and not counted.
IP, OTHER_IP = "198.41.0.4", "199.9.14.201"


def asked(phone: str = "") -> int:
    """How many questions were to be texted."""
    questions = InboxEvent.objects.filter(name="consent.requested.sms")
    if not phone:
        return questions.count()
    requests = ConsentEvent.objects.filter(action="request", address=phone).values_list("pk", flat=True)
    return questions.filter(subjects__consent_request__in=list(requests)).count()


def unasked() -> list[str]:
    """Why others were not asked, as the ledger has it."""
    rows = ConsentEvent.objects.filter(action="unasked").order_by("pk")
    return list(rows.values_list("mechanism", flat=True))


def sign_up(number: int, at: datetime = NOON, **details: Any) -> None:
    """Somebody nobody knows types a number nobody knows."""
    tick(guest(f"{number}@example.com"), "sms", f"+1206555{number:04}", at=at, **details)


# it works


def test_a_number_that_said_yes_may_be_asked_for_more_at_once() -> None:
    ann = guest()
    tick(ann, "sms", PHONE, topics=["weekly_deals"])
    consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + MINUTE)
    tick(ann, "sms", PHONE, at=NOON + HOUR)
    assert (asked(), unasked()) == (2, [])


def test_a_number_may_be_asked_again_after_a_week() -> None:
    ann = guest()
    for day in (0, 7, 14):
        tick(ann, "sms", PHONE, at=NOON + day * DAY)
    assert (asked(), unasked()) == (3, [])


def test_several_may_sign_up_at_one_place() -> None:
    for number in range(10):
        sign_up(100 + number, ip=IP)
    assert (asked(), unasked()) == (10, [])


# it refuses


@pytest.mark.parametrize("answered", [False, True])
def test_a_number_that_did_not_say_yes_is_left_alone_for_a_week_whoever_types_it(answered: bool) -> None:
    tick(guest(), "sms", PHONE)
    if answered:
        consents.revoke("sms", PHONE, topics=None, source="keyword", mechanism="keyword", now=NOON)
    strangers = [guest("x@example.com"), member("y@example.com"), guest()]
    for day, contact in enumerate(strangers, start=2):
        tick(contact, "sms", PHONE, at=NOON + day * DAY, signed_in=contact.user_id is not None)
    assert asked() == 1
    assert unasked() == ["asked_lately"] * 3


def test_what_is_not_asked_is_in_the_ledger_with_all_its_proof_and_answers_nothing() -> None:
    tick(guest(), "sms", PHONE)
    ann = member("y@example.com")
    tick(ann, "sms", PHONE, at=NOON + 2 * DAY, signed_in=True)
    row = ConsentEvent.objects.get(action="unasked")
    assert (row.contact, row.point, row.channel, row.address) == (ann, None, "sms", PHONE)
    assert (row.source, row.page_url, row.at) == ("gateway", "https://shop.example/checkout/", NOON + 2 * DAY)
    assert row.get_action_display() == "wanted it, and was not asked to confirm"
    assert row.mechanism in set(Unasked)
    assert not Consent.objects.filter(point__contact=ann).exists()
    assert consents.has_decided(ann.user_id or 0) == set()
    assert not consents.has_answered("sms", "weekly_deals", user_id=ann.user_id, address=PHONE)
    assert evidence.altered("sms", PHONE) == []
    assert not consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON + 2 * DAY)


def test_only_so_many_are_asked_in_an_hour(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 3
    for number in range(5):
        sign_up(100 + number, at=NOON + number * MINUTE)
    assert (asked(), unasked()) == (3, ["many_texts"] * 2)
    sign_up(110, at=NOON + HOUR)  # the first is an hour ago
    sign_up(111, at=NOON + HOUR)
    assert (asked(), unasked()) == (4, ["many_texts"] * 3)


def test_who_is_signed_in_counts_too_because_an_account_costs_nothing(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 1
    sign_up(100)
    tick(member(), "sms", PHONE, signed_in=True)
    assert (asked(), unasked()) == (1, ["many_texts"])


def test_a_number_that_a_mailbox_confirmed_counts_too(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 1
    ann = member()
    tick(ann, "sms", PHONE, owns=ANN)
    request = ConsentEvent.objects.get(action="request").pk
    sign_up(100)
    assert consents.confirm_link(request, now=NOON + MINUTE)
    assert (asked(PHONE), unasked()) == (0, ["many_texts"])
    assert consents.confirm_link(request, now=NOON + 2 * HOUR)  # the link can be pressed again
    assert asked(PHONE) == 1


@pytest.mark.parametrize(
    ("ips", "most"),
    [
        ([IP], 2),
        ([f"::ffff:{IP}", IP], 2),
        ([IP, OTHER_IP], 4),
        (["2606:4700::1", "2606:4700::2:2"], 2),  # one household
        (["2606:4700::1", "2606:4700:0:1::1"], 4),
        (["192.168.1.7"], 6),  # a proxy: anybody
        (["::1"], 6),
        ([""], 6),
        (["unknown"], 6),
    ],
)
def test_one_place_on_the_internet_has_only_so_many_asked(ips: list[str], most: int, settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR_BY_IP = 2
    for number in range(6):
        sign_up(100 + number, ip=ips[number % len(ips)])
    assert (asked(), unasked()) == (most, ["many_from_ip"] * (6 - most))


def test_where_no_hour_is_open_nobody_is_asked() -> None:
    tick(guest(country="IN"), "sms", PHONE)  # in Seattle or in India: when it is day here, it is night there
    assert (asked(), unasked()) == (0, ["no_open_hours"])


@pytest.mark.rule(12)
@pytest.mark.parametrize("kind", ["sms", "order_texts"])
def test_one_person_gives_only_so_many_numbers_in_a_day(kind: str) -> None:
    ann = guest()
    words = consents.wording(kind, "en").digest
    numbers = [f"+1206555{100 + number:04}" for number in range(4)]
    for number in [*numbers, numbers[0]]:
        given = answer("sms", number, kind=kind, text=words)
        consents.take_answer(ann, given, signed_in=True, at=NOON, now=NOON)
    assert unasked() == ["many_numbers"]
    assert set(ann.points.filter(channel="sms").values_list("address", flat=True)) == set(numbers[:3])
    given = answer("sms", numbers[3], kind=kind, text=words)
    assert consents.take_answer(ann, given, signed_in=True, at=NOON + DAY, now=NOON + DAY) is None
    assert ann.points.filter(address=numbers[3], current=True).exists()


@pytest.mark.rule(12)
def test_a_number_by_a_link_needs_a_mailbox_to_be_confirmed_from() -> None:
    tick(contacts.of_number(PHONE, now=NOON).contact, "sms", OTHER_PHONE, owns=PHONE)
    assert unasked() == ["no_mailbox"]
    assert not ContactPoint.objects.filter(address=OTHER_PHONE).exists()
    assert not InboxEvent.objects.exists()


@pytest.mark.rule(26)
@pytest.mark.parametrize("channel", ["email", "sms"])
def test_a_mailbox_that_nothing_may_go_to_is_not_asked(channel: str) -> None:
    ann = guest(country="DE")
    cause, scope = Suppression.Cause.HARD_BOUNCE, Suppression.Scope.EVERYTHING
    suppressions.suppress("email", ANN, cause=cause, scope=scope, now=NOON)
    tick(ann, channel, {"email": ANN, "sms": PHONE}[channel], owns=ANN)
    assert unasked() == ["mailbox_blocked"]
    assert permitted(ann, channel) == set()
    assert not InboxEvent.objects.exists()


# it survives


def test_who_cannot_decide_between_two_numbers_takes_nobodys_turn(settings: Any) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 3
    ann = member()
    for phone in [PHONE, OTHER_PHONE] * 3:
        tick(ann, "sms", phone, signed_in=True)
    assert (asked(PHONE), asked(OTHER_PHONE)) == (1, 1)
    sign_up(100)
    assert (asked(), unasked()) == (3, [])


@pytest.mark.parametrize("order", [range(6), (3, 4, 5, 0, 1, 2)])
def test_what_a_worker_finds_after_hours_is_counted_by_when_it_was_sent(
    order: Iterable[int], settings: Any
) -> None:
    settings.CROSSCHANNEL_OPT_IN_TEXTS_AN_HOUR = 2
    for number in order:
        sign_up(100 + number, at=NOON + number * 20 * MINUTE, now=NOON + 6 * HOUR)
    assert unasked() == ["many_texts"] * 2  # the third of each hour


def test_a_form_that_is_worked_off_twice_asks_once_and_notes_nothing() -> None:
    ann = guest()
    for _ in range(2):
        tick(ann, "sms", PHONE)
    assert (asked(), unasked()) == (1, [])


def test_a_number_that_two_give_at_once_is_one_question_and_no_refusal() -> None:
    for name in "ab":
        tick(guest(f"{name}@example.com"), "sms", PHONE)
    assert (asked(), unasked()) == (1, [])
    assert set(consents.confirm_reply(PHONE, body="YES", provider_id="SM1", now=NOON)) == set(TOPICS)
