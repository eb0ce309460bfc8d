"""From a text, which has no room for more links, to "Why did I get this?" and the preference center."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from oscar.test import factories as oscar

from oscar_crosschannel.blueprints import SHIPPED
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.facts import SMS
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import ConsentEvent, Contact, ContactPoint, Message
from oscar_crosschannel.services import contacts, links, rendering, replies
from oscar_crosschannel.services.plans import load_plans
from tests.factories import NOON, owe
from tests.oscar.things import make_message
from tests.services.shoppers import OTHER_PHONE, PHONE, TOPICS, guest, permitted, tick
from tests.web.conftest import BASE_URL, LinkedFlow, token
from tests.web.forms import changed, parsed

SIDS = count()
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def we_answer(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"


def say(body: str, *, phone: str = PHONE, at: datetime = NOON) -> str:
    """Text the shop; returns the answer."""
    return replies.take_inbound(sid=f"SM{next(SIDS)}", phone=phone, to="+12025550100", body=body, now=at)


def way_in(answer: str) -> str:
    """Path of the link in an answer; empty when there is none."""
    found = re.search(r"https://\S+$", answer)
    return urlsplit(found[0]).path if found else ""


def texted(contact: Contact, *, at: datetime = NOON, **fields: Any) -> Message:
    """What a contact got by text."""
    message = owe(contact, LinkedFlow, f"text {next(SIDS)}", due=at)
    message.state, message.channel, message.attempted_at = State.SENT, SMS, at
    message.point = contact.points.get(channel=SMS, current=True)
    for name, value in fields.items():
        setattr(message, name, value)
    message.save()
    return message


def shipped_texts() -> Iterator[tuple[dict[str, Any], str]]:
    """What tells the message of each text that ships, and the name of its file."""
    flows = {flow.key for flow in SHIPPED}
    for flow in load_plans():
        for step in flow.plan.steps if flow.plan.key in flows else ():
            key = rendering.CopyKey(flow.flow_id, flow.plan.key, step.key, SMS, "en")
            if rendering.has_file(key, "text"):
                fields = {"flow_id": flow.flow_id, "step_key": step.key, "topic": flow.plan.topic}
                yield fields | {"purpose": flow.purpose}, f"{flow.plan.key}/{step.key}"


# it works


@pytest.mark.rule(12, 25)
def test_who_joined_by_text_chooses_by_the_link_in_the_answer(stranger: Client) -> None:
    path = way_in(say("JOIN"))
    owner = ContactPoint.objects.get(address=PHONE, current=True).contact
    assert permitted(owner, "sms") == set(TOPICS)
    form = parsed(stranger.get(path)).select_one("form:has([name=words_language])")
    assert form is not None
    page = parsed(stranger.post(path, changed(form, sms_weekly_deals=None), follow=True))
    assert "Saved." in page.get_text()
    assert permitted(owner, "sms") == {"basket_reminders"}
    said = ConsentEvent.objects.get(action="revoke")
    assert (said.source, said.message_id) == ("page", None)


def test_the_answer_to_yes_has_the_link_too(stranger: Client) -> None:
    tick(guest(language="en"), "sms", PHONE)
    page = parsed(stranger.get(way_in(say("YES"))))
    assert "••••••0123" in page.get_text()
    assert PHONE not in str(page)


def test_every_text_that_ships_leads_to_why_by_the_answer_to_help(
    ann: Contact, stranger: Client, we_answer: None
) -> None:
    texted(ann)
    path, names = way_in(say("HELP")), []
    for fields, name in shipped_texts():
        message = texted(ann, at=NOON + len(names) * MINUTE, **fields)
        why = links.why_path(message.pk)
        assert parsed(stranger.get(path)).select_one(f"main a[href='{why}']"), name
        assert stranger.get(why).status_code == 200, name
        names.append(name)
    assert {"abandoned_cart/code", "parcel_shipped/news", "event_cancellation/cancel"} <= set(names)


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_page_that_stops_a_text_leads_to_why(method: str, ann: Contact, stranger: Client) -> None:
    message = texted(ann)
    page = parsed(getattr(stranger, method)(links.unsubscribe_path(message.pk)))
    assert page.select_one(f"a[href='{links.why_path(message.pk)}']")


def test_a_basket_that_is_gone_still_leads_to_both(stranger: Client) -> None:
    message = make_message(now=NOON, basket=oscar.create_basket(empty=True))
    answer = stranger.get(links.recover_path(message.pk))
    assert answer.status_code == 410
    for path in (links.why_path(message.pk), links.preferences_path(message.pk)):
        assert parsed(answer).select_one(f"a[href='{path}']")


def test_of_two_people_with_one_number_help_means_who_was_texted_last(
    stranger: Client, we_answer: None
) -> None:
    ann, bea = guest(), guest("bea@example.com")
    for person in (ann, bea):
        contacts.set_point(person, "sms", PHONE, source="order", now=NOON)
    texted(bea, at=NOON - 2 * DAY)
    last = texted(ann, at=NOON - DAY)
    assert links.why_path(last.pk) in stranger.get(way_in(say("HELP"))).content.decode()


# it refuses


@pytest.mark.rule(23)
def test_help_says_nothing_of_who_had_the_number_before(ann: Contact, we_answer: None) -> None:
    texted(ann)
    assert way_in(say("HELP", phone=OTHER_PHONE)) == "", "nobody knows this number"
    assert way_in(say("HELP", at=NOON + 44 * DAY))
    assert say("HELP", at=NOON + 46 * DAY)
    assert way_in(say("HELP", at=NOON + 47 * DAY)) == ""


@pytest.mark.rule(44)
def test_a_link_of_another_kind_is_unknown(ann: Contact, message: Message, stranger: Client) -> None:
    point = ann.points.get(channel="sms").pk
    for forged in (token(tokens.WHY, point), token(tokens.NUMBER, 10**6), token(tokens.NUMBER, point)[:-1]):
        assert stranger.get(reverse("oscar_crosschannel:preferences", args=[forged])).status_code == 404


def test_a_number_that_is_used_no_more_says_no_more_than_that(ann: Contact, stranger: Client) -> None:
    path = links.number_url(ann.points.get(channel="sms").pk).removeprefix(BASE_URL)
    contacts.set_point(ann, "sms", OTHER_PHONE, source="order", now=NOON)
    assert stranger.get(path).status_code == 410


# it survives


def test_only_the_last_texts_are_listed_and_no_emails(
    ann: Contact, message: Message, stranger: Client
) -> None:
    sent = [texted(ann, at=NOON + n * MINUTE) for n in range(12)]
    html = stranger.get(links.number_url(sent[0].point_id or 0).removeprefix(BASE_URL)).content.decode()
    listed = [text for text in sent if links.why_path(text.pk) in html]
    assert listed == sent[2:]
    assert links.why_path(message.pk) not in html
