"""A merchant changes a flow: everything on one form, in sentences, without losing a word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.admin.flow_forms import FlowEditing
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.plan import StepTuning, Tuning
from oscar_crosschannel.models import Copy, Flow, FlowStep, Message, Topic
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW, KettleCalls
from tests.services.stage import make_offer


@pytest.fixture
def flow() -> Flow:
    load_plans()
    return Flow.objects.get(key=KettleCalls.key)


@pytest.fixture
def cart(flow: Flow) -> Flow:
    """A flow that comes with words, one of which say a code."""
    return Flow.objects.get(key="abandoned_cart")


@pytest.fixture
def editor() -> Client:
    return editor_named("ed")


def editor_named(name: str) -> Client:
    """Staff who may change flows and their words, and look at people."""
    user = get_user_model().objects.create_user(name, f"{name}@shop.example", is_staff=True)
    allowed = ["view_flow", "change_flow", "view_copy", "change_copy", "view_contact"]
    user.user_permissions.set(Permission.objects.filter(codename__in=allowed))
    client = Client()
    client.force_login(user)
    return client


def url(flow: Flow, page: str = "edit") -> str:
    return reverse(f"admin:oscar_crosschannel_flow_{page}", args=[flow.pk])


def parsed(answer: Any) -> Tag:
    main = BeautifulSoup(answer.content, "html.parser").find(id="main")
    assert isinstance(main, Tag)
    return main


def words(answer: Any) -> str:
    return " ".join(parsed(answer).get_text(" ").split())


def filled(page: Tag) -> dict[str, str]:
    """What a browser would send of the page's form, without a button."""
    data: dict[str, str] = {}
    for field in page.select("#content form input[name], #content form textarea[name]"):
        if field.get("type") in ("submit", "checkbox") and not field.has_attr("checked"):
            continue
        blank = "on" if field.get("type") == "checkbox" else ""
        written = (
            field.get_text().removeprefix("\n") if field.name == "textarea" else field.get("value", blank)
        )
        data[str(field["name"])] = str(written)
    for select in page.select("#content form select[name]"):
        chosen = select.select_one("option[selected]") or select.select_one("option")
        assert chosen is not None
        data[str(select["name"])] = str(chosen["value"])
    return data


def opened(client: Client, flow: Flow) -> dict[str, str]:
    """The form as the editor gets it."""
    return filled(parsed(client.get(url(flow))))


def saved(client: Client, flow: Flow, data: dict[str, str], **changes: str) -> Any:
    return client.post(url(flow), {**data, **changes, "do": "save"})


def refused(answer: Any) -> str:
    """The words of a form that came back."""
    assert answer.status_code == 200
    return words(answer)


def step(flow: Flow, key: str) -> FlowStep:
    return FlowStep.objects.get(flow=flow, key=key)


# It works.


def test_everything_about_a_flow_is_changed_on_one_form(editor: Client, flow: Flow) -> None:
    offer = make_offer("Half price")
    data = opened(editor, flow)

    answer = saved(
        editor,
        flow,
        data,
        **{
            "state": "off",
            "whistle-delay_number": "90",
            "whistle-delay_unit": "minutes",
            "whistle-channels": "sms+email",
            "whistle-patience_number": "4",
            "whistle-patience_unit": "hours",
            "whistle-unless": "purchased",
            "steam-unless": "-",
            "steam-only_if": "purchased",
            "steam-offer": str(offer.pk),
        },
    )

    assert answer.status_code == 302, words(answer)
    flow.refresh_from_db()
    assert (flow.enabled, flow.version) == (False, 2)
    whistle, steam = step(flow, "whistle"), step(flow, "steam")
    assert (whistle.delay, whistle.channels, whistle.patience, whistle.unless) == (
        timedelta(minutes=90), ["sms", "email"], timedelta(hours=4), "purchased",
    )  # fmt: skip
    assert (steam.delay, steam.channels, steam.unless, steam.only_if, steam.offer) == (
        None, None, "", "purchased", offer,
    )  # fmt: skip


