"""Merchants' words: checked as they will be sent, kept, and told apart from those that ship with a flow."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import global_settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from oscar_crosschannel.conf import flows, settings as app_settings
from oscar_crosschannel.core import tokens
from oscar_crosschannel.core.plan import Blueprint, StepTuning, Tuning
from oscar_crosschannel.models import Copy, Flow, FlowStep
from oscar_crosschannel.services import copies, copy_language, promotion, setup, tuning, unfolding
from oscar_crosschannel.services.copies import Problem, Source
from oscar_crosschannel.services.plans import PlannedFlow, load_plans
from oscar_crosschannel.services.rendering import CopyKey, render
from tests.factories import NOON, make_contacts

pytestmark = pytest.mark.django_db

#: Flows that ship with the app, each with all its steps and channels.
SHIPPED = [
    (blueprint.key, step.key, channel)
    for blueprint in flows
    if type(blueprint).__module__.startswith("oscar_crosschannel.")
    for step in blueprint.plan().steps
    for channel in step.channels
]


@pytest.fixture(autouse=True)
def _shop(settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = "https://shop.example"
    settings.USE_TZ = True
    setup.install()  # the topics with their purposes


def planned(key: str = "abandoned_cart") -> PlannedFlow:
    return next(item for item in load_plans() if item.plan.key == key)


def key_of(step: str, channel: str, language: str = "en", *, flow: str = "abandoned_cart") -> CopyKey:
    found = planned(flow)
    return CopyKey(found.flow_id, flow, step, channel, language)


def problems(step: str, channel: str, **words: str | None) -> list[Problem]:
    flow = planned()
    declared = flow.plan.step(step)
    assert declared is not None
    return copies.problems(flow, declared, copies.draft(key_of(step, channel), words), now=NOON)


def keep(key: CopyKey, **words: str | None) -> copies.Kept:
    with transaction.atomic():
        return copies.keep(tuning.lock(key.flow_id), copies.draft(key, words), now=NOON)


# It works.


@pytest.mark.rule(29)
def test_good_words_have_no_problems() -> None:
    assert (
        problems("code", "sms", text="{{ brand }}: {{ voucher.code }} {{ links.basket }} STOP to opt out")
        == []
    )
    assert problems("nudge", "email", subject="Hi", text="Hi {{ name }}", html="<p>{{ total }}</p>") == []
    assert problems("nudge", "email", html="") == []


def test_words_that_say_nothing_are_the_shipped_ones() -> None:
    assert problems("code", "sms") == problems("nudge", "email") == []


@pytest.mark.parametrize(("flow", "step", "channel"), SHIPPED)
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_the_shipped_words_can_be_started_from_and_say_the_same(
    flow: str, step: str, channel: str, language: str
) -> None:
    """Also: the example of each blueprint has every name that its own words use."""
    found, key = planned(flow), key_of(step, channel, language, flow=flow)
    declared = found.plan.step(step)
    assert declared is not None
    with translation.override(language):
        names = copies.known_names(found, declared, channel, now=NOON)
        context = copies.example(found, declared, channel, now=NOON)
    for part in copies.parts_of(channel):
        words = unfolding.unfolded(key, part)
        assert words, f"{part} cannot be written as copy"
        assert copy_language.flaws(words, names) == []
        if part != "html":
            own = copies.draft(key, {part: words})
            assert render(key, own, {part}, context) == render(key, None, {part}, context)


def test_the_shipped_html_looks_the_same_in_the_merchants_frame() -> None:
    found, key = planned(), key_of("nudge", "email")
    step = found.plan.step("nudge")
    assert step is not None
    context = copies.example(found, step, "email", now=NOON)
    own = copies.draft(key, {"html": unfolding.unfolded(key, "html")})
    card = '<table role="presentation" class="card"'
    ours, theirs = (
        render(key, words, {"html"}, context)["html"].split(card)[1].split('class="foot"')[0]
        for words in (own, None)
    )
    assert ours.split() == theirs.split()


def test_kept_words_raise_the_flows_version() -> None:
    key = key_of("code", "sms")
    kept = keep(key, text="Hello STOP")

    assert kept.changed == ["text"]
    row = copies.find(key)
    assert row is not None
    assert row.text == "Hello STOP"
    assert Flow.objects.get(pk=key.flow_id).version == 2


def test_words_that_inherit_everything_are_forgotten() -> None:
    key = key_of("nudge", "email")
    keep(key, subject="Hello", html="")
    assert keep(key).changed == ["subject", "html"]
    assert copies.find(key) is None


def test_it_is_known_where_the_words_come_from() -> None:
    def sources(step: str, channel: str, language: str) -> list[Source]:
        found = planned()
        declared = found.plan.step(step)
        assert declared is not None
        return list(copies.of_message(found, declared, channel, language).sources.values())

    keep(key_of("nudge", "email", "de"), subject="Hallo", html="")
    assert sources("nudge", "email", "en") == [Source.FILE, Source.FILE, Source.FILE]
    assert sources("nudge", "email", "de") == [Source.OWN, Source.FILE, Source.EMPTY]
    assert sources("nudge", "email", "de-ch") == [Source.BASE, Source.FILE, Source.EMPTY]
    assert sources("nudge", "sms", "de") == [Source.NONE]


def test_the_languages_are_those_the_project_names(settings: Any) -> None:
    assert list(copies.languages()) == ["en", "de", "fr"]
    settings.LANGUAGE_CODE = "fr"
    assert list(copies.languages()) == ["fr", "en", "de"]
    settings.LANGUAGES = global_settings.LANGUAGES
    assert list(copies.languages()) == ["fr"]


def test_all_words_of_a_flow_cost_three_statements() -> None:
    found = planned()
    for language in ("en", "de", "fr"):
        keep(key_of("nudge", "email", language), subject="Hello")
    with CaptureQueriesContext(connection) as queries:
        listed = copies.of_flow(found)
    assert len(queries) == 3
    # two steps, two channels, three languages
    assert len(listed) == 12
    assert [words.in_use for words in listed] == ([True] * 3 + [False] * 3) * 2


# It refuses.


@pytest.mark.rule(29, 82, 83)
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{{ links.basket }} is waiting", "A marketing text must say how to stop, such as “Reply STOP to opt out”."),
        ("Look: https://bit.ly/tea STOP", "Carriers filter links of public shorteners (bit.ly)."),
        ("STOP " + "x" * 460, "The text takes 4 segments in GSM-7; marketing may take 3."),
        ("STOP 🫖" + "x" * 200, "The text takes 4 segments in UCS-2; marketing may take 3."),
        ("STOP {{ unsubscribe_url }}" * 40, "The text has"),
    ],
)  # fmt: skip
def test_a_text_that_may_not_go_out_is_not_kept(text: str, sentence: str) -> None:
    (problem,) = problems("code", "sms", text=text)
    assert problem.sentence.startswith(sentence)


@pytest.mark.rule(29)
@pytest.mark.rule(29, 82)
def test_a_text_that_is_too_long_with_the_link_for_who_cannot_reply_is_not_kept() -> None:
    text = "STOP " + "x" * 420
    assert problems("code", "sms", text=text) == [], "the shop knows nobody there"
    (person,) = make_contacts(1)
    person.points.filter(channel="sms").update(address="+33612345678", country="FR")
    (problem,) = problems("code", "sms", text=text)
    assert problem.sentence.startswith("The text takes 4 segments")
    assert problem.place == "FR"
    assert problems("code", "sms", text="STOP {{ unsubscribe_url }} " + "x" * 300) == []


def test_an_index_tells_whether_the_shop_knows_numbers_of_people_who_cannot_reply() -> None:
    with CaptureQueriesContext(connection) as queries:
        assert problems("code", "sms", text="STOP") == []
    (asked,) = [query["sql"] for query in queries if 'FROM "oscar_crosschannel_contactpoint"' in query["sql"]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{connection.ops.explain_query_prefix()} {asked}")
        plan = str(cursor.fetchall())
    assert "cc_point_number_country" in plan


def test_a_text_of_a_shop_without_a_name_is_not_kept(settings: Any) -> None:
    settings.CROSSCHANNEL_BRAND = ""
    (problem,) = problems("code", "sms", text="STOP")
    assert "must name its sender" in problem.sentence


def test_a_whole_document_without_the_way_out_is_not_kept() -> None:
    (problem,) = problems("nudge", "email", html="<!doctype html><html><body>Hi</body></html>")
    assert problem.sentence == "Marketing email must show the unsubscribe link, in the text and in the HTML."
    document = "<!doctype html><html><body><a href='{{ unsubscribe_url }}'>Out</a></body></html>"
    assert problems("nudge", "email", html=document) == []


def test_broken_words_are_told_with_part_and_line() -> None:
    assert problems("nudge", "email", subject="{{ nam }}", html="<p>\n{% load x %}</p>") == [
        Problem("There is no variable “nam”.", "subject", 1),
        Problem("“{% load x %}” cannot be used in copy; what can be: comment, for, if, with.", "html", 2),
    ]


def test_a_step_without_a_code_does_not_know_one() -> None:
    assert [p.sentence for p in problems("nudge", "email", text="{{ voucher.code }}")] == [
        "There is no variable “voucher.code”."
    ]


def test_shipped_words_do_not_come_back_to_a_step_whose_code_was_switched_off() -> None:
    flow = planned("win_back")
    Flow.objects.filter(pk=flow.flow_id).update(enabled=True)
    FlowStep.objects.create(flow_id=flow.flow_id, key="code", voucher=False, channels=["sms", "email"])
    flow = planned("win_back")
    (step,) = [step for step in flow.plan.steps if step.key == "code"]

    def blamed(**words: str | None) -> list[str]:
        draft = copies.draft(key_of("code", "email", flow="win_back"), words)
        return [
            problem.part
            for problem in copies.problems(flow, step, draft, now=NOON)
            if problem.sentence == "The shipped words say a code, and this step gives none."
        ]

    assert blamed() == ["text", "html"], "a reset"
    assert blamed(text="We miss you.") == ["html"], "it includes what says a code"
    assert blamed(text="We miss you.", html="") == []
    Flow.objects.filter(pk=flow.flow_id).update(enabled=False)
    flow = planned("win_back")
    assert blamed() == [], "nobody is sent anything"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("{{ voucher.code }}", True),
        ("{% if name %}{{ voucher.code }}{% endif %}", True),
        ("{% if voucher %}{{ voucher.code }}{% endif %} until {{ voucher.valid_until }}", True),
        ("{% if voucher %}{% if name %}{{ name }}{% endif %}{{ voucher.code }}{% endif %}", False),
        ("{% if total %}{{ total }}{% elif voucher %}{{ voucher.code }}{% endif %}", False),
        ("{% if voucher %}{{ voucher.code }}{% elif total %}{{ total }}{% endif %}{{ voucher.code }}", True),
        ("{% if total %}{{ total }}{% elif name %}{{ voucher.code }}{% endif %}", True),
        ("Your voucher: {{ gift.voucher }} {% if %} {{ 'voucher' }}", False),
        ("{% endif %}{% elif voucher %}", False),
    ],
)
def test_words_that_ask_whether_there_is_a_code_do_without_one(words: str, says: bool) -> None:
    assert promotion.promises_code(words) is says


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("{{ voucher.code }}", True),
        ("{% if voucher %}{{ voucher.code }}{% endif %}", True),
        ("{% if name %}Hi{% elif voucher %}{{ voucher.code }}{% endif %}", True),
        ("{% if voucher %}There is something for you{% endif %}", False),
        ("Your voucher", False),
    ],
)
def test_words_say_a_code_whether_they_ask_for_it_or_not(words: str, says: bool) -> None:
    assert promotion.says_code(words) is says
    keep(key_of("nudge", "email"), text=words, html="")
    found = planned()
    (nudge,) = [step for step in found.plan.steps if step.key == "nudge"]
    assert copies.says_code(found, nudge, Copy.objects.all()) is says


def test_shipped_words_say_the_code_that_their_step_gives() -> None:
    found = planned("win_back")
    said = {step.key: copies.says_code(found, step, ()) for step in found.plan.steps}
    assert said == {step.key: step.voucher for step in found.plan.steps}


def test_a_step_without_words_in_some_language_lacks_them() -> None:
    found = planned()
    assert list(copies.lacking(found, found.plan)) == []
    keep(key_of("nudge", "sms", "de"), text="Hallo STOP")
    by_text = found.plan.tuned(Tuning(steps={"nudge": StepTuning(channels=("email", "sms"))}))
    assert list(copies.lacking(found, by_text)) == [copies.Lack("nudge", "sms", ("English",))]


# It survives.


def test_a_provider_that_is_set_up_wrongly_is_no_fault_of_the_words(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = "nowhere.Backend"
    assert problems("code", "sms", text="STOP") == []


def test_a_flow_without_an_example_takes_any_name_and_lists_those_of_all_messages() -> None:
    class Quiet(Blueprint):
        """Quiet"""

        topic = "basket_reminders"
        start = planned().plan.start
        only = planned().plan.steps[1]

    flows.register(Quiet)
    try:
        found = planned("quiet")
        words = copies.draft(
            CopyKey(found.flow_id, "quiet", "only", "sms", "en"), {"text": "{{ who.knows }} STOP"}
        )
        assert copies.problems(found, found.plan.steps[0], words, now=NOON) == []
        names = copies.known_names(found, found.plan.steps[0], "sms", now=NOON)
        assert {"brand", "name", "preferences_url"} <= names.keys()
    finally:
        flows.unregister("quiet")


def test_an_examples_links_and_codes_lead_nowhere(client: Any) -> None:
    found = planned()
    code = found.plan.step("code")
    assert code is not None
    context = copies.example(found, code, "sms", now=NOON)
    links = {
        tokens.CLICK: context["links"]["basket"],
        tokens.UNSUBSCRIBE: context["unsubscribe_url"],
        tokens.PREFERENCES: context["preferences_url"],
        tokens.WHY: context["why_url"],
    }
    for purpose, url in links.items():
        path = url.removeprefix("https://shop.example")
        assert client.get(path).status_code == 404
        # nor will they, once there are so many messages
        assert (
            tokens.read(purpose, path.rstrip("/").rpartition("/")[2], keys=app_settings.link_keys()) is None
        )
    assert Copy.objects.count() == 0
