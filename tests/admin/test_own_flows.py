"""A merchant makes a flow, and steps of their own in any: in the admin, without code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel import Event, api
from oscar_crosschannel.conf import triggers
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.triggers import Trigger
from oscar_crosschannel.models import Copy, Enrolment, Flow, FlowStep, FlowVersion, Message, Topic
from oscar_crosschannel.services import dispatch
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW, KettleCalls
from tests.admin.test_flow_editing import filled, opened, parsed, refused, saved, url, words
from tests.admin.test_topics import staff

LIST = reverse("admin:oscar_crosschannel_flow_changelist")
ADD = reverse("admin:oscar_crosschannel_flow_add")

FLOW = {"title": "Thanks, and come again", "trigger": "user.registered", "topic": "order_updates"}
STEP = {
    "new.step-title": "Say hello",
    "new.step-delay_number": "2",
    "new.step-delay_unit": "hours",
    "new.step-channels": "email",
}
HELLO = {"subject": "Hello!", "text": "Hello {{ name }}, from {{ brand }}."}


@pytest.fixture
def maker() -> Client:
    """Staff who may make, change and delete flows, and write words."""
    allowed = ["view_flow", "change_flow", "add_flow", "delete_flow", "view_copy", "change_copy"]
    return staff(*allowed, name="maker")


@pytest.fixture
def kettle() -> Flow:
    load_plans()
    return Flow.objects.get(key=KettleCalls.key)


def made(client: Client, **more: str) -> Flow:
    """A flow from scratch."""
    page = filled(parsed(client.get(ADD)))
    answer = client.post(ADD, {**page, **FLOW, **more})
    assert answer.status_code == 302, words(answer)
    return Flow.objects.latest("pk")


def add_step(client: Client, flow: Flow, **more: str) -> Any:
    address = url(flow, "add_step")
    return client.post(address, {**filled(parsed(client.get(address))), **STEP, **more})


def write(client: Client, flow: Flow, step: str, *, language: str = "en", **parts: str) -> Any:
    place = [flow.pk, step, "email", language]
    address = reverse("admin:oscar_crosschannel_flow_words", args=place)
    return client.post(address, {**filled(parsed(client.get(address))), **(parts or HELLO), "do": "save"})


def switch(client: Client, flow: Flow, state: str) -> Any:
    return saved(client, flow, opened(client, flow), state=state)


def ready(client: Client, **more: str) -> Flow:
    """A flow that is on."""
    flow = made(client, **more)
    add_step(client, flow)
    write(client, flow, "say_hello")
    assert switch(client, flow, "on").status_code == 302
    return flow


def ada_registers(key: str = "user:1") -> None:
    user, _new = get_user_model().objects.get_or_create(
        username="ada", email="ada@example.com", first_name="Ada"
    )
    event = Event(
        name="user.registered",
        key=key,
        occurred_at=NOW,
        user_id=user.pk,
        email=user.email,
        data={"name": "Ada"},
    )
    api.publish(event)


# It works.


def test_a_flow_made_from_scratch_runs_and_sends(maker: Client) -> None:
    flow = made(maker)
    assert "Before it can be switched on Add a step." in words(maker.get(url(flow, "change")))

    answer = add_step(maker, flow)
    assert answer["Location"] == url(flow, "words_list")
    assert "Write the words of “Say hello” for email: English." in words(maker.get(url(flow, "change")))
    assert write(maker, flow, "say_hello").status_code == 302
    assert switch(maker, flow, "on").status_code == 302

    ada_registers()
    dispatch.tick(NOW)
    assert not mail.outbox
    with time_machine.travel(NOW + 2 * HOUR, tick=False):
        dispatch.tick(NOW + 2 * HOUR)

    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["ada@example.com"], "Hello!")
    assert "Hello Ada, from" in letter.body
    assert Enrolment.objects.get(flow=flow).state == Enrolment.State.ENDED


def test_words_in_the_shops_own_language_are_enough(maker: Client) -> None:
    flow = ready(maker)

    assert "Deutsch Subject: your words, in the shop’s own language" in words(
        maker.get(url(flow, "words_list"))
    )


def test_what_ends_it_and_how_often_it_begins_can_be_changed_later(maker: Client) -> None:
    flow = made(maker, trigger="basket.active", topic="weekly_deals", once="on")
    data = opened(maker, flow)
    assert data["once"] == "on"
    del data["once"]

    saved(
        maker, flow, data,
        **{"title": "Baskets", "topic": "basket_reminders", "stop-order.placed": "on", "priority": "20",
           "again_after_number": "3", "again_after_unit": "days"},
    )  # fmt: skip

    flow.refresh_from_db()
    assert (flow.title, flow.topic, flow.stops, flow.once, flow.priority, flow.again_after) == (
        "Baskets", "basket_reminders", "order.placed", False, 20, timedelta(days=3),
    )  # fmt: skip
    told = LogEntry.objects.latest("pk").get_change_message()
    assert "Title: Thanks, and come again → Baskets" in told
    assert "Ends when: nothing ends it → " in told
    plan = next(item.plan for item in load_plans() if item.flow_id == flow.pk)
    assert [stop.event for stop in plan.stops] == ["order.placed"]


def test_what_is_planned_speaks_of_the_new_topic(maker: Client) -> None:
    flow = ready(maker)
    ada_registers()
    dispatch.tick(NOW)

    asked = saved(maker, flow, opened(maker, flow), topic="weekly_deals", priority="80")
    told = "1 is judged as “Weekly deals” (marketing) from now on: without consent to that, it is not sent."
    assert told in words(asked)
    assert Message.objects.get().topic == "order_updates"
    maker.post(url(flow), {**filled(parsed(asked)), "do": "confirm"})

    message = Message.objects.get()
    assert (message.topic, message.purpose, message.priority) == ("weekly_deals", "marketing", 80)


def test_a_step_of_ones_own_joins_a_shipped_flow_once_it_has_words(maker: Client, kettle: Flow) -> None:
    add_step(maker, kettle, **{"new.step-title": "Last call", "new.step-delay_number": "6"})
    row = FlowStep.objects.get(flow=kettle, key="last_call")
    assert (row.removed_at, row.delay, row.channels, row.title) == (NOW, 6 * HOUR, ["email"], "Last call")

    data = {**opened(maker, kettle), "last_call-on": "on"}
    assert "This step has no words for email yet (English). Write them first." in refused(
        saved(maker, kettle, data)
    )
    write(maker, kettle, "last_call")
    assert saved(maker, kettle, {**opened(maker, kettle), "last_call-on": "on"}).status_code == 302

    plan = next(item.plan for item in load_plans() if item.flow_id == kettle.pk)
    assert [step.key for step in plan.steps] == ["whistle", "last_call", "steam"]
    assert "Last call 6 hours after email" in words(maker.get(url(kettle, "change")))


def test_everything_about_a_step_can_be_said(maker: Client, kettle: Flow) -> None:
    add_step(
        maker, kettle,
        **{"new.step-delay_number": "6", "new.step-channels": "sms+email", "new.step-worth_number": "5", "new.step-patience_number": "2", "new.step-patience_unit": "hours",
           "new.step-only_if": "purchased", "new.step-voucher": "yes", "new.step-voucher_valid_number": "8",
           "new.step-voucher_valid_unit": "days"},
    )  # fmt: skip

    row = FlowStep.objects.get(flow=kettle, key="say_hello")
    assert (row.channels, row.expires, row.patience, row.only_if, row.voucher, row.voucher_valid) == (
        ["sms", "email"], 11 * HOUR, 2 * HOUR, "purchased", True, timedelta(days=8),
    )  # fmt: skip
    assert saved(maker, kettle, opened(maker, kettle)).status_code == 302
    assert Flow.objects.get(pk=kettle.pk).version == 2  # saving what was there changes nothing


def test_a_step_may_come_before_what_it_announces(maker: Client) -> None:
    triggers.register(Trigger(event="fair.opens", title="The fair opens", anchor="opens_at", is_service=True))
    try:
        flow = made(maker, trigger="fair.opens")
        add_step(maker, flow, **{"new.step-side": "before"})
        assert FlowStep.objects.get(flow=flow).delay == -2 * HOUR
        assert filled(parsed(maker.get(url(flow))))["say_hello-side"] == "before"
    finally:
        triggers.unregister("fair.opens")


def test_a_step_is_renamed_and_its_time_decides_its_place(maker: Client, kettle: Flow) -> None:
    saved(maker, kettle, opened(maker, kettle), **{"steam-title": "Hot steam", "whistle-delay_number": "30"})

    page = parsed(maker.get(url(kettle)))
    assert [heading.get_text() for heading in page.select("section h2")][1:] == ["Hot steam", "Whistle"]
    assert "Hot steam 1 day after" in words(maker.get(url(kettle, "change")))


def test_the_list_tells_state_people_and_the_last_month(maker: Client, kettle: Flow) -> None:
    ledger.sent_by_email(ledger.run(ledger.person("Ann", email="ann@example.com")))
    ledger.dropped(ledger.run(ledger.person("Ben")))
    flow = made(maker)

    page = parsed(maker.get(LIST))
    rows = {
        str(cells[0]): cells[1:]
        for row in page.select("#result_list tbody tr")
        if (cells := [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])])
    }
    assert rows["The kettle calls"] == ["On", "2", "1", "1", "0", "As shipped"]
    assert rows[flow.title] == ["Off", "0", "0", "0", "0", "Your own"]
    assert "Numbers are messages of the last 30 days." in words(maker.get(LIST))
    switch(maker, kettle, "shadow")
    assert "In shadow mode" in words(maker.get(LIST))


def test_the_list_costs_the_same_however_many_flows_there_are(maker: Client, kettle: Flow) -> None:
    maker.get(LIST)
    with CaptureQueriesContext(connection) as few:
        maker.get(LIST)
    for number in range(5):
        made(maker, title=f"Flow {number}")
    with CaptureQueriesContext(connection) as many:
        maker.get(LIST)
    assert len(many) == len(few)


def test_in_shadow_mode_it_says_so_and_sends_nothing(maker: Client, merchant: Client) -> None:
    flow = ready(maker)
    switch(maker, flow, "shadow")
    assert "Shadow mode: this flow sends nothing." in words(maker.get(url(flow, "change")))

    ada_registers()
    dispatch.tick(NOW)
    dispatch.tick(NOW + 2 * HOUR)

    message = Message.objects.get()
    assert (message.state, mail.outbox) == (State.DROPPED, [])
    told = words(merchant.get(reverse("admin:oscar_crosschannel_message_changelist")))
    assert "it would have gone out by email, but the flow is in shadow mode" in told


def test_a_flow_in_shadow_mode_needs_no_words_yet(maker: Client) -> None:
    flow = made(maker)
    add_step(maker, flow)

    assert switch(maker, flow, "shadow").status_code == 302


def test_a_flow_that_nobody_has_been_in_is_deleted(maker: Client) -> None:
    flow = ready(maker)
    gone = reverse("admin:oscar_crosschannel_flow_delete", args=[flow.pk])
    assert parsed(maker.get(url(flow, "change"))).find("a", string="Delete")

    assert maker.get(gone).status_code == 200
    assert maker.post(gone, {"post": "yes"}).status_code == 302

    assert not Flow.objects.filter(pk=flow.pk).exists()
    assert not FlowStep.objects.filter(flow=flow.pk).exists()
    assert not FlowVersion.objects.filter(flow=flow.pk).exists()


# It refuses.


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": ""}, "This field is required."),
        ({"trigger": ""}, "This field is required."),
        ({"trigger": "order.voided"}, "is not one of the available choices."),
        ({"topic": "account_security"}, "is not one of the available choices."),
        ({"topic": "service"}, "is not one of the available choices."),
        ({"topic": "nonsense"}, "is not one of the available choices."),
        ({"priority": "1"}, "is not one of the available choices."),
    ],
)
def test_a_flow_that_makes_no_sense_is_not_made(
    changes: dict[str, str], sentence: str, maker: Client
) -> None:
    before = Flow.objects.count()
    told = refused(maker.post(ADD, {**filled(parsed(maker.get(ADD))), **FLOW, **changes}))

    assert sentence in told
    assert Flow.objects.count() == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"new.step-title": ""}, "This field is required."),
        ({"new.step-delay_number": ""}, "Say when it falls due; 0 stands for at once."),
        ({"new.step-channels": ""}, "Choose at least one channel."),
        ({"new.step-channels": "pigeon"}, "is not one of the available choices."),
        ({"new.step-worth_number": "0"}, "It would never be sent."),
        (
            {"new.step-delay_number": "1"},
            "Say hello: This step falls due together with “Whistle” (1 hour after).",
        ),
        (
            {"new.step-only_if": "purchased", "new.step-unless": "purchased"},
            "It would never be sent: this is also what it is sent for only.",
        ),
    ],
)
def test_a_step_that_makes_no_sense_is_not_added(
    changes: dict[str, str], sentence: str, maker: Client, kettle: Flow
) -> None:
    assert sentence in refused(add_step(maker, kettle, **changes))
    assert not FlowStep.objects.exists()


def test_a_flow_without_steps_or_words_is_not_switched_on(maker: Client) -> None:
    flow = made(maker)
    assert "It has no steps yet. Add one before you switch it on." in refused(switch(maker, flow, "on"))

    add_step(maker, flow)
    assert "This step has no words for email yet (English). Write them first." in refused(
        switch(maker, flow, "on")
    )
    assert Flow.objects.get(pk=flow.pk).enabled is False


def test_where_no_words_are_shipped_the_page_speaks_of_none(maker: Client) -> None:
    flow = made(maker)
    add_step(maker, flow)
    answer = write(maker, flow, "say_hello")
    told = words(maker.get(answer["Location"]))
    assert "Without HTML it goes out as plain text." in told
    assert "come with the flow" not in told
    assert "shipped words" not in told


def test_who_lacks_words_is_led_to_where_they_are_written(maker: Client) -> None:
    flow = made(maker)
    add_step(maker, flow)
    assert parsed(switch(maker, flow, "on")).select(f".errorlist a[href='{url(flow, 'words_list')}']")


def test_the_usual_offer_is_told_from_the_same_by_its_name(maker: Client, settings: Any) -> None:
    settings.CROSSCHANNEL_VOUCHER_OFFER = "Come back: 10 % off"
    usual = parsed(maker.get(url(made(maker), "add_step"))).select("select[name='new.step-offer'] option")
    assert usual[0].get_text() == "The shop’s usual offer (Come back: 10 % off)"


def test_words_that_lack_a_part_are_not_kept_and_the_part_is_named(maker: Client) -> None:
    flow = made(maker)
    add_step(maker, flow)

    answer = write(maker, flow, "say_hello", subject="Hello!", text="")
    subject, text = parsed(answer).select("#words .cc-part")[:2]
    assert "No words come with this message" not in subject.get_text()
    assert "No words come with this message, so it needs some of yours." in text.get_text()
    assert not Copy.objects.exists()


@pytest.mark.rule(39)
def test_what_belongs_to_an_order_gives_no_code(maker: Client) -> None:
    flow = made(maker)
    sentence = "A code promotes something, and messages of this topic may not."
    assert sentence in refused(add_step(maker, flow, **{"new.step-voucher": "yes"}))

    add_step(maker, flow)
    data = opened(maker, flow)
    assert sentence in refused(saved(maker, flow, data, **{"say_hello-voucher": "yes"}))
    assert (
        saved(maker, flow, data, **{"say_hello-voucher": "yes", "topic": "weekly_deals"}).status_code == 302
    )
    assert sentence in refused(saved(maker, flow, opened(maker, flow), topic="order_updates"))
    assert Flow.objects.get(pk=flow.pk).topic == "weekly_deals"


@pytest.mark.rule(39)
def test_a_flow_whose_words_promote_does_not_become_part_of_an_order(maker: Client) -> None:
    flow = made(maker, topic="weekly_deals")
    add_step(maker, flow, **{"new.step-voucher": "yes"})
    write(maker, flow, "say_hello", subject="Hello!", text="Take {{ voucher.code }}.")
    data = opened(maker, flow)
    assert "Its words promote something" in refused(
        saved(maker, flow, data, **{"say_hello-voucher": "no", "topic": "order_updates"})
    )


@pytest.mark.rule(39)
def test_who_may_override_that_says_why(maker: Client) -> None:
    flow = made(maker)
    add_step(maker, flow)
    chief = staff("view_flow", "change_flow", "override_purpose", name="chief")
    answer = saved(chief, flow, opened(chief, flow), **{"say_hello-voucher": "yes"})
    assert "Why it is kept nevertheless" in refused(answer)

    assert saved(chief, flow, filled(parsed(answer)), why="Replaces a broken one.").status_code == 302
    told = LogEntry.objects.latest("pk").get_change_message()
    assert told.endswith("promotes nevertheless: Replaces a broken one.")


def test_a_flow_that_people_have_been_in_stays(maker: Client) -> None:
    flow = ready(maker)
    ada_registers()
    dispatch.tick(NOW)
    gone = reverse("admin:oscar_crosschannel_flow_delete", args=[flow.pk])

    told = words(maker.get(gone))
    assert "People have been inside, and what they got is kept with it. Switch it off instead." in told
    maker.post(gone, {"post": "yes"})
    assert Flow.objects.filter(pk=flow.pk).exists()


def test_a_shipped_flow_is_never_deleted(superuser: Client, kettle: Flow) -> None:
    gone = reverse("admin:oscar_crosschannel_flow_delete", args=[kettle.pk])

    assert superuser.get(gone).status_code == 403
    assert superuser.post(gone, {"post": "yes"}).status_code == 403
    assert not parsed(superuser.get(url(kettle, "change"))).find("a", string="Delete")


def test_without_permissions_nothing_is_made_or_deleted(merchant: Client, maker: Client) -> None:
    flow = made(maker)
    gone = reverse("admin:oscar_crosschannel_flow_delete", args=[flow.pk])
    for page in (ADD, url(flow, "add_step"), gone):
        assert merchant.get(page).status_code == 403
        assert merchant.post(page, {**FLOW, **STEP, "post": "yes"}).status_code == 403
    assert not FlowStep.objects.exists()
    assert "Add flow" not in words(merchant.get(LIST))
    assert not parsed(merchant.get(url(flow, "change"))).find("a", string="Add a step")


# It survives.


def test_keys_are_never_used_again(maker: Client, kettle: Flow) -> None:
    add_step(maker, kettle, **{"new.step-delay_number": "6"})
    assert FlowStep.objects.get(flow=kettle).removed_at  # switched off: a tombstone
    add_step(maker, kettle, **{"new.step-delay_number": "7"})
    add_step(maker, kettle, **{"new.step-delay_number": "8", "new.step-title": "Whistle"})
    add_step(maker, kettle, **{"new.step-delay_number": "9", "new.step-title": "もう一度"})

    assert list(FlowStep.objects.order_by("pk").values_list("key", flat=True)) == [
        "say_hello", "say_hello_2", "whistle_2", "step",
    ]  # fmt: skip
    assert [made(maker).key, made(maker).key] == [
        "own-thanks_and_come_again", "own-thanks_and_come_again_2",
    ]  # fmt: skip
    assert made(maker, title="Kettle calls").key == "own-kettle_calls", "the shop has a flow `kettle_calls`"


def test_a_trigger_that_is_gone_leaves_the_page_of_its_flow(maker: Client) -> None:
    triggers.register(Trigger(event="fair.opens", title="The fair opens", is_service=True))
    flow = made(maker, trigger="fair.opens", **{"stop-fair.opens": "on"})
    triggers.unregister("fair.opens")

    assert "No longer declared" in words(maker.get(url(flow, "change")))
    assert "No longer declared" in words(maker.get(LIST))
    assert maker.get(url(flow)).status_code == 404


def test_a_topic_that_shoppers_no_longer_choose_can_be_kept(maker: Client) -> None:
    flow = made(maker, topic="weekly_deals")
    Topic.objects.filter(key="weekly_deals").update(purpose="critical")

    assert saved(maker, flow, opened(maker, flow), title="New").status_code == 302


def test_titles_stay_text(maker: Client) -> None:
    flow = made(maker, title="<script>alert(1)</script>")
    add_step(maker, flow, **{"new.step-title": "<img src=x onerror=alert(1)>"})
    for page in (
        LIST,
        *(url(flow, name) for name in ("change", "edit", "words_list", "versions", "add_step")),
    ):
        html = maker.get(page).content.decode()
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_a_renamed_step_is_called_so_everywhere(maker: Client, merchant: Client, kettle: Flow) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    run = ledger.run(ann)
    message = ledger.sent_by_email(run)
    saved(maker, kettle, opened(maker, kettle), **{"whistle-title": "Friendly whistle"})

    for row in (ann, run, message):
        model = row._meta.model_name
        assert "Friendly whistle" in words(
            merchant.get(reverse(f"admin:oscar_crosschannel_{model}_change", args=[row.pk]))
        )
    listed = reverse("admin:oscar_crosschannel_message_changelist")
    assert "The kettle calls: Friendly whistle" in words(merchant.get(listed))


@pytest.mark.rule(1, 39)
@pytest.mark.parametrize("topic", ["order_updates", "events"])
def test_what_nobody_asked_for_is_marketing(topic: str, maker: Client) -> None:
    """Else a basket that was left behind could be chased without a consent, at night, without a limit."""
    page = filled(parsed(maker.get(ADD)))
    answer = maker.post(ADD, {**page, **FLOW, "trigger": "basket.active", "topic": topic})

    assert "What begins so is advertising" in words(answer)
    assert not Flow.objects.filter(trigger="basket.active").exists()
    assert made(maker, trigger="basket.active", topic="weekly_deals").trigger == "basket.active"
