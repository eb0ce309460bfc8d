"""What a change means for people inside, who changed what when, and the way back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Copy, Flow, FlowStep, FlowVersion, Message, Topic
from oscar_crosschannel.services import own_flows
from oscar_crosschannel.services.flow_versions import Outline
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW, KettleCalls
from tests.admin.test_flow_editing import editor_named, filled, opened, parsed, refused, saved, url, words
from tests.admin.test_topics import staff
from tests.services.stage import make_offer


@pytest.fixture
def flow() -> Flow:
    load_plans()
    return Flow.objects.get(key=KettleCalls.key)


@pytest.fixture
def editor() -> Client:
    return editor_named("ed")


def version(flow: Flow, number: int) -> str:
    return reverse("admin:oscar_crosschannel_flow_version", args=[flow.pk, number])


def write(client: Client, flow: Flow, text: str) -> Any:
    address = reverse("admin:oscar_crosschannel_flow_words", args=[flow.pk, "steam", "sms", "en"])
    return client.post(address, {**filled(parsed(client.get(address))), "text": text, "do": "save"})


def waits(name: str, *, for_hours: int, step: str = "whistle") -> Message:
    """Somebody inside whose message falls due in so many hours."""
    delay = {"whistle": 1, "steam": 24}[step]
    began = NOW + (for_hours - delay) * HOUR
    run = ledger.run(ledger.person(name), began=began)
    return ledger.message(run, step, State.PLANNED, due_at=NOW + for_hours * HOUR)


def numbers(flow: Flow) -> list[int]:
    return list(FlowVersion.objects.filter(flow=flow).order_by("number").values_list("number", flat=True))


# It works.


def test_before_saving_the_page_tells_what_it_means_for_people_inside(editor: Client, flow: Flow) -> None:
    waits("Ann", for_hours=20, step="steam")
    waits("Ben", for_hours=3, step="steam")
    waits("Cem", for_hours=1)
    data = opened(editor, flow)
    del data["whistle-on"]

    asked = saved(editor, flow, data, **{"steam-delay_number": "20"})

    told = words(asked)
    assert "Delay of Steam: 1 day after (as declared) → 20 hours after" in told
    assert "3 messages are waiting for people inside." in told
    assert "1 becomes due now." in told
    assert "1 loses its step: it is not sent, and the next step is planned instead." in told
    assert "1 is planned anew, from the event that began the run." in told
    assert (FlowStep.objects.count(), Flow.objects.get(pk=flow.pk).version) == (0, 1)


def test_what_was_told_is_what_is_done(editor: Client, flow: Flow) -> None:
    ann, ben = waits("Ann", for_hours=20, step="steam"), waits("Ben", for_hours=3, step="steam")
    asked = saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "20"})

    answer = editor.post(url(flow), {**filled(parsed(asked)), "do": "confirm"}, follow=True)

    assert "2 planned messages follow the change." in answer.content.decode()
    due = dict(Message.objects.values_list("pk", "due_at"))
    assert due == {ann.pk: NOW + 16 * HOUR, ben.pk: NOW - HOUR}


def test_one_may_go_back_to_the_form_and_lose_nothing(editor: Client, flow: Flow) -> None:
    waits("Ann", for_hours=20, step="steam")
    asked = saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "20"})

    form = filled(parsed(editor.post(url(flow), {**filled(parsed(asked)), "do": "edit"})))

    assert form["steam-delay_number"] == "20"
    assert not FlowStep.objects.exists()


def test_a_reset_is_asked_first_when_it_touches_somebody(editor: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30"})
    waits("Ann", for_hours=26, step="steam")

    asked = editor.post(url(flow), {**opened(editor, flow), "reset": "steam"})
    assert "1 is planned anew" in words(asked)
    assert editor.post(url(flow), {**filled(parsed(asked)), "do": "confirm"}).status_code == 302
    assert not FlowStep.objects.exists()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("off", "From now on, what falls due is not sent, and not made up for later. People stay inside."),
        ("shadow", "From now on, what falls due is decided and recorded, and not sent."),
    ],
)
def test_switching_off_is_asked_while_people_are_inside(
    state: str, sentence: str, editor: Client, flow: Flow
) -> None:
    waits("Ann", for_hours=1)
    asked = saved(editor, flow, opened(editor, flow), state=state)

    assert f"1 message is waiting for somebody inside. {sentence}" in words(asked)
    assert Flow.objects.get(pk=flow.pk).enabled is None


def test_a_step_that_moves_to_the_front_is_told_to_be_missed(editor: Client, flow: Flow) -> None:
    waits("Ann", for_hours=1)
    asked = saved(editor, flow, opened(editor, flow), **{"whistle-delay_number": "30"})

    assert "1 person waits for a later step already, and does not get “Steam”." in words(asked)
    assert not FlowStep.objects.exists()


def test_who_is_past_a_new_step_is_told_to_miss_it(editor: Client, flow: Flow) -> None:
    waits("Ann", for_hours=20, step="steam")
    for language in ("en", "de", "fr"):
        Copy.objects.create(
            flow=flow, step_key="hiss", channel="email", language=language, subject="s", text="t"
        )
    FlowStep.objects.create(
        flow=flow, key="hiss", title="Hiss", delay=6 * HOUR, channels=["email"], removed_at=NOW
    )

    asked = saved(editor, flow, {**opened(editor, flow), "hiss-on": "on"})

    assert "1 person waits for a later step already, and does not get “Hiss”." in words(asked)


def test_every_change_is_a_version_with_its_author(editor: Client, merchant: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30"})
    write(editor, flow, "Now or never. STOP {{ brand }}")
    saved(editor_named("olga"), flow, opened(editor, flow), state="shadow")

    assert numbers(flow) == [1, 2, 3, 4]
    told = words(merchant.get(url(flow, "versions")))
    in_order = [
        "Version 4 In force", "olga Flow: on (as declared) → in shadow mode",
        "Version 3", "ed Words of Steam, SMS, English: Text",
        "Version 2", "ed Delay of Steam: 1 day after (as declared) → 1 day 6 hours after",
        "Version 1", "As it stood before the first change",
    ]  # fmt: skip
    places = [told.find(each) for each in in_order]
    assert -1 not in places
    assert places == sorted(places)


def test_a_version_shows_how_words_changed_line_by_line(editor: Client, merchant: Client, flow: Flow) -> None:
    write(editor, flow, "{{ brand }}: your kettle\nis singing. STOP")
    write(editor, flow, "{{ brand }}: your kettle\nis calling. STOP")

    page = parsed(merchant.get(version(flow, 3)))
    assert [each.get_text() for each in page.select("del")][:1] == ["is singing. STOP"]
    assert [each.get_text() for each in page.select("ins")][:1] == ["is calling. STOP"]
    assert "The flow stands as it did then." not in page.get_text()  # it is in force


def test_going_back_restores_steps_words_and_what_is_planned(editor: Client, flow: Flow) -> None:
    write(editor, flow, "First. STOP {{ brand }}")
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30", "state": "off"})
    write(editor, flow, "Second. STOP {{ brand }}")
    message = waits("Ann", for_hours=26, step="steam")
    Message.objects.update(due_at=NOW + 32 * HOUR)

    told = words(editor.get(version(flow, 2)))
    assert "Delay of Steam: 1 day 6 hours after → 1 day after (as declared)" in told
    assert "Flow: off → on (as declared)" in told
    assert "Words of Steam, SMS, English: Text" in told
    assert "1 message is waiting for somebody inside. 1 is planned anew" in told
    assert editor.post(version(flow, 2)).status_code == 302

    assert not FlowStep.objects.exists()
    assert Copy.objects.get().text == "First. STOP {{ brand }}"
    flow.refresh_from_db()
    assert (flow.enabled, flow.version) == (None, 5)
    assert Message.objects.get(pk=message.pk).due_at == NOW + 26 * HOUR
    assert LogEntry.objects.latest("pk").get_change_message().startswith("back to version 2; Flow: off")
    assert "The flow stands as it did then." in words(editor.get(version(flow, 2)))


def test_going_back_to_another_topic_tells_by_what_people_are_judged_then(editor: Client) -> None:
    own = own_flows.create(
        Outline(title="Hello", topic="weekly_deals"), "user.registered", author=None, now=NOW
    )
    run = ledger.run(ledger.person("Ann"))
    message = ledger.message(run, "hello", State.PLANNED)
    Message.objects.filter(pk=message.pk).update(flow=own)
    Flow.objects.filter(pk=own.pk).update(topic="order_updates", version=2)

    told = words(editor.get(version(own, 1)))
    assert "1 is judged as “Weekly deals” (marketing) from now on" in told

    past = FlowVersion.objects.get(flow=own)
    past.state["outline"]["topic"] = "of_old"
    past.save()
    assert "1 is judged as “of_old” (marketing) from now on" in words(editor.get(version(own, 1)))


def test_a_step_made_since_is_switched_off_and_keeps_its_words(editor: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30"})
    for language in ("en", "de", "fr"):
        Copy.objects.create(
            flow=flow, step_key="hiss", channel="email", language=language, subject="s", text="t"
        )
    FlowStep.objects.create(flow=flow, key="hiss", title="Hiss", delay=6 * HOUR, channels=["email"])

    assert editor.post(version(flow, 1)).status_code == 302

    assert FlowStep.objects.get(flow=flow).removed_at == NOW
    assert Copy.objects.filter(step_key="hiss").count() == 3


def test_many_versions_are_shown_page_by_page(merchant: Client, flow: Flow) -> None:
    state = {
        "enabled": None, "shadow": None, "holdout": None, "steps": {}, "words": [],
        "outline": {"title": "", "topic": "", "stops": [], "once": False, "again_after": None, "priority": 50},
    }  # fmt: skip
    FlowVersion.objects.bulk_create(
        FlowVersion(flow=flow, number=number, made_at=NOW + timedelta(minutes=number), state=state)
        for number in range(1, 41)
    )
    page = parsed(merchant.get(url(flow, "versions")))
    link = page.find("a", string="Earlier versions")
    assert link is not None
    assert len(page.select("tbody tr")) == 30
    assert len(parsed(merchant.get(url(flow, "versions") + str(link["href"]))).select("tbody tr")) == 10


# It refuses.


def test_who_may_not_change_flows_does_not_go_back(editor: Client, merchant: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), state="off")

    assert not parsed(merchant.get(version(flow, 1))).select("#content form")
    assert merchant.post(version(flow, 1)).status_code == 403
    stranger = staff("view_message", name="stranger")
    for page in (url(flow, "versions"), version(flow, 1)):
        assert stranger.get(page).status_code == 403


def test_words_are_put_back_only_by_who_may_change_them(editor: Client, flow: Flow) -> None:
    write(editor, flow, "First. STOP {{ brand }}")
    changer = staff("view_flow", "change_flow", name="changer")

    page = parsed(changer.get(version(flow, 1)))
    assert not page.select("#content form")
    assert "First." not in page.get_text()
    assert changer.post(version(flow, 1)).status_code == 403
    assert Copy.objects.exists()


def test_one_does_not_go_back_to_a_step_without_words(editor: Client, flow: Flow) -> None:
    """They were deleted behind the admin's back."""
    own = FlowStep.objects.create(flow=flow, key="hiss", title="Hiss", delay=6 * HOUR, channels=["email"])
    saved(editor, flow, opened(editor, flow), state="off")
    FlowVersion.objects.filter(number=1).update(number=0)  # so that 1 is not in force either
    FlowStep.objects.filter(pk=own.pk).update(removed_at=NOW)

    page = words(editor.get(version(flow, 0)))
    assert "Hiss: This step has no words for email yet (English). Write them first." in page
    assert "Nothing was changed. Hiss: This step has no words" in refused(editor.post(version(flow, 0)))
    assert Flow.objects.get(pk=flow.pk).enabled is False