def test_the_form_shows_what_is_inherited_as_placeholders(editor: Client, flow: Flow) -> None:
    page = parsed(editor.get(url(flow)))

    number = page.select_one("[name=whistle-delay_number]")
    assert number is not None
    assert (number["placeholder"], number.get("value")) == ("1", None)
    assert [option.get_text() for option in page.select("[name=steam-delay_unit] option[selected]")] == [
        "hours"
    ]
    channels = page.select_one("[name=whistle-channels] option[selected]")
    assert channels is not None
    assert channels.get_text() == "Email, else SMS (as declared)"
    assert "changed" not in page.get_text()


def test_a_changed_value_shows_what_was_declared(editor: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30"})

    page = parsed(editor.get(url(flow)))
    number = page.select_one("[name=steam-delay_number]")
    assert number is not None
    assert number["value"] == "30"
    assert "changed declared: 1 day after" in " ".join(page.get_text(" ").split())


def test_an_emptied_field_inherits_again(editor: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30", "steam-patience_number": "1"})
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": ""})

    row = step(flow, "steam")
    assert (row.delay, row.patience) == (None, timedelta(minutes=1))


def test_a_step_is_reset_as_a_whole_and_leaves_the_others_alone(editor: Client, flow: Flow) -> None:
    changes = {"state": "on", "steam-delay_number": "30", "whistle-delay_number": "2"}
    saved(editor, flow, opened(editor, flow), **changes)

    editor.post(url(flow), {**opened(editor, flow), "whistle-delay_number": "9", "reset": "steam"})

    assert list(FlowStep.objects.filter(flow=flow).values_list("key", "delay")) == [("whistle", 2 * HOUR)]
    assert Flow.objects.get(pk=flow.pk).enabled is True


def test_a_step_is_switched_off_and_on_again(editor: Client, flow: Flow) -> None:
    data = opened(editor, flow)
    del data["steam-on"]
    saved(editor, flow, data)
    assert step(flow, "steam").removed_at == NOW

    saved(editor, flow, opened(editor, flow), **{"steam-on": "on"})
    assert not FlowStep.objects.filter(flow=flow).exists()


def test_planned_messages_follow_and_the_merchant_is_told(editor: Client, flow: Flow) -> None:
    run = ledger.run(ledger.person("Ann"), began=NOW)
    message = ledger.message(run, "whistle", State.PLANNED, due_at=NOW + HOUR)

    asked = saved(editor, flow, opened(editor, flow), **{"whistle-delay_number": "3"})
    assert Message.objects.get(pk=message.pk).due_at == NOW + HOUR
    answer = editor.post(url(flow), {**filled(parsed(asked)), "do": "confirm"}, follow=True)

    assert "1 planned message follows the change." in answer.content.decode()
    assert Message.objects.get(pk=message.pk).due_at == NOW + 3 * HOUR


def test_the_flow_page_tells_who_changed_what(editor: Client, merchant: Client, flow: Flow) -> None:
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30", "state": "off"})

    told = words(merchant.get(url(flow, "change")))
    assert "Latest changes" in told
    assert (
        "ed Flow: on (as declared) → off; Delay of Steam: 1 day after (as declared) → 1 day 6 hours after"
        in told
    )


def test_saving_what_was_there_changes_nothing(editor: Client, flow: Flow) -> None:
    answer = editor.post(url(flow), {**opened(editor, flow), "do": "save"}, follow=True)

    assert "Nothing was changed." in answer.content.decode()
    assert (Flow.objects.get(pk=flow.pk).version, FlowStep.objects.count()) == (1, 0)


def test_beside_its_channels_a_step_says_which_suits_it(editor: Client, flow: Flow) -> None:
    assert not parsed(editor.get(url(flow))).select(".cc-fit")
    FlowStep.objects.create(flow=flow, key="steam", expires=26 * HOUR)

    (hint,) = parsed(editor.get(url(flow))).select(".cc-fit")
    beside = hint.find_previous("select")
    assert beside is not None
    assert beside["name"] == "steam-channels"
    assert "It must be read soon, and is short: a text is read within minutes." in hint.get_text()


def test_the_control_group_is_chosen_and_told(editor: Client, flow: Flow) -> None:
    data = opened(editor, flow)
    assert data["holdout"] == ""
    assert "5% (as declared)" in words(editor.get(url(flow)))

    assert saved(editor, flow, data, holdout="0.1").status_code == 302
    assert Flow.objects.get(pk=flow.pk).holdout == 0.1
    assert "Control group: 5% (as declared) → 10%" in words(editor.get(url(flow, "versions")))

    assert saved(editor, flow, opened(editor, flow), holdout="0").status_code == 302
    assert Flow.objects.get(pk=flow.pk).holdout == 0
    assert saved(editor, flow, opened(editor, flow), holdout="").status_code == 302
    assert Flow.objects.get(pk=flow.pk).holdout is None


def test_a_control_group_that_was_set_in_code_stays_until_another_is_chosen(
    editor: Client, flow: Flow
) -> None:
    Flow.objects.filter(pk=flow.pk).update(holdout=0.25)
    assert opened(editor, flow)["holdout"] == "0.25"
    saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "30"})
    assert Flow.objects.get(pk=flow.pk).holdout == 0.25


