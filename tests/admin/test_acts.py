"""What staff do by hand: asked first, told honestly, written down, and only by those who may."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core import serializers
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.admin import acts
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Consent, ConsentEvent, Contact, Enrolment, Message, Suppression
from oscar_crosschannel.services import contacts
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW

NOTE = {"note": "She asked for it"}


@pytest.fixture
def ann(_shop: None) -> Contact:
    """Agreed to both, is inside a flow, and waits for a text."""
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    for channel in ("email", "sms"):
        ledger.said(ann, channel, "grant", at=NOW - 48 * HOUR)
    ledger.waits_for_morning(ledger.run(ann))
    return ann


@pytest.fixture
def clerk(merchant: Client) -> Client:
    """The merchant, who may do everything that is done here."""
    user = get_user_model().objects.get(username="mina")
    wanted = {act.permission for act in acts.ACTS}
    user.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    assert user.user_permissions.filter(codename__in=wanted).count() == len(wanted)
    return merchant


def words_of(answer: Any) -> str:
    main = BeautifulSoup(answer.content, "html.parser").find(id="main")
    assert main is not None
    return " ".join(main.get_text(" ").split())


def page(client: Client, row: Model) -> str:
    answer = client.get(reverse(f"admin:oscar_crosschannel_{row._meta.model_name}_change", args=[row.pk]))
    assert answer.status_code == 200
    return words_of(answer)


def do(client: Client, url: str, said: dict[str, Any]) -> str:
    """The page that one lands on."""
    answer = client.post(url, said, follow=True)
    assert answer.redirect_chain, answer.context["form"].errors
    return words_of(answer)


def objected(client: Client, url: str, said: dict[str, Any]) -> str:
    """Why it was not done."""
    answer = client.post(url, said)
    assert answer.status_code == 200
    objection: str = answer.context["objection"]
    assert objection in words_of(answer)
    return objection


def suppress_url(contact: Contact, channel: str) -> str:
    return acts.Suppress.url(contact.points.get(channel=channel).pk)


def said_stop(contact: Contact, **changes: Any) -> dict[str, Any]:
    return {
        "points": [point.pk for point in contact.points.all()],
        "topic": "",
        "words": "Leave me alone",
        "way": "phone_call",
        "said_at": "2026-03-10T07:30",
    } | changes


def block(cause: str, address: str = "ann@example.com") -> Suppression:
    return Suppression.objects.create(
        channel="email", digest=contacts.digest("email", address), cause=cause, since=NOW - HOUR, note="550"
    )


def every_act(ann: Contact) -> dict[str, tuple[str, dict[str, Any]]]:
    """By permission: a page that can be posted, and what to post."""
    message = Message.objects.get(contact=ann)
    return {
        "suppress_contact": (suppress_url(ann, "sms"), {"scope": "everything", **NOTE}),
        "export_person": (acts.Export.url(ann.pk), {"kind": "html", **NOTE}),
        "erase_person": (acts.Erase.url(ann.pk), NOTE),
        "optout_contact": (acts.OptOut.url(ann.pk), said_stop(ann)),
        "lift_suppression": (acts.Lift.url(block("hard_bounce").pk), NOTE),
        "cancel_message": (acts.CallOff.url(message.pk), NOTE),
        "end_enrolment": (acts.EndRun.url(message.enrolment_id), NOTE),
    }


PERMISSIONS = sorted(act.permission for act in acts.ACTS)
#: Those that change something, and that once is enough for.
CHANGES = [permission for permission in PERMISSIONS if permission != "export_person"]


def everything() -> str:
    models = (Message, Enrolment, Suppression, ConsentEvent, Consent, Contact)
    return serializers.serialize("json", [row for model in models for row in model._default_manager.all()])


# It works


def test_an_address_is_put_on_the_suppression_list(ann: Contact, clerk: Client) -> None:
    twin = ledger.person("Bob", phone="+12125550123")
    message = Message.objects.get(contact=ann)
    Message.objects.filter(pk=message.pk).update(state=State.CLAIMED, channel="sms", token=uuid4())

    asked = words_of(clerk.get(suppress_url(ann, "sms")))
    landed = do(clerk, suppress_url(ann, "sms"), {"scope": "everything", **NOTE})

    assert "+12125550123 gets nothing more by SMS" in asked
    assert "1 other contact uses this address, too." in asked
    assert "1 message that is about to go is taken back." in asked
    assert "The address is on the suppression list." in landed
    assert "Put the address for SMS on the suppression list: She asked for it by mina" in landed
    assert "Put the address for SMS on the suppression list" not in page(clerk, twin)
    row = Suppression.objects.get()
    assert (row.cause, row.scope, row.note) == ("manual", "everything", "mina: She asked for it")
    assert "Put the address for SMS on the suppression list: She asked for it" in page(clerk, row)
    message.refresh_from_db()
    assert (message.state, message.token) == (State.PLANNED, None)


@pytest.mark.rule(24)
def test_a_verbal_opt_out_is_recorded_with_who_when_and_what(ann: Contact, clerk: Client) -> None:
    message = Message.objects.get(contact=ann)
    Message.objects.filter(pk=message.pk).update(state=State.CLAIMED, channel="sms", token=uuid4())

    landed = do(clerk, acts.OptOut.url(ann.pk), said_stop(ann))

    assert "Recorded. It counts from now on." in landed
    assert "Recorded that the person said stop for email and SMS (everything) by mina" in landed
    assert "staff, on the phone, mina, “Leave me alone”" in landed
    for event in ConsentEvent.objects.filter(action="revoke"):
        assert (event.source, event.mechanism, event.actor) == ("staff", "phone_call", "mina")
        assert (event.verbatim, event.at) == ("Leave me alone", NOW)
        assert event.received_at == NOW.replace(hour=11, minute=30)
    assert set(Consent.objects.values_list("answer", flat=True)) == {"revoked"}
    assert Suppression.objects.filter(cause="revoked", lifted_at=None).count() == 2
    message.refresh_from_db()
    assert (message.state, message.token) == (State.PLANNED, None)
    assert "As things stand, it will not be sent: no consent for SMS" in landed


def test_one_topic_on_one_channel_is_stopped_and_nothing_else(ann: Contact, clerk: Client) -> None:
    email = ann.points.get(channel="email")

    do(clerk, acts.OptOut.url(ann.pk), said_stop(ann, points=[email.pk], topic="basket_reminders"))

    answers = dict(Consent.objects.values_list("point__channel", "answer"))
    assert answers == {"email": "revoked", "sms": "granted"}
    assert not Suppression.objects.exists()


def test_a_planned_message_is_called_off(ann: Contact, clerk: Client) -> None:
    message = Message.objects.get(contact=ann)

    asked = words_of(clerk.get(acts.CallOff.url(message.pk)))
    landed = do(clerk, acts.CallOff.url(message.pk), NOTE)

    assert "The kettle calls: Steam (Ann, ann@example.com)" in asked
    assert "Their runs go on: the next step is planned for its own time." in asked
    assert "1 message was called off." in landed
    assert "Called off by the shop’s staff" in landed
    assert "mina Called off “The kettle calls: Steam”: She asked for it" in landed
    assert "Called off “The kettle calls: Steam”: She asked for it by mina" in page(clerk, ann)
    message.refresh_from_db()
    assert (message.state, message.reason) == (State.CANCELLED, Reason.STAFF)


def test_messages_ticked_in_the_list_are_called_off_together(ann: Contact, clerk: Client) -> None:
    bob = ledger.run(ledger.person("Bob", email="bob@example.com"))
    sent, waiting = ledger.sent_by_email(bob), ledger.waits_for_morning(bob)
    spared = ledger.waits_for_morning(ledger.run(ledger.person("Cleo")))
    ticked = [Message.objects.get(contact=ann).pk, waiting.pk, sent.pk]

    answer = clerk.post(
        reverse("admin:oscar_crosschannel_message_changelist"),
        {
            "action": "call_off",
            "_selected_action": [*ticked, "9" * 5000],
            "index": "0",
            "select_across": "1",
        },
    )
    asked = words_of(clerk.get(answer["Location"]))
    landed = do(clerk, answer["Location"], NOTE)

    assert "1 more message was chosen that is settled, or on its way, and stays as it is." in asked
    assert "2 messages were called off. 1 message had been settled before." in landed
    states = dict(Message.objects.values_list("pk", "state"))
    assert [states[pk] for pk in ticked] == [State.CANCELLED, State.CANCELLED, State.SENT]
    assert states[spared.pk] == State.PLANNED


def test_a_run_is_ended(ann: Contact, clerk: Client) -> None:
    run = Enrolment.objects.get()

    asked = words_of(clerk.get(acts.EndRun.url(run.pk)))
    landed = do(clerk, acts.EndRun.url(run.pk), NOTE)

    assert "1 planned message is called off." in asked
    assert "The run has ended. 1 message was called off." in landed
    assert "mina Ended the run of “The kettle calls”: She asked for it" in landed
    assert "Ended the run of “The kettle calls”: She asked for it by mina" in page(clerk, ann)
    run.refresh_from_db()
    assert (run.state, run.end_reason) == (Enrolment.State.ENDED, Reason.STAFF)


@pytest.mark.rule(26)
@pytest.mark.parametrize("cause", ["hard_bounce", "invalid"])
def test_an_address_that_works_after_all_is_taken_off_the_list(
    cause: str, ann: Contact, clerk: Client
) -> None:
    row = block(cause)
    assert "Take it off the list" in page(clerk, row)

    landed = do(clerk, acts.Lift.url(row.pk), NOTE)

    row.refresh_from_db()
    assert (row.lifted_at, row.note) == (NOW, "550\nmina: She asked for it")
    assert "The address is no longer blocked." in landed
    assert "Take it off the list" not in landed
    assert "off the suppression list: She asked for it by mina" in page(clerk, ann)


# It refuses


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_who_may_not_sees_no_button_and_is_turned_away(permission: str, ann: Contact, clerk: Client) -> None:
    user = get_user_model().objects.get(username="mina")
    url, said = every_act(ann)[permission]
    address = url.partition("?")[0]
    rows = [ann, Message.objects.get(), Enrolment.objects.get(), Suppression.objects.get()]

    def has_button() -> bool:
        return any(
            f'"{address}?id='
            in clerk.get(
                reverse(f"admin:oscar_crosschannel_{row._meta.model_name}_change", args=[row.pk])
            ).text
            for row in rows
        )

    assert has_button()
    user.user_permissions.remove(Permission.objects.get(codename=permission))
    before = everything()

    assert not has_button()
    assert clerk.get(url).status_code == 403
    assert clerk.post(url, said).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_who_may_act_but_not_look_is_turned_away(permission: str, ann: Contact, client: Client) -> None:
    user = get_user_model().objects.create_user("blind", "blind@shop.example", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=permission))
    client.force_login(user)
    url, said = every_act(ann)[permission]

    assert client.get(url).status_code == 403
    assert client.post(url, said).status_code == 403


def test_who_may_not_call_off_has_nothing_to_tick(ann: Contact, merchant: Client) -> None:
    url = reverse("admin:oscar_crosschannel_message_changelist")
    assert "_selected_action" not in merchant.get(url).text

    merchant.post(url, {"action": "call_off", "_selected_action": Message.objects.get().pk, "index": "0"})

    assert Message.objects.get().state == State.PLANNED


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_looking_changes_nothing(permission: str, ann: Contact, clerk: Client) -> None:
    url, said = every_act(ann)[permission]
    before = everything()

    assert clerk.get(url, {"id": url.partition("=")[2], **said}).status_code == 200
    assert clerk.head(url).status_code == 200
    assert clerk.put(url).status_code == 405
    assert everything() == before


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_another_site_cannot_post_for_the_merchant(permission: str, ann: Contact, clerk: Client) -> None:
    url, said = every_act(ann)[permission]
    clerk.handler.enforce_csrf_checks = True
    before = everything()

    assert clerk.post(url, said).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_nothing_is_done_without_the_words_that_go_with_it(
    permission: str, ann: Contact, clerk: Client
) -> None:
    url, said = every_act(ann)[permission]
    key = "words" if "words" in said else "note"
    before = everything()

    answer = clerk.post(url, {**said, key: " "})

    assert answer.status_code == 200
    assert key in answer.context["form"].errors
    assert everything() == before


@pytest.mark.rule(26)
@pytest.mark.parametrize("cause", ["revoked", "complaint", "carrier_block", "manual", "legal"])
def test_what_only_the_person_may_lift_staff_cannot(cause: str, ann: Contact, superuser: Client) -> None:
    row = block(cause)
    assert "Take it off the list" not in page(superuser, row)
    assert "?id=" not in superuser.get(acts.Lift.url(row.pk)).text

    assert objected(superuser, acts.Lift.url(row.pk), NOTE)
    at_the_same_moment = acts.Lift([row], NOW).do(NOTE, "mina")

    row.refresh_from_db()
    assert row.lifted_at is None
    assert (at_the_same_moment.told[:17], at_the_same_moment.went_well) == ("It was not lifted", False)


@pytest.mark.rule(26)
def test_a_block_is_not_lifted_while_a_graver_one_stands_under_another_key(
    ann: Contact, clerk: Client
) -> None:
    ann.points.filter(channel="email").update(digest="of an older key")
    block("complaint")
    light = Suppression.objects.create(
        channel="email", digest="of an older key", cause="hard_bounce", since=NOW
    )

    do(clerk, acts.Lift.url(light.pk), NOTE)

    assert Suppression.objects.filter(lifted_at=None).count() == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"points": []}, "points"), ({"said_at": "2026-03-11T09:00"}, "said_at"), ({"way": "dream"}, "way")],
)
def test_an_opt_out_that_cannot_be_true_is_not_recorded(
    changes: dict[str, Any], field: str, ann: Contact, clerk: Client
) -> None:
    answer = clerk.post(acts.OptOut.url(ann.pk), said_stop(ann, **changes))

    assert field in answer.context["form"].errors
    assert not ConsentEvent.objects.filter(action="revoke").exists()


@pytest.mark.parametrize("query", ["", "?id=", "?id=0", "?id=x", "?id=-1", f"?id={9**40}"])
def test_nothing_chosen_is_no_page(query: str, clerk: Client) -> None:
    for act in acts.ACTS:
        assert clerk.get(act.url() + query).status_code == 404


# It survives


def test_what_was_handed_over_a_moment_ago_is_told(ann: Contact, clerk: Client) -> None:
    url, said = every_act(ann)["suppress_contact"]
    call_off = acts.CallOff([Message.objects.select_related("contact", "flow").get()], NOW)
    Message.objects.update(state=State.SENDING, channel="sms")

    assert "1 message is on its way and cannot be taken back." in words_of(clerk.get(url))
    told = "1 message was handed over a moment ago and could not be recalled."
    assert told in do(clerk, url, said)
    assert told in call_off.do(NOTE, "mina").told
    assert told in do(clerk, acts.OptOut.url(ann.pk), said_stop(ann))
    assert told in do(clerk, acts.EndRun.url(Enrolment.objects.get().pk), NOTE)
    assert Message.objects.get().state == State.SENDING


@pytest.mark.parametrize("permission", CHANGES)
def test_doing_it_twice_does_it_once(permission: str, ann: Contact, clerk: Client) -> None:
    url, said = every_act(ann)[permission]
    do(clerk, url, said)
    once = everything()
    entries = page(clerk, ann).count("by mina")
    assert entries

    if permission == "optout_contact":
        assert "They had said so before; nothing has changed." in do(clerk, url, said)
    else:
        assert objected(clerk, url, said)

    assert everything() == once
    assert page(clerk, ann).count("by mina") == entries


@pytest.mark.parametrize("permission", CHANGES)
def test_what_cannot_be_done_any_more_is_told_before_it_is_tried(
    permission: str, ann: Contact, clerk: Client
) -> None:
    if permission == "optout_contact":
        ann = ledger.person("Nobody")
        url = acts.OptOut.url(ann.pk)
    else:
        url, said = every_act(ann)[permission]
        do(clerk, url, said)

    answer = clerk.get(url)

    assert answer.context["objection"]
    assert answer.text.count("<form") == clerk.get(reverse("admin:index")).text.count("<form")


def test_what_staff_write_stays_text(ann: Contact, clerk: Client) -> None:
    evil = "<script>alert(1)</script>"
    do(clerk, acts.CallOff.url(Message.objects.get().pk), {"note": evil})
    do(clerk, suppress_url(ann, "sms"), {"scope": "everything", "note": evil})

    for row in (ann, Message.objects.get(), Suppression.objects.get()):
        url = reverse(f"admin:oscar_crosschannel_{row._meta.model_name}_change", args=[row.pk])
        told = clerk.get(url).text
        assert evil not in told
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in told


def test_why_an_address_is_blocked_is_kept_beside_what_was_known(ann: Contact, clerk: Client) -> None:
    row = block("hard_bounce")
    Suppression.objects.filter(pk=row.pk).update(scope="marketing")

    do(clerk, suppress_url(ann, "email"), {"scope": "everything", **NOTE})

    row.refresh_from_db()
    assert (row.cause, row.note) == ("manual", "550\nmina: She asked for it")
