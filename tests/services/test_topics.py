"""What topics are called, in every language."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from oscar_crosschannel.models import Topic, TopicWords
from oscar_crosschannel.services import copies, promotion, setup, topics
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.services.topics import Words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _installed() -> None:
    setup.install()


def topic(key: str = "weekly_deals") -> Topic:
    return topics.in_order().get(key=key)


def called(language: str, key: str = "weekly_deals") -> str:
    return topics.words(topic(key), language).name


def test_shipped_words_are_translated_while_nobody_changed_them() -> None:
    assert (called("de"), called("it")) == ("Angebote der Woche", "Weekly deals")

    Topic.objects.filter(key="weekly_deals").update(name="Deals!")
    assert (called("de"), called("en"), called("de", "events")) == ("Deals!", "Deals!", "Veranstaltungen")


def test_the_merchants_words_for_a_language_count_for_its_regions_too() -> None:
    TopicWords.objects.create(topic=topic(), language="pt", name="Ofertas", description="Às sextas.")
    TopicWords.objects.create(topic=topic(), language="pt-br", name="Promoções")

    assert topics.words(topic(), "pt") == Words(name="Ofertas", description="Às sextas.")
    assert (called("pt-pt"), called("pt-BR"), called("it")) == ("Ofertas", "Promoções", "Weekly deals")
    assert topics.inherited(topic(), "pt-br").name == "Ofertas"
    assert topics.inherited(topic(), "cy-gb").name == "Weekly deals"


def test_columns_tell_the_same_name_as_the_row() -> None:
    TopicWords.objects.create(topic=topic(), language="pt", name="Ofertas")

    for language in ("pt", "pt-br", "it", "en"):
        assert topics.name("weekly_deals", "Weekly deals", {"pt": "Ofertas"}, language) == called(language)


def test_all_topics_are_read_in_two_statements() -> None:
    with CaptureQueriesContext(connection) as queries:
        found = [topics.words(each, "de").name for each in topics.in_order()]

    assert (len(found), len(queries)) == (len(topics.SHIPPED), 2)


def test_what_a_merchant_changed_survives_the_next_migration() -> None:
    Topic.objects.filter(key="events").update(name="Evenings", position=40, offered=False)
    setup.install()

    row = Topic.objects.get(key="events")
    assert (row.name, row.position, row.offered) == ("Evenings", 40, False)
    assert Topic.objects.count() == len(topics.SHIPPED)


@pytest.mark.rule(39)
def test_no_shipped_flow_promotes_under_the_cover_of_an_order() -> None:
    bound = [flow for flow in load_plans() if promotion.is_barred(flow.purpose, flow.plan.topic)]

    assert {flow.plan.key for flow in bound} >= {"opt_in_sms", "opt_in_email"}
    for flow in bound:
        if type(flow.about).__module__.startswith("oscar_crosschannel."):
            assert list(copies.promotions(flow)) == []


@pytest.mark.rule(39)
@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("Hi {{ voucher.code }}", [1]),
        ("Hi\n\n{% if voucher %}{{ voucher.code|upper }}{% endif %}", [3, 3]),
        ("{% for one in recommendations|slice:':3' %}{{ one }}{% endfor %}", [1]),
        ("{% with code=offers.0 %}\n{{ code }}{% endwith %}", [1]),
        ("voucher offers recommendations", []),
        ("{{ name|default:'voucher' }} {{ items.voucher }} {{ vouchers }} {{ my_offers }}", []),
        ("{# voucher #}", []),
    ],
)
def test_what_promotes_is_found_in_its_line(words: str, lines: list[int]) -> None:
    assert [found.line for found in promotion.mentions(words)] == lines