# It refuses.


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steam-delay_number": "1"}, "This step falls due together with “Whistle” (1 hour after)."),
        ({"whistle-delay_number": "24"}, "This step falls due together with “Whistle” (1 day after)."),
        ({"steam-worth_number": "0"}, "It would never be sent."),
        ({"steam-voucher_valid_number": "0"}, "The code would be good for nothing."),
        (
            {"steam-delay_number": "48"},
            "This step must come before its time is over (2 days after): see “Worth sending for”.",
        ),
        (
            {"whistle-patience_number": "23"},
            "It cannot wait that long: the step is worth sending for 23 hours.",
        ),
        (
            {"steam-only_if": "purchased", "steam-unless": "purchased"},
            "It would never be sent: this is also what it is sent for only.",
        ),
        ({"steam-channels": "pigeon"}, "Select a valid choice. pigeon is not one of the available choices."),
        ({"steam-delay_number": "soon"}, "Enter a whole number."),
        ({"steam-delay_number": "-2"}, "Enter a number that is not negative."),
        (
            {"steam-delay_number": "99999999999", "steam-delay_unit": "days"},
            "This is longer than any flow lasts.",
        ),
        (
            {"steam-channels": "sms+email"},
            "This step has no words for email yet (English). Write them first.",
        ),
    ],
)
def test_wrong_input_gets_a_sentence_and_changes_nothing(
    changes: dict[str, str], sentence: str, editor: Client, flow: Flow
) -> None:
    told = refused(saved(editor, flow, opened(editor, flow), **changes))

    assert sentence in told
    assert "Nothing was saved yet." in told
    assert (Flow.objects.get(pk=flow.pk).version, FlowStep.objects.count()) == (1, 0)


def test_what_stands_behind_an_error_is_opened(editor: Client, flow: Flow) -> None:
    def folds(answer: Any) -> list[bool]:
        return [fold.has_attr("open") for fold in parsed(answer).select("form details.cc-more")]

    assert not any(folds(editor.get(url(flow))))
    page = saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "48"})
    assert folds(page).count(True) == 1
    page = saved(editor, flow, opened(editor, flow), **{"steam-delay_number": "1"})
    assert not any(folds(page)), "two at one time have nothing to do with it"


def test_a_step_is_not_reset_to_where_it_collides_with_another(editor: Client, flow: Flow) -> None:
    """Whistle takes the time at which steam was declared."""
    saved(editor, flow, opened(editor, flow), **{"whistle-delay_number": "24", "steam-delay_number": "40"})

    told = refused(editor.post(url(flow), {**opened(editor, flow), "reset": "steam"}))

    assert "Nothing was reset. Steam: This step falls due together with “Whistle” (1 day after)." in told
    assert (step(flow, "whistle").delay, step(flow, "steam").delay) == (24 * HOUR, 40 * HOUR)
    assert Flow.objects.get(pk=flow.pk).version == 2


def test_a_channel_is_added_once_it_has_words(editor: Client, flow: Flow) -> None:
    for language in ("en", "de", "fr"):
        Copy.objects.create(
            flow=flow, step_key="steam", channel="email", language=language, subject="Hi", text="Hi"
        )

    assert saved(editor, flow, opened(editor, flow), **{"steam-channels": "sms+email"}).status_code == 302


