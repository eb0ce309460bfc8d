"""Workers killed and frozen where it hurts, through the real SDK and a real mail server.

Each kill lands for certain: the shop's database holds the worker in the middle of the hand-over, or the
provider has taken a message and holds its answer back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, Message

from .kill_table import Recorder, tell
from .machine import wait_until
from .people import People
from .shop import CeleryShop
from .store.crosschannel import POISON

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

#: The flows' context reads it, and nothing else does.
SHOPS_TABLE = "reviews_productreview"
MOST_RETURNS = 5


def attempts(people: People) -> list[Attempt]:
    return list(Attempt.objects.filter(message__contact__in=people.ids).order_by("id"))


def the_engine_goes_on(shop: CeleryShop) -> None:
    """Somebody else gets theirs: at least one more tick has passed."""
    others = shop.owe_texts(1)
    others.wait_until_all_are(State.SENT)


@pytest.mark.rule(53, 54, 60)
def test_texts_in_doubt_are_never_sent_again_and_settled_by_their_callbacks(
    shop: CeleryShop, record_property: Recorder
) -> None:
    shop.phones.gate.close(after=9)
    people = shop.owe_texts(10)
    shop.phones.gate.wait_until_reached()
    shop.kill_who_is_at_work(shop.first)
    shop.phones.gate.open()
    people.let_leases_pass()
    people.wait_until_all_are(State.UNKNOWN)
    the_engine_goes_on(shop)
    assert people.got_one_each()
    assert {attempt.provider_id for attempt in attempts(people)} == {""}

    numbers = people.addresses()
    for text in [text for text in shop.phones.messages if text.to in numbers]:
        [reply] = shop.phones.callback(text.sid, "delivered")
        assert reply.status == 204
    people.wait_until_all_are(State.SENT)
    assert {attempt.status for attempt in attempts(people)} == {Status.DELIVERED}
    assert people.got_one_each()
    tell(record_property, people.row("worker: texts accepted, not recorded; callbacks tell"))


@pytest.mark.rule(53, 54, 71)
def test_texts_in_doubt_are_looked_up_at_the_provider(shop: CeleryShop, record_property: Recorder) -> None:
    shop.phones.gate.close(after=3)
    people = shop.owe_texts(10)
    shop.phones.gate.wait_until_reached()
    shop.kill_who_is_at_work(shop.first)
    shop.phones.gate.open()
    people.let_leases_pass()
    people.wait_until_all_are(State.UNKNOWN)
    the_engine_goes_on(shop)

    an_hour_ago = datetime.now(UTC) - timedelta(hours=1, minutes=1)
    Attempt.objects.filter(message__contact__in=people.ids).update(status_at=an_hour_ago)
    wait_until(
        lambda: people.states() == {State.SENT: 4, State.UNKNOWN: 6},
        lambda: f"looked up, but {people.states()}",
    )
    the_engine_goes_on(shop)
    assert people.states() == {State.SENT: 4, State.UNKNOWN: 6}
    sent = Message.objects.filter(contact__in=people.ids, state=State.SENT)
    assert people.got() == {message.contact_id: 1 for message in sent}
    tell(record_property, people.row("worker: in the midst of a chunk of texts; looked up"))


@pytest.mark.rule(53, 54)
def test_emails_in_doubt_are_listed_and_never_sent_again(shop: CeleryShop, record_property: Recorder) -> None:
    shop.mailboxes.gate.close(after=4)
    people = shop.owe_letters(10)
    shop.mailboxes.gate.wait_until_reached()
    shop.kill_who_is_at_work(shop.first)
    shop.mailboxes.gate.open()
    people.let_leases_pass()
    people.wait_until_all_are(State.UNKNOWN)
    the_engine_goes_on(shop)
    assert people.states() == {State.UNKNOWN: 10}
    assert set(people.got().values()) == {1}
    assert len(people.got()) == 5
    tell(record_property, people.row("worker: in the midst of a chunk of emails by SMTP"))


@pytest.mark.rule(53)
def test_a_worker_frozen_in_the_hand_over_sends_nothing_when_it_thaws(
    shop: CeleryShop, record_property: Recorder
) -> None:
    with shop.database.locked(SHOPS_TABLE) as is_waited_for_by:
        people = shop.owe_texts(10)
        wait_until(lambda: is_waited_for_by("first"), lambda: "no worker came to the hand-over")
        shop.first.freeze()
    shop.wake(shop.second)
    people.wait_until_all_are(State.SENT)
    shop.first.thaw()
    wait_until(lambda: shop.is_idle(shop.first), lambda: "the thawed worker does not end its task")
    the_engine_goes_on(shop)
    assert people.got_one_each()
    assert people.states() == {State.SENT: 10}
    tell(record_property, people.row("worker: frozen in the hand-over past its lease, texts"))


@pytest.mark.rule(53)
def test_a_worker_frozen_in_a_call_tells_the_truth_when_it_thaws(
    shop: CeleryShop, record_property: Recorder
) -> None:
    shop.phones.gate.close(after=9)
    people = shop.owe_texts(10)
    shop.phones.gate.wait_until_reached()
    shop.first.freeze()
    shop.phones.gate.open()
    shop.wake(shop.second)
    people.wait_until_all_are(State.UNKNOWN)
    shop.first.thaw()
    wait_until(lambda: State.UNKNOWN not in people.states(), lambda: f"thawed, but {people.states()}")
    people.wait_until_resolved()
    the_engine_goes_on(shop)
    assert people.states() == {State.SENT: 10}
    assert people.got_one_each()
    tell(record_property, people.row("worker: frozen in a call past its lease, texts"))


@pytest.mark.rule(79)
def test_what_kills_every_worker_is_given_up_and_harms_nobody_else(
    shop: CeleryShop, record_property: Recorder
) -> None:
    people = shop.owe_letters(10, names=(POISON,))
    for death in range(1, MOST_RETURNS + 1):
        wait_until(partial(shop.has_crashed, death), lambda: f"only {shop.crashes()} crashes")
        people.let_leases_pass()
    people.wait_until_resolved()
    the_engine_goes_on(shop)
    poison, *others = people.ids
    failed = Message.objects.get(contact=poison)
    assert (failed.state, failed.reason) == (State.FAILED, Reason.POISON)
    assert people.got() == dict.fromkeys(others, 1)
    assert shop.crashes() == MOST_RETURNS
    tell(record_property, people.row("worker: at one message, again and again"))


@pytest.mark.rule(53, 79)
def test_a_power_cut_before_the_hand_over_costs_nothing(shop: CeleryShop, record_property: Recorder) -> None:
    shop.wake(shop.second)
    with shop.database.locked(SHOPS_TABLE) as is_waited_for_by:
        people = shop.owe_texts(10)
        wait_until(lambda: is_waited_for_by("second"), lambda: "no worker came to the hand-over")
        assert people.states() == {State.CLAIMED: 10}
        shop.second.kill()
    shop.wake(shop.first)
    people.let_leases_pass()
    people.wait_until_all_are(State.SENT)
    assert people.got_one_each()
    tell(record_property, people.row("worker: before the hand-over, texts"))
    shop.second = shop.start_second_worker()
