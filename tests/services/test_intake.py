"""The fold: events in, contacts, stops and starts out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.conf import flows, shop
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Belonging, Contact, ContactPoint, Enrolment, InboxEvent, Message
from oscar_crosschannel.services import dispatch, inbox, intake
from tests.factories import NOON, registered
from tests.services.shoppers import ANN, PHONE, account, guest
from tests.services.stage import Letters, Pair

pytestmark = pytest.mark.django_db(transaction=True)


def began(key: str = "basket:1", **fields: object) -> Event:
    values = {"name": "pair.began", "key": key, "occurred_at": NOON, "email": ANN, "subjects": {"basket": 1}}
    return Event(**values | fields)  # type: ignore[arg-type]


def take(*events: Event) -> None:
    inbox.publish(*events, now=NOON)
    dispatch.tick(NOON + timedelta(minutes=1))


def test_an_event_makes_the_contact_the_run_and_its_first_message(email: Letters) -> None:
    take(began(phone=PHONE, data={"name": "Ann", "language": "de"}))
    contact = Contact.objects.get()
    assert (contact.name, contact.language) == ("Ann", "de")
    assert set(ContactPoint.objects.values_list("channel", "address")) == {("email", ANN), ("sms", PHONE)}
    run = Enrolment.objects.get()
    assert (run.anchor_at, run.subjects) == (NOON, {"basket": 1})
    assert Message.objects.get().due_at == NOON + timedelta(hours=1)


def test_a_later_event_on_the_same_basket_needs_no_name(email: Letters) -> None:
    take(began())
    assert Belonging.objects.get().contact == Contact.objects.get()
    later = NOON + timedelta(minutes=40)
    inbox.publish(began(email="", occurred_at=later), now=later)
    dispatch.tick(later)
    assert Enrolment.objects.get().anchor_at == later
    assert Message.objects.get().due_at == later + timedelta(hours=1)


def test_it_is_asked_once_to_whom_a_basket_belongs(email: Letters) -> None:
    take(began())
    inbox.publish(began(email="", occurred_at=NOON + timedelta(minutes=40)), now=NOON)
    with CaptureQueriesContext(connection) as queries:
        dispatch.tick(NOON + timedelta(minutes=41))
    asked = [
        query["sql"] for query in queries if query["sql"].startswith('SELECT "oscar_crosschannel_belonging"')
    ]
    assert len(asked) == 1


@pytest.mark.parametrize(
    "mark", [{"email": ANN.upper()}, {"email": "", "phone": PHONE}], ids=["email", "phone only"]
)
def test_an_order_of_the_person_ends_the_run(email: Letters, mark: dict[str, str]) -> None:
    take(began(phone=PHONE))
    take(Event(name="order.placed", key="order:1", occurred_at=NOON, **mark))  # type: ignore[arg-type]
    run = Enrolment.objects.get(flow__key=Pair.key)
    assert (run.state, run.end_reason) == (Enrolment.State.ENDED, "purchased")
    assert run.messages.get().state == State.CANCELLED


def test_an_order_of_somebody_else_ends_nothing(email: Letters) -> None:
    take(began())
    take(Event(name="order.placed", key="order:1", occurred_at=NOON, email="bob@example.com"))
    assert Enrolment.objects.get(contact=guest()).state == Enrolment.State.ACTIVE


def test_the_same_event_twice_starts_one_run(email: Letters) -> None:
    take(began())
    take(began())
    assert Enrolment.objects.count() == Message.objects.count() == 1


def test_an_event_about_nobody_is_worked_off_and_starts_nothing(email: Letters) -> None:
    take(began(email=""))
    assert InboxEvent.objects.get().processed_at is not None
    assert not Enrolment.objects.exists()


def test_an_event_that_fails_holds_up_no_other_and_is_set_aside_at_last(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(intake.HANDLERS, "bad.news", lambda *args, **kwargs: 1 / 0)
    take(Event(name="bad.news", key="1", occurred_at=NOON), began())
    assert Enrolment.objects.exists()
    bad = InboxEvent.objects.get(name="bad.news")
    assert (bad.tries, bad.processed_at) == (1, None)
    assert "ZeroDivisionError" in bad.error
    for hours in range(1, 8):
        dispatch.tick(NOON + timedelta(hours=hours))
    bad.refresh_from_db()
    assert bad.tries == intake.TRIES
    assert bad.processed_at is not None, "set aside, with its error to be read"


@pytest.mark.rule(73)
def test_the_log_of_a_failure_names_no_address(
    email: Letters, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ValueError(f"Key (address)=({ANN}) already exists.")

    monkeypatch.setattr(intake.contacts, "identify", fail)
    take(began())
    assert "ValueError" in caplog.text
    assert ANN not in caplog.text


def test_what_was_published_again_while_it_waited_counts_once_with_its_latest_time(email: Letters) -> None:
    later = NOON + timedelta(seconds=30)
    inbox.publish(began(), now=NOON)
    take(began(occurred_at=later))
    assert Enrolment.objects.get().anchor_at == later
    assert Pair.plan().start.one_run


def test_what_is_put_into_a_basket_between_an_order_and_the_tick_starts_a_new_run(email: Letters) -> None:
    take(began())
    order = Event(name="order.placed", key="order:1", occurred_at=NOON + timedelta(minutes=5), email=ANN)
    again = began(key="basket:2", occurred_at=NOON + timedelta(minutes=6), subjects={"basket": 2})
    inbox.publish(order, now=order.occurred_at)
    inbox.publish(again, now=again.occurred_at)
    dispatch.tick(NOON + timedelta(hours=3))
    first, second = Enrolment.objects.filter(flow__key=Pair.key).order_by("id")
    assert (first.end_reason, first.ended_at) == ("purchased", order.occurred_at)
    assert (second.state, second.subjects) == (Enrolment.State.ACTIVE, {"basket": 2})


def test_a_purchase_of_the_basket_under_another_name_ends_the_run_of_its_owner(email: Letters) -> None:
    take(began())
    take(
        Event(
            name="order.placed",
            key="order:1",
            occurred_at=NOON,
            email="work@example.com",
            subjects={"order": 1, "basket": 1},
        )
    )
    assert Enrolment.objects.get(contact=guest()).end_reason == "purchased"


@pytest.fixture
def broken() -> Iterator[type[Blueprint]]:
    """A flow that an order starts, once its holdout makes sense."""

    @registered
    class Broken(Blueprint):
        """Cannot start"""

        topic = "order_updates"
        start = On("order.placed")
        holdout = 5.0
        step = send("email", at=After(days=1))

    yield Broken
    flows.unregister("broken")


def order(**fields: object) -> Event:
    values = {"name": "order.placed", "key": "order:1", "occurred_at": NOON, "email": ANN}
    return Event(**values | fields)  # type: ignore[arg-type]


def started(flow: type[Blueprint]) -> int:
    return Enrolment.objects.filter(flow__key=flow.key).count()


def entry() -> InboxEvent:
    return InboxEvent.objects.get(name="order.placed")


def test_a_flow_that_cannot_start_is_tried_again_and_undoes_no_other_flows_stop(
    email: Letters, broken: type[Blueprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def follows(self: object, event: Event) -> list[Event]:
        asked.append(event.name)
        return []

    monkeypatch.setattr(type(shop()), "follows", follows)
    take(began())
    take(order())
    assert Enrolment.objects.get(flow__key=Pair.key).end_reason == "purchased"
    assert (entry().tries, entry().processed_at, entry().left["parts"]) == (1, None, ["broken"])
    assert entry().error.startswith("broken: ValueError")
    others = set(Enrolment.objects.values_list("pk", flat=True))
    asked.clear()

    monkeypatch.setattr(broken, "holdout", 0.0)
    Contact.objects.update(name="Ann, as she calls herself since")
    dispatch.tick(NOON + timedelta(minutes=4))
    assert started(broken) == 1
    assert (entry().error, entry().left) == ("", None)
    assert entry().processed_at is not None
    assert Enrolment.objects.exclude(pk__in=others).count() == 1, "what was done is not done twice"
    assert Contact.objects.get().name == "Ann, as she calls herself since"
    assert "order.placed" not in asked


def test_what_the_shop_cannot_say_at_first_is_asked_again(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(shop()), "follows", lambda self, event: 1 / 0)
        take(order(), began(key="basket:2", email="bob@example.com"))
        assert Enrolment.objects.filter(contact=guest("bob@example.com")).exists(), "nobody else waits"
        assert entry().left["parts"] == ["what follows"]
    news = Event(name="order.news", key="1", occurred_at=NOON)
    monkeypatch.setattr(
        type(shop()), "follows", lambda self, event: [news] if event.name == "order.placed" else []
    )
    dispatch.tick(NOON + timedelta(minutes=4))
    assert InboxEvent.objects.filter(name="order.news").exists()
    assert entry().error == ""


def test_what_never_works_is_set_aside_at_last_and_can_be_tried_again(
    email: Letters, broken: type[Blueprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(order())
    for hours in range(1, 8):
        dispatch.tick(NOON + timedelta(hours=hours))
    assert entry().tries == intake.TRIES
    assert entry().processed_at is not None
    assert entry().error.startswith("broken: ValueError"), "to be read"

    monkeypatch.setattr(broken, "holdout", 0.0)
    soon = NOON + timedelta(hours=9)
    assert intake.try_again([entry().pk], now=soon) == 1
    dispatch.tick(soon)
    assert (started(broken), entry().error) == (1, "")
    assert intake.try_again([entry().pk], now=soon) == 0, "it was worked off"


def test_what_the_database_refuses_of_one_part_undoes_no_stop(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follows(self: object, event: Event) -> list[Event]:
        if event.name == "order.placed":
            InboxEvent.objects.create(name="order.placed", key="order:1", occurred_at=NOON, not_before=NOON)
        return []

    monkeypatch.setattr(type(shop()), "follows", follows)
    take(began())
    take(order())
    assert Enrolment.objects.get(flow__key=Pair.key).end_reason == "purchased"
    assert entry().left["parts"] == ["what follows"]
    assert entry().error.startswith("what follows: IntegrityError")


def test_what_the_whole_database_is_in_for_is_tried_again_as_a_whole(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    def follows(self: object, event: Event) -> list[Event]:
        raise OperationalError("deadlock detected")

    take(began())
    with monkeypatch.context() as broken:
        broken.setattr(type(shop()), "follows", follows)
        take(order())
        assert (entry().left, entry().tries) == (None, 1)
    dispatch.tick(NOON + timedelta(minutes=4))
    assert entry().error == ""
    assert Enrolment.objects.get(flow__key=Pair.key).end_reason == "purchased"


def test_a_worker_that_failed_does_not_take_back_what_another_has_done_since(
    email: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other takes the event between the end of the first one's transaction and its note of the failure."""
    with monkeypatch.context() as broken:
        broken.setattr(intake.contacts, "identify", lambda **kwargs: 1 / 0)

        def log(*args: object) -> None:
            broken.undo()
            dispatch.tick(NOON + timedelta(minutes=1))

        broken.setattr(intake.failures, "log", log)
        take(began())
    assert Enrolment.objects.count() == 1
    done = InboxEvent.objects.get()
    assert (done.tries, done.error) == (0, "")
    assert done.processed_at is not None