def test_an_offer_that_is_closed_or_no_voucher_is_not_taken(editor: Client, flow: Flow) -> None:
    closed, sale = make_offer("Last year"), make_offer("Sale")
    type(closed).objects.filter(pk=closed.pk).update(status="Suspended")
    type(sale).objects.filter(pk=sale.pk).update(offer_type="Site")
    data = opened(editor, flow)

    for offer in (closed, sale):
        told = refused(saved(editor, flow, data, **{"steam-offer": str(offer.pk)}))
        assert "is not one of the available choices" in told
    FlowStep.objects.create(flow=flow, key="steam", offer=closed)
    told = refused(saved(editor, flow, opened(editor, flow)))
    assert "The offer “Last year” is not open: it gives nothing now." in told


def test_a_code_is_switched_off_once_no_words_in_force_say_it(editor: Client, cart: Flow) -> None:
    told = refused(saved(editor, cart, opened(editor, cart), **{"code-voucher": "no"}))
    assert "Its words for SMS say a code (Text: English, Deutsch, Français). Write others first." in told
    assert not FlowStep.objects.exists()

    for language in ("en", "de", "fr"):
        Copy.objects.create(flow=cart, step_key="code", channel="sms", language=language, text="Hi STOP")
    assert saved(editor, cart, opened(editor, cart), **{"code-voucher": "no"}).status_code == 302

    Copy.objects.filter(language="fr").update(text="{{ voucher.code }} STOP")
    assert saved(editor, cart, opened(editor, cart), **{"code-delay_number": "30"}).status_code == 302, (
        "what stood wrong already speaks against no other change"
    )


def test_what_is_off_may_lose_its_code_and_is_not_switched_on_with_words_that_say_one(
    editor: Client, cart: Flow
) -> None:
    assert saved(editor, cart, opened(editor, cart), state="off", **{"code-voucher": "no"}).status_code == 302

    assert "Its words for SMS say a code" in refused(saved(editor, cart, opened(editor, cart), state="on"))


def test_a_step_is_not_reset_to_no_code_while_its_words_say_one(editor: Client, flow: Flow) -> None:
    make_offer()
    FlowStep.objects.create(flow=flow, key="whistle", voucher=True)
    Copy.objects.create(
        flow=flow, step_key="whistle", channel="sms", language="de", text="{{ voucher.code }}"
    )

    told = refused(editor.post(url(flow), {**opened(editor, flow), "reset": "whistle"}))

    assert "Nothing was reset. Whistle: Its words for SMS say a code (Text: Deutsch)." in told
    assert step(flow, "whistle").voucher is True


def test_a_code_needs_an_offer_that_is_open(editor: Client, flow: Flow, settings: Any) -> None:
    settings.CROSSCHANNEL_VOUCHER_OFFER = "Ghost"
    ghost, other = make_offer("Ghost"), make_offer("Half price")
    type(ghost).objects.filter(pk=ghost.pk).update(status="Suspended")
    data = {**opened(editor, flow), "whistle-voucher": "yes"}

    told = refused(saved(editor, flow, data))
    assert "No code can be given: the shop’s usual offer (Ghost) is not open. Choose another." in told

    answer = saved(editor, flow, data, **{"whistle-offer": str(other.pk)})
    assert answer.status_code == 302
    told = words(editor.get(answer["Location"]))
    assert "“Whistle” gives a code now. Let its words say it: otherwise nobody reads it. Words" in told
    told = refused(saved(editor, flow, opened(editor, flow), **{"whistle-offer": ""}))
    assert "the shop’s usual offer (Ghost) is not open" in told
    type(ghost).objects.filter(pk=ghost.pk).update(status="Open")
    assert saved(editor, flow, opened(editor, flow), **{"whistle-offer": ""}).status_code == 302


def test_a_step_whose_words_ask_for_a_code_before_they_say_it_is_not_said_to_leave_it_out(flow: Flow) -> None:
    (planned,) = [each for each in load_plans() if each.flow_id == flow.pk]
    editing = FlowEditing(planned, flow)
    after = planned.declared.tuned(Tuning(steps={"whistle": StepTuning(voucher=True)}))
    row = Copy.objects.create(
        flow=flow, step_key="whistle", channel="sms", language="en", text="No code STOP"
    )
    assert editing.unsaid_codes(after) == [
        "“Whistle” gives a code now. Let its words say it: otherwise nobody reads it."
    ]
    row.text = "{% if voucher %}{{ voucher.code }}{% endif %} STOP"
    row.save()
    assert editing.unsaid_codes(after) == []