@pytest.mark.rule(39)
def test_one_does_not_go_back_to_promotion_that_the_topic_no_longer_permits(
    editor: Client, flow: Flow
) -> None:
    write(editor, flow, "Take {{ voucher.code }}. STOP {{ brand }}")
    write(editor, flow, "Your kettle calls. STOP {{ brand }}")
    saved(editor, flow, opened(editor, flow), **{"steam-voucher": "no"})
    Topic.objects.filter(key=KettleCalls.topic).update(purpose="transactional")

    against = (
        "Steam: Its words promote something, and messages of this topic may not.",
        "Steam: A code promotes something, and messages of this topic may not.",
    )
    page = parsed(editor.get(version(flow, 2)))
    assert all(each in page.get_text() for each in against)
    assert not page.select("#content form")
    told = refused(editor.post(version(flow, 2)))
    assert all(f"Nothing was changed. {each}" in told for each in against)
    assert "voucher" not in Copy.objects.get().text
    assert editor.post(version(flow, 4)).status_code == 302, "what stands may stay"


def test_one_does_not_go_back_to_an_offer_that_is_closed(editor: Client, flow: Flow) -> None:
    offer = make_offer("Half price")
    saved(editor, flow, opened(editor, flow), **{"steam-offer": str(offer.pk)})
    saved(editor, flow, opened(editor, flow), **{"steam-offer": ""})
    offer.status = offer.SUSPENDED
    offer.save()

    told = refused(editor.post(version(flow, 2)))
    assert "Nothing was changed. Steam: The offer “Half price” is not open: it gives nothing now." in told
    assert not FlowStep.objects.exists()


