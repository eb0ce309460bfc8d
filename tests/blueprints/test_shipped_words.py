"""The words that ship with the flows that advertise: whole, short, and something to start from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.utils import translation

from oscar_crosschannel.blueprints import SHIPPED
from oscar_crosschannel.blueprints.abandoned_cart import AbandonedCart
from oscar_crosschannel.blueprints.follow_up import FollowUp
from oscar_crosschannel.blueprints.review_request import ReviewRequest
from oscar_crosschannel.blueprints.sms_invitation import SmsInvitation
from oscar_crosschannel.blueprints.triggers import SHIPPED as SHIPPED_TRIGGERS
from oscar_crosschannel.blueprints.welcome import Welcome, WelcomeCode
from oscar_crosschannel.blueprints.win_back import WinBack
from oscar_crosschannel.channels.loading import channel as channel_of
from oscar_crosschannel.conf import settings as ours, triggers
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.facts import EMAIL, SMS, Purpose
from oscar_crosschannel.core.plan import Context, Step
from oscar_crosschannel.core.sms import Encoding, segments
from oscar_crosschannel.core.triggers import Trigger
from oscar_crosschannel.models import Topic
from oscar_crosschannel.services import composing, copies, copy_language, rendering, setup, unfolding
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from tests.blueprints.runs import make_run
from tests.factories import NOON

pytestmark = pytest.mark.django_db

FLOWS = (AbandonedCart, Welcome, WelcomeCode, FollowUp, SmsInvitation, WinBack, ReviewRequest)
KEYS = [flow.key for flow in FLOWS]


@pytest.fixture(autouse=True)
def shop(db: None, settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = "https://quillbrook.example"
    setup.install()


def planned(key: str) -> PlannedFlow:
    return next(each for each in load_plans() if each.plan.key == key)


def speakable(flow: PlannedFlow) -> Iterator[tuple[Step, str]]:
    """Steps and the channels on which words for them ship: more than those they go by."""
    for step in flow.plan.steps:
        for channel in (EMAIL, SMS):
            part = "text" if channel == SMS else "subject"
            if rendering.has_file(copy_key(flow, step, channel), part):
                yield step, channel


def copy_key(flow: PlannedFlow, step: Step, channel: str, language: str = "en") -> rendering.CopyKey:
    return rendering.CopyKey(flow.flow_id, flow.plan.key, step.key, channel, language)


def test_all_of_them_ship() -> None:
    assert set(FLOWS) <= set(SHIPPED)


@pytest.mark.parametrize("key", KEYS)
def test_every_step_has_words_for_its_channels(key: str) -> None:
    flow = planned(key)
    there = {(step.key, channel) for step, channel in speakable(flow)}
    assert {(step.key, channel) for step in flow.plan.steps for channel in step.channels} <= there


@pytest.mark.parametrize("key", ["welcome_code", "follow_up", "win_back"])
def test_a_text_has_words_for_who_prefers_emails(key: str) -> None:
    flow = planned(key)
    there = set(speakable(flow))
    assert all((step, EMAIL) in there for step in flow.plan.steps)


@pytest.mark.rule(29, 41, 81)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_the_words_can_be_sent(key: str, language: str) -> None:
    """With everything that they may say, made up by the flow itself."""
    flow = planned(key)
    for step, channel in speakable(flow):
        with translation.override(language):
            context = copies.example(flow, step, channel, now=NOON)
        content = composing.compose(
            copy_key(flow, step, channel, language), None, context, purpose=Purpose.MARKETING
        )
        if channel == SMS:
            assert segments(content.text).encoding is Encoding.GSM7, content.text
            assert segments(content.text).count <= 2, content.text
            assert "STOP" in content.text
            continue
        page = BeautifulSoup(content.html, "html.parser")
        targets = {str(link["href"]) for link in page.select("a[href]")}
        counted = {target for target in targets if "/cc/l/" in target}
        assert counted, "there is something to do"
        assert context["unsubscribe_url"] in targets
        assert all(url in content.text for url in counted - {context["trap_url"]})
        assert content.subject
        assert "None" not in page.get_text() + content.text


@pytest.mark.parametrize("key", KEYS)
def test_the_words_can_be_sent_with_nothing_to_show(key: str, settings: Any) -> None:
    """A young shop: no mission, nothing sold, no review, no name."""
    settings.CROSSCHANNEL_MISSION = settings.CROSSCHANNEL_SUPPORT_CONTACT = ""
    flow = planned(key)
    for step, channel in speakable(flow):
        full = flow.about.example()
        assert full is not None
        few = {name: [] if isinstance(value, list) else value for name, value in full.values.items()}
        few |= {name: "" for name in ("mission", "support") if name in few}
        bare = Context(values=few, links={name: path for name, path in full.links.items() if "." not in name})
        context = copies.context_of(flow, step, channel, bare, now=NOON, name="")
        content = composing.compose(copy_key(flow, step, channel), None, context, purpose=Purpose.MARKETING)
        assert "  " not in content.subject
        assert content.text


@pytest.mark.parametrize("key", KEYS)
def test_merchants_can_begin_with_the_words_that_ship(key: str) -> None:
    flow = planned(key)
    for step, channel in speakable(flow):
        names = copies.known_names(flow, step, channel, now=NOON)
        for part in channel_of(channel).parts:
            words = unfolding.unfolded(copy_key(flow, step, channel), part)
            assert words, (step.key, channel, part)
            if step.voucher or "voucher" not in words:
                assert not copy_language.flaws(words, names), (step.key, channel, part)


def test_each_thing_of_a_list_has_a_link_of_its_own() -> None:
    flow = planned("win_back")
    context = copies.example(flow, flow.plan.steps[0], EMAIL, now=NOON)
    urls = [item["link"] for item in context["recommendations"]]
    assert len({*urls, context["links"]["shop"], context["trap_url"]}) == 4
    assert list(context["links"]) == ["shop"]


@pytest.mark.parametrize("key", KEYS)
def test_every_name_is_explained(key: str) -> None:
    flow = planned(key)
    example = flow.about.example()
    assert example is not None
    names = {name for name, value in example.values.items() if not isinstance(value, dict)}
    for name, value in example.values.items():
        thing = value[0] if isinstance(value, list) else value
        names |= {f"{name}.{field}" for field in thing} if isinstance(thing, dict) else set()
    for link in example.links:
        of, _, number = link.partition(".")
        names.add(f"{of}.link" if number else f"links.{link}")
    assert names == set(flow.about.glossary)


@pytest.mark.parametrize("key", [key for key in KEYS if key != "abandoned_cart"])
def test_the_page_why_names_no_person_and_no_thing(key: str) -> None:
    said = planned(key).about.occasion(make_run(NOON))
    assert said.endswith(".")
    assert "Ada" not in said


@pytest.mark.parametrize(
    "event",
    ["subscriber.joined", "consent.granted.email", "consent.granted.sms", "product.clicked", "customer.lapsed", "order.placed"],
)  # fmt: skip
def test_merchants_may_begin_flows_of_their_own_with_it(event: str) -> None:
    trigger = triggers.get(event)
    assert trigger is not None
    assert trigger.starts


@pytest.mark.parametrize("trigger", SHIPPED_TRIGGERS, ids=lambda trigger: trigger.event)
def test_what_a_flow_of_a_merchants_own_may_say_is_known(trigger: Trigger) -> None:
    """So that it is listed, and that a name nobody fills in is refused."""
    assert trigger.about.example() is not None


def test_a_projects_trigger_about_nothing_knows_what_all_messages_say() -> None:
    assert Trigger(event="tea.poured", title="Tea is poured").about.example() == Context()


def test_who_only_opened_an_account_is_not_told_that_they_signed_up_for_messages() -> None:
    trigger = triggers.get("user.registered")
    assert trigger is not None
    assert "opened an account" in trigger.about.occasion(make_run(NOON))


@pytest.mark.parametrize("key", KEYS)
def test_why_somebody_gets_an_email_is_said_in_the_words_of_its_topic(key: str) -> None:
    """Merchants call topics as they like, and people may be written to without having asked for it."""
    Topic.objects.filter(key=planned(key).plan.topic).update(name="Tea post")
    flow = planned(key)
    for step, channel in speakable(flow):
        if channel == EMAIL:
            context = copies.example(flow, step, EMAIL, now=NOON)
            content = composing.compose(copy_key(flow, step, EMAIL), None, context, purpose=flow.purpose)
            for words in (content.text, content.html):
                told = " ".join(words.split())
                assert "because Quillbrook may write to you about this: Tea post." in told
                assert "you asked" not in told


def test_an_email_that_advertises_may_invite_to_texts_and_gets_the_credit() -> None:
    flow = planned("welcome")
    step = next(step for step in flow.plan.steps if step.key == "story")
    names = copies.known_names(flow, step, EMAIL, now=NOON)
    assert names is not None
    assert "/cc/t/" in names["join_texts_url"]
    words = composing.words_context(
        Context(), channel_key=EMAIL, purpose=Purpose.MARKETING, name="", message_id=7, voucher=None
    )
    token = words["join_texts_url"].rstrip("/").rpartition("/")[2]
    assert tokens.read(tokens.JOIN_TEXTS, token, keys=ours.link_keys()) == (7, 0)


@pytest.mark.rule(39)
@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.MARKETING])
def test_no_other_email_invites_to_texts(purpose: Purpose) -> None:
    words = composing.words_context(
        Context(), channel_key=EMAIL, purpose=purpose, name="", message_id=7, voucher=None
    )
    assert words["join_texts_url"] == ""