def test_the_last_step_cannot_be_switched_off(editor: Client, flow: Flow) -> None:
    data = opened(editor, flow)
    del data["whistle-on"], data["steam-on"]

    assert "At least one step must be sent. To send nothing, switch the flow off." in refused(
        saved(editor, flow, data)
    )


def test_without_the_permission_there_is_no_button_and_no_way_in(merchant: Client, flow: Flow) -> None:
    page = parsed(merchant.get(url(flow, "change")))
    assert not page.find("a", string="Change this flow")
    assert page.find("a", string="Words")

    assert merchant.get(url(flow)).status_code == 403
    assert merchant.post(url(flow), {"state": "off", "do": "save"}).status_code == 403
    assert merchant.post(url(flow), {"reset": "steam"}).status_code == 403
    assert Flow.objects.get(pk=flow.pk).enabled is None


def test_shoppers_are_sent_to_the_login(client: Client, flow: Flow) -> None:
    client.force_login(get_user_model().objects.create_user("ann", "ann@example.com"))
    assert client.get(url(flow))["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("share", ["0.9", "-1", "half"])
def test_a_control_group_of_any_size_is_refused(share: str, editor: Client, flow: Flow) -> None:
    refused(saved(editor, flow, opened(editor, flow), holdout=share))
    assert Flow.objects.get(pk=flow.pk).holdout is None


def test_what_belongs_to_an_order_has_no_control_group(editor: Client, flow: Flow) -> None:
    Topic.objects.filter(key=KettleCalls.topic).update(purpose="transactional")
    Flow.objects.filter(pk=flow.pk).update(holdout=0.1)
    data = opened(editor, flow)
    assert "holdout" not in data
    saved(editor, flow, data, holdout="0.05", **{"steam-delay_number": "30"})
    assert Flow.objects.get(pk=flow.pk).holdout == 0.1


# It survives.


def test_the_second_of_two_editors_is_told_and_nothing_is_lost(editor: Client, flow: Flow) -> None:
    other = editor_named("olga")
    mine, theirs = opened(editor, flow), opened(other, flow)
    saved(other, flow, theirs, **{"steam-delay_number": "30"})

    answer = saved(editor, flow, mine, **{"whistle-delay_number": "2", "state": "off"})

    told = refused(answer)
    assert "Olga changed this while you were editing: Delay of Steam: 1 day after (as declared)" in told
    again = filled(parsed(answer))
    assert (again["steam-delay_number"], again["whistle-delay_number"], again["state"]) == (
        "30",
        "2",
        "off",
    )
    assert not FlowStep.objects.filter(flow=flow, key="whistle").exists()

    assert saved(editor, flow, again).status_code == 302
    assert step(flow, "steam").delay == 30 * HOUR
    assert step(flow, "whistle").delay == 2 * HOUR


def test_a_box_that_another_editor_unticked_stays_unticked(editor: Client, flow: Flow) -> None:
    other = editor_named("olga")
    mine, theirs = opened(editor, flow), opened(other, flow)
    del theirs["steam-on"]
    saved(other, flow, theirs)

    again = filled(parsed(saved(editor, flow, mine, **{"whistle-delay_number": "2"})))
    assert "steam-on" not in again


def test_a_flow_that_is_no_longer_declared_has_nothing_to_edit(editor: Client) -> None:
    gone = Flow.objects.create(key="of_last_year")

    assert editor.get(url(gone)).status_code == 404
    assert "Change this flow" not in words(editor.get(url(gone, "change")))


def test_the_form_costs_a_known_number_of_statements(editor: Client, flow: Flow) -> None:
    for number in range(5):
        make_offer(f"Offer {number}")
        ledger.run(ledger.person(f"P{number}"))
    editor.get(url(flow))
    with CaptureQueriesContext(connection) as queries:
        editor.get(url(flow))
    # session, user, two kinds of permission; three for the plans; the flow and its steps; offers; warnings
    assert len(queries) <= 12, [query["sql"][:100] for query in queries]