@pytest.mark.rule(29)
def test_one_does_not_go_back_to_words_that_make_no_message(editor: Client, flow: Flow) -> None:
    """A release may have taken away what they speak of, or the law's words may be asked for since."""
    write(editor, flow, "First. STOP {{ brand }}")
    write(editor, flow, "Second. STOP {{ brand }}")
    past = FlowVersion.objects.get(flow=flow, number=2)
    past.state["words"][0][-1]["text"] = "First, {{ of_old }}"
    past.save()

    told = refused(editor.post(version(flow, 2)))
    assert "Nothing was changed. Steam, SMS, English:" in told
    assert Copy.objects.get().text.startswith("Second.")


@pytest.mark.parametrize(
    ("topic", "sentence"),
    [
        ("of_old", "Its topic “of_old” is gone."),
        ("order_updates", "What begins so is advertising. Choose a topic of marketing"),
    ],
)
def test_a_flow_of_ones_own_does_not_go_back_to_a_topic_that_does_not_fit(
    topic: str, sentence: str, editor: Client
) -> None:
    own = own_flows.create(
        Outline(title="Hello", topic="weekly_deals"), "basket.active", author=None, now=NOW
    )
    past = FlowVersion.objects.get(flow=own)
    past.state["outline"]["topic"] = topic
    past.number = 0
    past.save()

    assert f"Nothing was changed. {sentence}" in refused(editor.post(version(own, 0)))
    own.refresh_from_db()
    assert own.topic == "weekly_deals"


