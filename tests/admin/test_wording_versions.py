"""A merchant writes the words beside a consent box: a new version each time, with all that must be read."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.models import ConsentTemplate
from oscar_crosschannel.services import wording_versions, wordings
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import filled, parsed, refused, words
from tests.admin.test_topics import staff

LIST = "/admin/oscar_crosschannel/consenttemplate/"

#: All that carriers in the United States look for.
GOOD = (
    "Yes, {brand} may send me recurring automated texts ({topics}). Consent is not a condition of purchase. "
    "Up to {frequency} a month. Message and data rates may apply. STOP ends it, HELP helps. "
    "{terms_url} {privacy_url}"
)


@pytest.fixture
def editor() -> Client:
    return staff("view_consenttemplate", "change_consenttemplate")


@pytest.fixture(autouse=True)
def _languages(settings: Any) -> None:
    settings.LANGUAGES = [("en", "English"), ("fr", "French")]
    settings.CROSSCHANNEL_BRAND = "Quillbrook"
    settings.CROSSCHANNEL_TERMS_URL = "https://shop.example/terms"


def url(kind: str = "sms", country: str = "any", language: str = "en") -> str:
    return reverse("admin:oscar_crosschannel_consenttemplate_change", args=[f"{kind}.{country}.{language}"])


def saved(client: Client, address: str, text: str, **changes: str) -> Any:
    data = filled(parsed(client.get(address)))
    return client.post(address, {**data, "words": text, **changes, "do": "save"})


def lines(client: Client) -> list[str]:
    return [" ".join(row.get_text(" ").split()) for row in parsed(client.get(LIST)).select("tbody tr")]


# It works.


def test_the_list_says_which_words_are_in_force_where(editor: Client) -> None:
    assert len(lines(editor)) == 4 * 2, "four boxes in two languages"
    assert all("Shipped words" in line for line in lines(editor))
    assert not ConsentTemplate.objects.exists()

    saved(editor, url("sms", "FR", "fr"), "{brand}: {topics}. STOP HELP")
    (own,) = [line for line in lines(editor) if "Your words" in line]
    assert own == "French France Your words {brand}: {topics}. STOP HELP"


@pytest.mark.rule(4, 5)
def test_an_edit_is_a_new_version_and_old_grants_keep_their_words(editor: Client) -> None:
    before = wordings.keep(wordings.wording("sms", "en"), language="en", now=NOW)

    assert saved(editor, url(), GOOD).status_code == 302
    first = ConsentTemplate.objects.get()
    assert (first.made_by, first.made_at, first.topics) == ("ed", NOW, ["weekly_deals", "basket_reminders"])
    after = wordings.wording("sms", "en")
    assert after.words.startswith("Yes, Quillbrook may send me recurring automated texts (")
    assert wordings.keep(after, language="en", now=NOW).template == first

    saved(editor, url(), GOOD.replace("Yes", "Gladly"))
    assert ConsentTemplate.objects.count() == 2
    before.refresh_from_db()
    assert before.words.startswith("I agree to receive recurring automated marketing text messages")
    page = words(editor.get(url()))
    assert page.index("Gladly, {brand}") < page.index("Yes, {brand}"), "all versions, the newest first"


@pytest.mark.rule(4)
def test_the_same_words_are_no_new_version(editor: Client) -> None:
    saved(editor, url(), GOOD)
    answer = editor.post(url(), {**filled(parsed(editor.get(url()))), "do": "save"}, follow=True)

    assert "Nothing was changed." in words(answer)
    assert ConsentTemplate.objects.count() == 1


@pytest.mark.rule(4)
def test_as_shipped_again_is_a_version_without_words(editor: Client) -> None:
    saved(editor, url(), GOOD)
    editor.post(url(), {**filled(parsed(editor.get(url()))), "do": "reset"})

    assert list(ConsentTemplate.objects.order_by("pk").values_list("words", flat=True)) == [GOOD, ""]
    assert wordings.wording("sms", "en").words.startswith("I agree to receive")
    assert parsed(editor.get(url())).select("[value=reset]") == []


def test_words_for_a_country_count_there_and_nowhere_else(editor: Client) -> None:
    location = editor.get(f"{LIST}open/", {"kind": "sms", "country": "GB", "language": "en"})["Location"]
    assert location == url("sms", "GB")
    assert "STOP" in parsed(editor.get(location)).select("[name=words]")[0]["placeholder"]

    saved(editor, location, "Texts from {brand}: {topics}. STOP, HELP.")
    assert wordings.wording("sms", "en", country="GB").words.startswith("Texts from Quillbrook:")
    assert wordings.wording("sms", "en").words.startswith("I agree")


def test_the_preview_reads_as_people_do(editor: Client) -> None:
    def previewed(**changes: str) -> str:
        data = filled(parsed(editor.get(url()))) | changes
        answer = parsed(editor.post(url(), {**data, "do": "preview"}))
        return " ".join(answer.select("#preview")[0].get_text().split())

    assert previewed().startswith("I agree to receive recurring automated")
    told = previewed(words=GOOD)
    assert told.startswith(
        "Yes, Quillbrook may send me recurring automated texts (Weekly deals, Basket reminders)"
    )
    assert "https://shop.example/terms" in told
    assert not ConsentTemplate.objects.exists()


def test_the_words_in_grey_can_be_started_from(editor: Client) -> None:
    data = {**filled(parsed(editor.get(url()))), "do": "start"}
    begun = filled(parsed(editor.post(url(), data)))

    assert begun["words"].startswith(
        "I agree to receive recurring automated marketing text messages ({topics})"
    )
    assert not ConsentTemplate.objects.exists()


def test_the_words_may_name_other_topics(editor: Client) -> None:
    data = filled(parsed(editor.get(url("email"))))
    del data["topic_basket_reminders"]
    editor.post(url("email"), {**data, "words": "{brand}: {topics}", "topic_events": "on", "do": "save"})

    assert set(wordings.wording("email", "en").topics) == {"weekly_deals", "events"}


# It refuses.


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    ("phrase", "told"),
    [
        ("{brand}", "who sends the messages: {brand}"),
        ("{topics}", "what they are about: {topics}"),
        ("recurring automated", "“recurring automated”"),
        ("{frequency}", "how many there may be: {frequency}"),
        ("Message and data rates may apply", "“Message and data rates may apply”"),
        ("Consent is not a condition of purchase", "“Consent is not a condition of purchase”"),
        ("STOP", "how to stop: STOP"),
        ("HELP", "how to get help: HELP"),
        ("{terms_url}", "the address of the terms: {terms_url}"),
        ("{privacy_url}", "the address of the privacy policy: {privacy_url}"),
    ],
)
@pytest.mark.parametrize("country", ["any", "US"])
def test_words_that_lack_what_must_be_read_are_refused(
    editor: Client, phrase: str, told: str, country: str
) -> None:
    answer = saved(editor, url("sms", country), GOOD.replace(phrase, ""))

    assert f"It lacks {told}." in refused(answer)
    assert refused(answer).count("It lacks") == 1
    assert not ConsentTemplate.objects.exists()


def test_unknown_slots_and_words_about_nothing_are_refused(editor: Client) -> None:
    assert "There is no “{name}”." in refused(saved(editor, url(), f"{GOOD} {{name}}"))

    data = filled(parsed(editor.get(url())))
    data = {name: value for name, value in data.items() if not name.startswith("topic_")}
    told = refused(editor.post(url(), {**data, "words": GOOD, "do": "save"}))
    assert "Tick at least one topic" in told


@pytest.mark.rule(5)
def test_no_code_adds_them_either() -> None:
    place = wording_versions.Place(kind="sms", country="US", language="en")

    with pytest.raises(ValueError, match="lack"):
        wording_versions.add(place, words="Texts, please.", topics=["events"], by="ed", now=NOW)
    assert not ConsentTemplate.objects.exists()


def test_there_are_no_other_boxes(editor: Client) -> None:
    for address in (url("fax"), url("sms", "XX"), url("sms", "any", "tlh"), url("../sms"), url("")):
        assert editor.get(address)["Location"] == LIST
    answer = editor.get(f"{LIST}open/", {"kind": "fax", "country": "DE", "language": "en"}, follow=True)
    assert "There is no such box." in words(answer)


def test_staff_who_may_only_look_change_nothing(merchant: Client) -> None:
    assert len(lines(merchant)) == 8
    assert merchant.post(url(), {"words": GOOD, "do": "save"}).status_code == 403
    assert staff(name="none").get(LIST).status_code == 403
    assert not ConsentTemplate.objects.exists()


# It survives.


def test_two_who_write_at_once(editor: Client) -> None:
    mine = filled(parsed(editor.get(url())))
    saved(staff("view_consenttemplate", "change_consenttemplate", name="eve"), url(), GOOD)

    answer = editor.post(url(), {**mine, "topic_events": "on", "do": "save"})

    assert "Somebody else" in refused(answer) or "Eve changed this" in refused(answer)
    assert filled(parsed(answer))["words"] == GOOD
    assert ConsentTemplate.objects.count() == 1


def test_words_stay_text(editor: Client) -> None:
    text = f"{GOOD} <script>alert(1)</script>"
    saved(editor, url(), text)

    for page in (url(), LIST):
        html = editor.get(page).content.decode()
        assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in editor.get(url()).content.decode()
