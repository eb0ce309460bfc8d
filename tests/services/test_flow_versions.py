"""How a flow stood after each change: kept as a value, and a way back."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from oscar_crosschannel.core.plan import StepTuning, Tuning
from oscar_crosschannel.models import Copy, Flow, FlowStep, FlowVersion
from oscar_crosschannel.services import copies, flow_versions, own_flows, tuning
from oscar_crosschannel.services.flow_versions import Outline, Standing
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, make_contacts, owe
from tests.services.stage import Pair, make_offer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: Says something of everything.
EVERYTHING = StepTuning(
    title="Hello", delay=-HOUR, expires=DAY, channels=("sms", "email"), patience=HOUR / 2, voucher=True,
    voucher_valid=8 * DAY, offer_id=1, unless="", only_if="purchased", removed=True,
)  # fmt: skip


@pytest.fixture
def flow() -> Flow:
    load_plans()
    return Flow.objects.get(key=Pair.key)


def change(flow: Flow, *, author: Any = None, words: Any = None, **steps: StepTuning) -> None:
    with transaction.atomic():
        locked = tuning.lock(flow.pk)
        tuning.retune(locked, Pair.plan(), Tuning(steps=steps), now=NOON, author=author, words=words)


def versions(flow: Flow) -> list[FlowVersion]:
    return list(FlowVersion.objects.filter(flow=flow).order_by("number"))


# It works.


def test_a_standing_comes_back_as_it_was_kept(flow: Flow) -> None:
    assert all(getattr(EVERYTHING, field.name) is not None for field in fields(StepTuning))
    outline = Outline(
        title="T", topic="events", stops=("order.placed",), once=True, again_after=2 * DAY, priority=7
    )
    stood = Standing(
        tuning=Tuning(version=3, enabled=False, shadow=True, holdout=0.1, steps={"first": EVERYTHING}),
        outline=outline,
        words={("first", "sms", "en", ""): {"subject": None, "text": "Hi", "html": ""}},
    )
    row = FlowVersion.objects.create(flow=flow, number=3, made_at=NOON, state=flow_versions.as_json(stood))

    assert flow_versions.from_json(FlowVersion.objects.get(pk=row.pk)) == stood


def test_the_first_change_keeps_how_it_stood_before_too(flow: Flow) -> None:
    author = get_user_model().objects.create_user("ed")
    change(flow, author=author.pk, first=StepTuning(delay=2 * HOUR))

    before, after = versions(flow)
    assert (before.number, before.author, flow_versions.from_json(before).tuning.steps) == (1, None, {})
    assert (after.number, after.author, after.made_at) == (2, author, NOON)
    assert flow_versions.from_json(after).tuning.steps == {"first": StepTuning(delay=2 * HOUR)}


def test_words_are_part_of_a_version(flow: Flow) -> None:
    with transaction.atomic():
        draft = Copy(flow=flow, step_key="second", channel="sms", language="en", text="Hi")
        copies.keep(tuning.lock(flow.pk), draft, now=NOON)

    before, after = versions(flow)
    assert flow_versions.from_json(before).words == {}
    assert flow_versions.from_json(after).words == {
        ("second", "sms", "en", ""): {"subject": None, "text": "Hi", "html": None}
    }


def test_a_flow_made_from_scratch_begins_with_a_version_of_its_own() -> None:
    outline = Outline(title="Hello you", topic="weekly_deals", stops=("order.placed",))
    flow = own_flows.create(outline, "user.registered", author=None, now=NOON)

    assert (flow.key, flow.enabled, flow.trigger) == ("own-hello_you", False, "user.registered")
    (version,) = versions(flow)
    assert flow_versions.from_json(version).outline == outline


def test_what_is_wanted_may_be_steps_and_words_together(flow: Flow) -> None:
    change(flow, words={("first", "email", "en", ""): {"subject": "S", "text": "T", "html": None}})
    change(flow, words={("second", "sms", "en", ""): {"subject": None, "text": "T", "html": None}})

    assert list(Copy.objects.values_list("step_key", "text")) == [("second", "T")]
    assert len(versions(flow)) == 3


# It refuses.


def test_nobody_makes_a_flow_of_an_event_that_starts_none() -> None:
    with pytest.raises(ValueError, match="No flow begins with"):
        own_flows.create(Outline(title="T", topic="weekly_deals"), "order.voided", author=None, now=NOON)


def test_a_flow_of_the_project_is_not_deleted(flow: Flow) -> None:
    with pytest.raises(ValueError, match="cannot be deleted"):
        own_flows.delete(flow)


def test_a_flow_whose_people_were_all_erased_is_not_deleted() -> None:
    """What they were sent stays, without their runs."""
    own = own_flows.create(
        Outline(title="Hello", topic="weekly_deals"), "user.registered", author=None, now=NOON
    )
    (person,) = make_contacts(1)
    message = owe(person, Pair, "news", due=NOON)
    message.flow, message.enrolment = own, None
    message.save()

    with pytest.raises(ValueError, match="cannot be deleted"):
        own_flows.delete(own)


# It survives.


def test_going_back_never_frees_a_key(flow: Flow) -> None:
    own = StepTuning(title="Mine", delay=3 * HOUR, channels=("email",))
    change(flow, mine=own)
    present = flow_versions.standing(flow)
    past = flow_versions.from_json(versions(flow)[0])

    wanted = flow_versions.going_back(present, past, declared={"first", "second"}, offers=())
    change(flow, **wanted.tuning.steps)

    assert FlowStep.objects.get(key="mine").removed_at == NOON
    assert own_flows.free_step_key(flow, Pair.plan(), "Mine") == "mine_2"


def test_an_offer_that_is_gone_is_not_gone_back_to(flow: Flow) -> None:
    offer = make_offer()
    change(flow, second=StepTuning(offer_id=offer.pk, delay=DAY / 2))
    past = flow_versions.from_json(versions(flow)[1])

    kept = flow_versions.going_back(past, past, declared={"second"}, offers=[offer.pk])
    assert kept.tuning.steps["second"].offer_id == offer.pk
    without = flow_versions.going_back(past, past, declared={"second"}, offers=())
    assert without.tuning.steps["second"] == StepTuning(delay=DAY / 2)


def test_what_a_later_release_no_longer_knows_is_left_out(flow: Flow) -> None:
    change(flow, first=StepTuning(delay=2 * HOUR))
    row = versions(flow)[1]
    row.state["steps"]["first"]["colour"] = "red"

    assert flow_versions.from_json(row).tuning.steps == {"first": StepTuning(delay=2 * HOUR)}


def test_a_title_is_reused_and_its_key_is_not() -> None:
    outline = Outline(title="Hello", topic="weekly_deals")
    keys = [own_flows.create(outline, "user.registered", author=None, now=NOON).key for _each in range(3)]
    assert keys == ["own-hello", "own-hello_2", "own-hello_3"]