@pytest.mark.parametrize("number", [0, 9])
def test_a_version_that_does_not_exist_is_not_found(number: int, editor: Client, flow: Flow) -> None:
    assert editor.get(version(flow, number)).status_code == 404
    assert editor.post(version(flow, number)).status_code == 404


# It survives.


def test_a_version_whose_offer_is_gone_falls_back_to_the_usual_one(editor: Client, flow: Flow) -> None:
    offer = make_offer("Half price")
    saved(editor, flow, opened(editor, flow), **{"steam-offer": str(offer.pk), "steam-delay_number": "30"})
    saved(editor, flow, opened(editor, flow), **{"steam-offer": "", "steam-delay_number": ""})
    offer.delete()

    assert editor.post(version(flow, 2)).status_code == 302
    row = FlowStep.objects.get(flow=flow)
    assert (row.offer, row.delay) == (None, 30 * HOUR)


def test_looking_writes_nothing(editor: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), state="off")
    before = (Flow.objects.get(pk=flow.pk).version, numbers(flow))

    for page in (
        url(flow, "versions"),
        version(flow, 1),
        version(flow, 2),
        url(flow, "versions") + "?before=x",
    ):
        assert editor.get(page).status_code == 200
    assert (Flow.objects.get(pk=flow.pk).version, numbers(flow)) == before
