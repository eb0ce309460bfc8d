"""The words beside consent boxes: which count, how their slots are filled, and that they are found again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.models import ConsentTemplate, ConsentText, Topic, TopicWords
from oscar_crosschannel.services import wordings
from tests.factories import NOON
from tests.services.shoppers import ANN, TOPICS, answer, guest, member, permitted, tick

pytestmark = pytest.mark.django_db


def version(words: str, kind: str = "email", **changes: Any) -> ConsentTemplate:
    values = {"language": "en", "topics": ["weekly_deals"], "made_at": NOON, "made_by": "meg"}
    made: ConsentTemplate = ConsentTemplate.objects.create(kind=kind, words=words, **values | changes)
    return made


def said(kind: str = "email", language: str = "en", **where: Any) -> str:
    return wordings.wording(kind, language, **where).words


# it works


@pytest.mark.rule(5)
@pytest.mark.parametrize("kind", wordings.KINDS)
@pytest.mark.parametrize("country", ["", "US", "CA", "FR"])
def test_the_shipped_words_say_all_that_carriers_and_courts_expect(kind: str, country: str) -> None:
    assert wordings.missing_phrases(kind, country, "en", wordings.shipped(kind, "en").words) == []


@pytest.mark.rule(5)
def test_the_box_for_texts_reads_as_it_must(settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_FREQUENCY = "6"
    words = said("sms")
    for part in (
        "Quillbrook",
        "recurring automated",
        "up to 6/month",
        "Message and data rates may apply",
        "Consent is not a condition of purchase",
        "STOP",
        "HELP",
        settings.CROSSCHANNEL_TERMS_URL,
        settings.CROSSCHANNEL_PRIVACY_URL,
        "Basket reminders, Weekly deals",
    ):
        assert part in words
    assert "{" not in words


def test_the_newest_version_of_the_merchant_counts() -> None:
    version("First {brand}, {topics}")
    version("Second {brand}, {topics}")
    assert said() == "Second Quillbrook, Weekly deals"
    assert said(language="en-gb") == "Second Quillbrook, Weekly deals"
    assert "Second" not in said(language="de")


def test_a_country_has_words_of_its_own() -> None:
    version("Everywhere: {topics}")
    version("À la maison : {topics}", country="FR")
    assert said(country="FR").startswith("À la maison")
    assert said(country="GB").startswith("Everywhere")


def test_empty_words_go_back_to_what_was_shipped() -> None:
    before = said()
    version("Everywhere: {topics}")
    version("En France : {topics}", country="FR")
    version("", country="FR")
    assert said(country="FR").startswith("Everywhere")
    version("")
    assert said() == before


def test_topics_are_called_as_shoppers_know_them() -> None:
    topic = Topic.objects.get(key="weekly_deals")
    TopicWords.objects.create(topic=topic, language="de", name="Angebote der Woche")
    assert "Angebote der Woche" in said(language="de")
    assert "Angebote der Woche" in said(language="de-at")
    topic.name = "Deals of the week"
    topic.save()
    assert "Deals of the week" in said()


@pytest.mark.rule(2)
def test_words_can_be_asked_for_exactly_these_topics() -> None:
    words = wordings.wording("sms", "en", topics=["weekly_deals"])
    assert words.topics == ("weekly_deals",)
    assert "Weekly deals" in words.words
    assert "Basket reminders" not in words.words


def test_words_of_before_there_were_slots_still_name_what_is_asked_for() -> None:
    version("Write to me, {brand}.")
    assert said() == "Write to me, Quillbrook."
    assert said(topics=["basket_reminders"]) == "Write to me, Quillbrook. (Basket reminders)"


@pytest.mark.parametrize(
    ("channel", "purpose", "kind"),
    [
        ("sms", Purpose.MARKETING, "sms"),
        ("sms", Purpose.TRANSACTIONAL, "order_texts"),
        ("sms", Purpose.REQUESTED, "order_texts"),
        ("email", Purpose.TRANSACTIONAL, "email"),
    ],
)
def test_each_topic_has_its_box(channel: str, purpose: Purpose, kind: str) -> None:
    assert wordings.kind_for(channel, purpose) == kind


def test_a_page_full_of_words_costs_one_statement(django_assert_num_queries: Any) -> None:
    ann = member()
    tick(ann, "email", ANN, given=False, signed_in=True)
    version("Everywhere: {topics}")
    with django_assert_num_queries(1):
        vocabulary = wordings.read("en", country="FR", user_id=ann.user_id)
        assert vocabulary.wording("email").words == "Everywhere: Weekly deals"
        assert vocabulary.wording("sms", ["order_updates"]).topics == ("order_updates",)
        assert vocabulary.decided == {"email"}
        assert list(vocabulary.topics)[:2] == ["weekly_deals", "basket_reminders"]


# it refuses


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("Texts from {brand}: {topics}.", "stop help terms_url privacy_url frequency rates recurring_automated no_condition"),
        ("Stop and help yourself to {topics} from {brand}", "stop help"),
        ("STOP HELP {topics} {terms_url} {privacy_url}", "brand frequency"),
    ],
)  # fmt: skip
def test_words_that_lack_something_are_told_what(words: str, missing: str) -> None:
    assert set(missing.split()) <= set(wordings.missing_phrases("sms", "US", "en", words))


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("recurring automated ", "recurring_automated"),
        ("Message and data rates may apply", "rates"),
        ("Consent is not a condition of purchase", "no_condition"),
        ("STOP", "stop"),
        ("HELP", "help"),
        ("{brand}", "brand"),
        ("{frequency}", "frequency"),
        ("{terms_url}", "terms_url"),
        ("{privacy_url}", "privacy_url"),
        ("{topics}", "topics"),
    ],
)
def test_each_part_of_the_words_is_missed(part: str, code: str) -> None:
    words = wordings.shipped("sms", "en").words.replace(part, "")
    assert wordings.missing_phrases("sms", "US", "en", words) == [code]


def test_a_slot_that_nobody_fills_is_named_and_left_as_it_is() -> None:
    assert wordings.unknown_slots("{brand} {shop} {topics} {0}") == ["shop", "0"]
    assert wordings.fill("{shop} {brand.pk} {brand}") == "{shop} {brand.pk} Quillbrook"


def test_words_that_name_no_topic_are_refused(settings: Any, tmp_path: Path) -> None:
    own = tmp_path / "oscar_crosschannel" / "consent"
    own.mkdir(parents=True)
    (own / "email.txt").write_text("I agree to everything.")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    with pytest.raises(ImproperlyConfigured, match="topics:"):
        wordings.wording("email", "en")


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    "forged",
    [{"kind": "sms"}, {"kind": "../../settings"}, {"kind": "email_unheard_of"}, {"language": "../x"}, {"digest": ""}],
)  # fmt: skip
def test_words_that_a_form_made_up_are_not_known(forged: dict[str, str]) -> None:
    values: dict[str, Any] = {"digest": wordings.wording("email", "en").digest, "language": "en"} | forged
    assert wordings.shown(values.pop("digest"), channel="email", now=NOON, **values) is None
    assert not ConsentText.objects.exists()


@pytest.mark.rule(2, 4)
def test_words_of_one_channel_are_none_of_another_whatever_box_a_form_names() -> None:
    texts = wordings.wording("sms", "en").digest
    assert wordings.shown(texts, channel="email", kind="sms", language="en", now=NOON) is None
    assert wordings.shown(texts, channel="sms", language="en", now=NOON) is not None
    assert wordings.shown(texts, channel="email", kind="sms", language="en", now=NOON) is None


# it survives


@pytest.mark.rule(4)
def test_what_was_shown_before_a_newer_version_is_still_known() -> None:
    first = version("First {brand}, {topics}", country="FR")
    seen = wordings.wording("email", "en", country="FR")
    version("Second {brand}, {topics}", country="FR")
    text = wordings.shown(seen.digest, channel="email", language="en", now=NOON)
    assert text is not None
    assert (text.words, text.template, text.kind) == (seen.words, first, "email")
    again = wordings.shown(seen.digest, channel="email", language="en", now=NOON + timedelta(days=1))
    assert again == text


@pytest.mark.rule(4)
def test_old_grants_keep_the_words_of_their_version() -> None:
    version("First {brand}, {topics}")
    ann = guest()
    tick(ann, "email", ANN)
    version("Second {brand}, {topics}")
    bob = guest("bob@example.com")
    tick(bob, "email", "bob@example.com")
    assert set(ConsentText.objects.values_list("words", flat=True)) == {
        "First Quillbrook, Weekly deals",
        "Second Quillbrook, Weekly deals",
    }


@pytest.mark.rule(2, 4)
def test_words_for_single_topics_permit_just_these() -> None:
    ann = guest()
    shown = wordings.wording("email", "en", topics=["order_updates"])
    tick(ann, "email", ANN, text=shown.digest, topics=["order_updates"])
    assert permitted(ann, "email") == {"order_updates"}
    assert set(TOPICS).isdisjoint(permitted(ann, "email"))
    assert answer("email", ANN).text != shown.digest


@pytest.mark.rule(39)
@pytest.mark.parametrize("language", ["en", "en-gb", "de", "fr"])
def test_only_words_that_say_so_let_texts_come_at_any_hour(language: str) -> None:
    """A grant keeps what its words said, whatever they say later."""
    asked, marketing = (wordings.shipped(kind, language).words for kind in (wordings.ORDER_TEXTS, "sms"))
    assert wordings.says_any_hour(asked, language)
    assert not wordings.says_any_hour(marketing, language)
    kept = wordings.keep(wordings.wording(wordings.ORDER_TEXTS, language), language=language, now=NOON)
    assert kept.any_hour
    assert not wordings.store("sms", language, ["events"], "Text me.", now=NOON).any_hour


def test_words_in_a_language_that_nobody_here_reads_are_taken_for_daytime() -> None:
    assert not wordings.says_any_hour("at any hour", "eo")