#: When the failed start is tried again, after a stop that found no run.
RETRY = NOON + timedelta(minutes=4)


def start_late(
    monkeypatch: pytest.MonkeyPatch, *meanwhile: Event, whole: bool = False, user_id: int | None = None
) -> bool:
    """`pair.began` fails, other things happen, and it is tried again; whether that begins a run."""
    with monkeypatch.context() as broken:
        part = (intake.contacts, "identify") if whole else (intake.enrolments, "enrol")
        broken.setattr(*part, lambda *args, **kwargs: 1 / 0)
        take(began(phone=PHONE, user_id=user_id))
    for event in meanwhile:
        inbox.publish(event, now=NOON)
    dispatch.tick(NOON + timedelta(minutes=2))
    dispatch.tick(RETRY)
    assert InboxEvent.objects.get(name="pair.began").error == ""
    return Enrolment.objects.filter(flow__key=Pair.key).exists()


SOON, BEFORE = NOON + timedelta(minutes=1), NOON - timedelta(minutes=1)


@pytest.mark.parametrize("whole", [True, False], ids=["all of it failed", "the start failed"])
def test_a_start_that_is_tried_again_begins_no_run_after_its_stop(
    email: Letters, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    bought = order(email=ANN.upper(), occurred_at=SOON)
    assert not start_late(monkeypatch, bought, whole=whole)


@pytest.mark.parametrize("known_by", ["phone", "account"])
def test_a_stop_is_theirs_by_whatever_names_them(
    email: Letters, monkeypatch: pytest.MonkeyPatch, known_by: str
) -> None:
    user_id = account().pk
    mark = {"phone": PHONE} if known_by == "phone" else {"user_id": user_id}
    bought = order(**{"email": "", "occurred_at": SOON, **mark})
    assert not start_late(monkeypatch, bought, user_id=user_id)


@pytest.mark.parametrize(
    "other", [{"email": "bob@example.com"}, {"occurred_at": BEFORE}], ids=["bob", "earlier"]
)
def test_a_start_that_is_tried_again_begins_its_run_if_nothing_stopped_it(
    email: Letters, monkeypatch: pytest.MonkeyPatch, other: dict[str, object]
) -> None:
    assert start_late(monkeypatch, order(**{"occurred_at": SOON} | other))


@pytest.fixture
def about_one() -> Iterator[type[Blueprint]]:
    """A flow about one order, which ends with that order only."""

    @registered
    class AboutOne(Blueprint):
        """About one order"""

        topic = "order_updates"
        start = On("about.began")
        stops = (On("about.over", same="order"),)
        step = send("email", at=After(days=1))

    yield AboutOne
    flows.unregister("about_one")


@pytest.mark.parametrize("ended", [1, 2])
def test_a_start_that_is_tried_again_heeds_only_stops_about_the_same(
    email: Letters, about_one: type[Blueprint], monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    start = Event(name="about.began", key="1", occurred_at=NOON, email=ANN, subjects={"order": 1})
    with monkeypatch.context() as broken:
        broken.setattr(intake.enrolments, "enrol", lambda *args, **kwargs: 1 / 0)
        take(start)
    take(Event(name="about.over", key="1", occurred_at=SOON, email=ANN, subjects={"order": ended}))
    dispatch.tick(RETRY)
    assert started(about_one) == (0 if ended == 1 else 1)


def test_what_is_published_again_is_worked_off_as_a_whole(email: Letters, broken: type[Blueprint]) -> None:
    take(order())
    assert entry().left is not None
    inbox.publish(order(occurred_at=NOON + timedelta(minutes=2)), now=NOON)
    assert (entry().left, entry().tries) == (None, 0)
