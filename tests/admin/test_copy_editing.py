"""Words edited beside what people would read, kept only if they can be sent, and tried out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.channels.sms_backends.locmem import outbox
from oscar_crosschannel.core.outbound import Receipt, Refused
from oscar_crosschannel.models import Copy, Flow, FlowStep, Message, Suppression
from oscar_crosschannel.services import contacts
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import NOW
from tests.admin.test_flow_editing import editor_named, filled, parsed, refused, words

GOOD = "{{ brand }}: {{ voucher.code }} {{ links.basket }} Reply STOP to opt out"


@pytest.fixture
def flow() -> Flow:
    load_plans()
    return Flow.objects.get(key="abandoned_cart")


@pytest.fixture
def editor() -> Client:
    return editor_named("ed")


@pytest.fixture
def tester() -> Client:
    """Staff who may look at words and send tests, and change nothing."""
    outbox.clear()
    user = get_user_model().objects.create_user("tess", "tess@shop.example", is_staff=True)
    allowed = ["view_flow", "view_copy", "send_test"]
    user.user_permissions.set(Permission.objects.filter(codename__in=allowed))
    client = Client()
    client.force_login(user)
    return client


def url(flow: Flow, step: str, channel: str, language: str = "en", *, page: str = "words") -> str:
    return reverse(f"admin:oscar_crosschannel_flow_{page}", args=[flow.pk, step, channel, language])


def sms(flow: Flow) -> str:
    return url(flow, "code", "sms")


def email(flow: Flow) -> str:
    return url(flow, "nudge", "email")


def posted(client: Client, address: str, do: str, **changes: str) -> Any:
    """The form as the editor gets it, changed, and one of its buttons pressed."""
    return client.post(address, {**filled(parsed(client.get(address))), **changes, "do": do})


def shown(answer: Any) -> str:
    """The words of the preview."""
    found = parsed(answer).find(id="preview")
    assert found is not None
    return " ".join(found.get_text(" ").split())


# It works.


def test_the_list_names_every_message_and_where_its_words_come_from(editor: Client, flow: Flow) -> None:
    Copy.objects.create(flow=flow, step_key="code", channel="sms", language="de", text="STOP")

    page = parsed(editor.get(reverse("admin:oscar_crosschannel_flow_words_list", args=[flow.pk])))

    told = " ".join(page.get_text(" ").split())
    assert "Code Channel Language Where the words come from SMS English Text: shipped words" in told
    assert "SMS Deutsch Text: your words" in told
    assert len(page.select("#content a[href*='/words/nudge/email/']")) == 3
    assert len(page.select("#content details a[href*='/words/nudge/sms/']")) == 3


def test_own_words_are_kept_logged_and_used(editor: Client, merchant: Client, flow: Flow) -> None:
    assert posted(editor, sms(flow), "save", text=GOOD).status_code == 302

    assert Copy.objects.get().text == GOOD
    assert Flow.objects.get(pk=flow.pk).version == 2
    told = words(merchant.get(reverse("admin:oscar_crosschannel_flow_change", args=[flow.pk])))
    assert "ed Words of Code, SMS, English: Text “{{ brand }}: {{ voucher.code }}" in told


def test_an_empty_field_inherits_and_shows_the_shipped_words_as_its_placeholder(
    editor: Client, flow: Flow
) -> None:
    posted(editor, email(flow), "save", subject="Hello {{ name }}")
    row = Copy.objects.get()
    assert (row.subject, row.text, row.html) == ("Hello {{ name }}", None, None)

    page = parsed(editor.get(email(flow)))
    text = page.select_one("textarea[name=text]")
    assert text is not None
    assert str(text["placeholder"]).startswith("Hello Ada,")
    assert "The shipped words, for comparison" in page.get_text()


def test_html_can_be_left_out_and_taken_back(editor: Client, flow: Flow) -> None:
    posted(editor, email(flow), "save", leave_out="on")
    assert Copy.objects.get().html == ""
    assert "HTML left out" in LogEntry.objects.latest("pk").change_message

    data = filled(parsed(editor.get(email(flow))))
    del data["leave_out"]
    editor.post(email(flow), {**data, "do": "save"})
    assert not Copy.objects.exists()


def test_a_reset_takes_the_shipped_words_whatever_was_typed(editor: Client, flow: Flow) -> None:
    posted(editor, sms(flow), "save", text=GOOD)
    assert parsed(editor.get(sms(flow))).find("button", value="reset")

    posted(editor, sms(flow), "reset", text="typed meanwhile")
    assert not Copy.objects.exists()
    assert not parsed(editor.get(sms(flow))).find("button", value="reset")


def test_the_shipped_words_are_a_start(editor: Client, flow: Flow) -> None:
    page = parsed(posted(editor, url(flow, "code", "sms", "de"), "start"))
    assert filled(page)["text"].startswith("{{ brand }}: Ihr Warenkorb wartet.")
    assert not Copy.objects.exists()


def test_the_variables_are_listed_with_meaning_and_example(editor: Client, flow: Flow) -> None:
    told = words(editor.get(sms(flow)))
    assert "voucher.code The exclusive code TEA" in told
    assert "one.title Name of a thing, with the options chosen Blue teapot" in told
    assert "voucher.code" not in words(editor.get(email(flow)))


def test_what_was_typed_is_shown_and_not_kept(editor: Client, flow: Flow) -> None:
    answer = posted(editor, sms(flow), "preview", text="{{ brand }}: {{ total }} STOP")
    assert shown(answer).startswith("Quillbrook: $44.60 STOP Segments 1 Encoding GSM-7 Characters 23")
    assert not Copy.objects.exists()


@pytest.mark.rule(29, 82)
def test_what_does_not_fit_with_the_link_for_who_cannot_reply_says_for_which_country(
    editor: Client, flow: Flow
) -> None:
    ledger.person("Ann", phone="+33612345678").points.update(country="FR")
    told = words(posted(editor, sms(flow), "save", text=GOOD + " and a word" * 32))
    assert "With the link for people who cannot reply (France): The text takes 4 segments" in told
    assert not Copy.objects.exists()


@pytest.mark.rule(82)
def test_a_text_tells_its_segments_cost_and_the_character_to_blame(editor: Client, flow: Flow) -> None:
    ann = ledger.person("Ann", phone="+12125550123")
    ann.points.update(country="US")

    told = shown(posted(editor, sms(flow), "preview", text="STOP 🫖", choose=str(ann.pk)))

    assert "Segments 1 Encoding UCS-2" in told
    assert "0.0083 USD to US (0.0083 a segment)" in told
    assert "“🫖” (U+1FAD6 teapot) makes every character of this text take more room" in told
    assert "would do" not in told


def test_all_characters_to_blame_are_marked_and_named(editor: Client, flow: Flow, settings: Any) -> None:
    settings.CROSSCHANNEL_SMS_SMART_ENCODING = False
    page = posted(editor, sms(flow), "preview", text="STOP <b> – it’s")
    assert [mark.get_text() for mark in parsed(page).select("#preview mark")] == ["–", "’"]
    assert "“–” (U+2013 en dash) and “’” (U+2019 right single quotation mark) make every" in shown(page)
    assert shown(page).count("“-” and “'” would do.") == 1

    page = posted(editor, sms(flow), "preview", text="STOP Спасибо")
    assert "“и” (U+0438 cyrillic small letter i) and 2 others" in shown(page)


def test_a_hint_says_which_channel_suits_the_words(editor: Client, flow: Flow) -> None:
    told = shown(editor.get(email(flow)))
    assert "Which channel suits it Email It is long: as a text it costs several segments" in told
    assert "Which channel suits it" not in shown(editor.get(sms(flow))), "a code for a day suits a text"
    long = shown(posted(editor, sms(flow), "preview", text=GOOD + " and a word" * 28))
    assert "Email It is long" in long


def test_an_email_is_shown_in_a_frame_that_runs_and_opens_nothing(editor: Client, flow: Flow) -> None:
    frame = parsed(posted(editor, email(flow), "preview", html="<p>Hi {{ name }}</p>")).find("iframe")
    assert frame is not None
    assert frame.has_attr("sandbox")
    assert not frame["sandbox"]  # nothing is allowed
    inside = BeautifulSoup(str(frame["srcdoc"]), "html.parser")
    assert inside.find("base", target="_blank")
    assert "Hi Ada" in inside.get_text()


def test_a_contact_is_found_and_the_words_are_shown_as_they_would_get_them(
    editor: Client, flow: Flow
) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    ledger.person("Ben", email="ben@example.com")

    page = parsed(posted(editor, email(flow), "preview", find="ann@", subject="For {{ name }}"))
    (offered,) = page.select("button[name=choose][value]:not([value='0'])")
    assert offered.get_text() == "Ann, ann@example.com"
    assert filled(page)["subject"] == "For {{ name }}"

    answer = editor.post(email(flow), {**filled(page), "choose": str(offered["value"])})
    assert "Subject For Ann" in shown(answer)
    assert filled(parsed(answer))["who"] == str(ann.pk)


def test_a_test_goes_out_after_a_second_yes_and_is_found_in_the_history(tester: Client, flow: Flow) -> None:
    page = url(flow, "code", "sms", page="test")
    asked = tester.post(page, {"address": "+1 (212) 555-0123", "do": "ask"})
    assert "Send this to +12125550123 now?" in words(asked)
    assert not outbox

    answer = tester.post(page, {**filled(parsed(asked)), "do": "send"}, follow=True)

    (sent,) = outbox
    assert sent.recipient.address == "+12125550123"
    assert "The provider took the test for +1••••••0123." in words(answer)
    entry = LogEntry.objects.get()
    assert entry.change_message == "Test of Code, SMS, English: The provider took the test for +1••••••0123."
    assert not Message.objects.exists()


def test_a_test_by_email_offers_the_own_address(tester: Client, flow: Flow) -> None:
    page = url(flow, "nudge", "email", page="test")
    assert filled(parsed(tester.get(page)))["address"] == "tess@shop.example"

    tester.post(page, {"address": "tess@shop.example", "do": "send"})
    assert mail.outbox[0].subject == "[Test] Ada, your basket is waiting"


# It refuses.


@pytest.mark.rule(29, 82, 83)
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Hello\n{{ nam }} STOP", "Line 2: There is no variable “nam”."),
        ("{% if name %} STOP", "Line 1: “{% if name %}” is never closed"),
        ("{% load x %}", "Line 1: “{% load x %}” cannot be used in copy"),
        ("Hello", "A marketing text must say how to stop"),
        ("STOP https://bit.ly/x", "Carriers filter links of public shorteners (bit.ly)."),
        ("STOP " + "x" * 500, "marketing may take 3"),
    ],
)
def test_broken_words_are_refused_with_a_sentence_and_nothing_is_lost(
    text: str, sentence: str, editor: Client, flow: Flow
) -> None:
    answer = posted(editor, sms(flow), "save", text=text)

    assert sentence in refused(answer)
    assert "This would not be sent:" in shown(answer)
    assert filled(parsed(answer))["text"].replace("\r\n", "\n") == text
    assert (Copy.objects.count(), Flow.objects.get(pk=flow.pk).version) == (0, 1)


def test_who_may_only_look_sees_words_and_preview_and_changes_nothing(merchant: Client, flow: Flow) -> None:
    page = parsed(merchant.get(sms(flow)))
    assert not page.find("button", value="save")
    assert not page.find("a", string="Send a test …")
    assert page.select_one("textarea[name=text][disabled]")

    for do in ("save", "reset"):
        assert merchant.post(sms(flow), {"text": GOOD, "do": do}).status_code == 403
    assert not Copy.objects.exists()


def test_words_are_not_for_staff_without_the_permission(client: Client, flow: Flow) -> None:
    client.force_login(get_user_model().objects.create_user("paul", "paul@shop.example", is_staff=True))
    for address in (sms(flow), reverse("admin:oscar_crosschannel_flow_words_list", args=[flow.pk])):
        assert client.get(address).status_code == 403


def test_a_test_needs_its_own_permission(editor: Client, flow: Flow) -> None:
    page = url(flow, "code", "sms", page="test")
    assert "Send a test" not in words(editor.get(sms(flow)))
    assert editor.get(page).status_code == 403
    assert editor.post(page, {"address": "+12125550123", "do": "send"}).status_code == 403


def test_who_may_not_see_contacts_sees_none_in_a_preview(tester: Client, flow: Flow) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    assert "Show it as a contact" not in words(tester.get(email(flow)))
    for answer in (
        tester.get(f"{email(flow)}?who={ann.pk}"),
        tester.post(email(flow), {"find": "ann", "choose": ann.pk, "do": "preview"}),
    ):
        assert "Ann" not in words(answer)


@pytest.mark.rule(26)
def test_a_test_to_a_suppressed_address_is_refused_and_not_logged(tester: Client, flow: Flow) -> None:
    Suppression.objects.create(
        channel="sms", digest=contacts.digest("sms", "+12125550123"), cause="revoked", since=NOW
    )
    answer = tester.post(url(flow, "code", "sms", page="test"), {"address": "+12125550123", "do": "send"})
    assert "This address is on the suppression list: nothing is sent to it, no test either." in refused(
        answer
    )
    assert (outbox, LogEntry.objects.count()) == ([], 0)


def test_what_people_are_called_stays_text(editor: Client, flow: Flow) -> None:
    eve = ledger.person("<script>alert(1)</script>", email="eve@example.com")
    for answer in (
        posted(
            editor, email(flow), "preview", choose=str(eve.pk), html="<p>{{ name }}</p>", subject="{{ name }}"
        ),
        posted(editor, email(flow), "preview", find="eve@"),
        posted(editor, sms(flow), "preview", choose=str(eve.pk), text="{{ name }} 🫖 STOP"),
    ):
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_words_that_nothing_else_could_say_are_not_taken_away(editor: Client, flow: Flow) -> None:
    """No email comes with the step of the code; a merchant gave it one."""
    for language in ("en", "de", "fr"):
        Copy.objects.create(
            flow=flow, step_key="code", channel="email", language=language, subject="Hi", text="Hi"
        )
    FlowStep.objects.create(flow=flow, key="code", channels=["sms", "email"])
    page = url(flow, "code", "email")

    for do, changes in (("reset", {}), ("save", {"subject": "", "text": ""}), ("save", {"text": ""})):
        told = refused(posted(editor, page, do, **changes))
        assert "No words come with this message, so it needs some of yours." in told
        assert "email.txt" not in told
    assert Copy.objects.count() == 3

    FlowStep.objects.all().delete()
    assert posted(editor, page, "reset").status_code == 302
    assert Copy.objects.count() == 2


def test_a_message_without_words_says_so(editor: Client, flow: Flow) -> None:
    assert "No words come with this message" in shown(editor.get(url(flow, "code", "email")))


def test_a_second_click_sends_no_second_test(tester: Client, flow: Flow) -> None:
    page = url(flow, "code", "sms", page="test")
    asked = filled(parsed(tester.post(page, {"address": "+12125550123", "do": "ask"})))

    first, second = (tester.post(page, {**asked, "do": "send"}, follow=True) for _click in range(2))

    assert len(outbox) == LogEntry.objects.count() == 1
    assert "The provider took the test" in words(first)
    assert "You have sent this test already; nothing was sent again." in words(second)

    again = filled(parsed(tester.post(page, {"address": "+12125550123", "do": "ask"})))
    tester.post(page, {**again, "do": "send"})
    assert len(outbox) == 2


def test_a_test_waits_while_the_sender_is_busy(tester: Client, flow: Flow, settings: Any) -> None:
    settings.CROSSCHANNEL_EMAIL_RATE = 0.5
    page = url(flow, "nudge", "email", page="test")
    told = []
    for _test in range(2):
        asked = filled(parsed(tester.post(page, {"address": "tess@shop.example", "do": "ask"})))
        told.append(words(tester.post(page, {**asked, "do": "send"}, follow=True)))

    assert len(mail.outbox) == 1
    busy = "The sender is busy with other messages. Try again in 2 seconds."
    assert [busy in answer for answer in told] == [False, True]
    assert LogEntry.objects.latest("pk").change_message == f"Test of Nudge, email, English: {busy}"


def test_the_log_speaks_of_the_message_that_was_changed(editor: Client, flow: Flow) -> None:
    """Since the other's edit, she wrote another message, and the flow changed, too."""
    other = editor_named("olga")
    mine = filled(parsed(editor.get(email(flow))))
    posted(other, email(flow), "save", subject="Olga's subject")
    posted(other, sms(flow), "save", text=GOOD)
    flow_page = reverse("admin:oscar_crosschannel_flow_edit", args=[flow.pk])
    flow_form = filled(parsed(other.get(flow_page)))
    other.post(flow_page, {**flow_form, "state": "off", "do": "save"})

    told = refused(editor.post(email(flow), {**mine, "text": "My text", "do": "save"}))

    assert "Olga changed this while you were editing: Words of Nudge, email, English" in told
    posted(other, sms(flow), "save", text=f"{GOOD} now")
    told = refused(editor.post(flow_page, {**flow_form, "nudge-delay_number": "2", "do": "save"}))
    assert "Olga changed this while you were editing: Flow: on (as declared) → off" in told


@pytest.mark.parametrize("who", ["9" * 5000, "²", "-1", "x"])
def test_a_reader_who_is_nobody_changes_no_preview(editor: Client, flow: Flow, who: str) -> None:
    assert "Ada" in shown(editor.get(email(flow), {"who": who}))


@pytest.mark.parametrize("text", ["{% if name %}" * 600, "{% if " + "not " * 600 + "name %}{% endif %}"])
def test_words_deeper_than_python_goes_are_refused(text: str, editor: Client, flow: Flow) -> None:
    assert "Line 1: " in refused(posted(editor, sms(flow), "save", text=text))
    assert "This would not be sent:" in shown(posted(editor, sms(flow), "preview", text=text))


@pytest.mark.parametrize("place", [("gone", "sms", "en"), ("code", "pigeon", "en"), ("code", "sms", "tlh")])
def test_a_message_that_is_none_is_not_found(place: tuple[str, str, str], editor: Client, flow: Flow) -> None:
    assert editor.get(url(flow, *place)).status_code == 404


# It survives.


def test_the_second_of_two_editors_is_told_and_nothing_is_lost(editor: Client, flow: Flow) -> None:
    other = editor_named("olga")
    mine = filled(parsed(editor.get(email(flow))))
    posted(other, email(flow), "save", subject="Olga's subject")

    answer = editor.post(email(flow), {**mine, "text": "My text", "do": "save"})

    assert "Olga changed this while you were editing: Words of Nudge, email, English" in refused(answer)
    again = filled(parsed(answer))
    assert (again["subject"], again["text"]) == ("Olga's subject", "My text")
    assert Copy.objects.get().text is None

    editor.post(email(flow), {**again, "do": "save"})
    assert (Copy.objects.get().subject, Copy.objects.get().text) == ("Olga's subject", "My text")


def test_what_somebody_else_writes_of_another_message_disturbs_nobody(editor: Client, flow: Flow) -> None:
    mine = filled(parsed(editor.get(email(flow))))
    posted(editor_named("olga"), sms(flow), "save", text=GOOD)
    assert editor.post(email(flow), {**mine, "subject": "Mine", "do": "save"}).status_code == 302


def test_a_provider_that_refuses_a_test_is_quoted(
    tester: Client, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise Refused("The mailbox is full.")

    monkeypatch.setattr("oscar_crosschannel.channels.sms_backends.locmem.LocmemBackend.send", refuse)
    answer = tester.post(
        url(flow, "code", "sms", page="test"), {"address": "+12125550123", "do": "send"}, follow=True
    )
    assert "The test for +1••••••0123 was refused: The mailbox is full." in words(answer)


@pytest.mark.django_db(transaction=True)
def test_a_test_is_written_down_before_the_provider_is_called_whatever_requests_are_wrapped_in(
    tester: Client, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []

    def send(*args: Any, **kwargs: Any) -> Receipt:
        written.append((connection.in_atomic_block, LogEntry.objects.count()))
        return Receipt(provider="locmem")

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    monkeypatch.setattr("oscar_crosschannel.channels.sms_backends.locmem.LocmemBackend.send", send)
    tester.post(url(flow, "code", "sms", page="test"), {"address": "+12125550123", "do": "send"})
    assert written == [(False, 1)]


def test_pages_cost_a_known_number_of_statements(editor: Client, flow: Flow) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    # session, user, permissions, plans and warnings are nine; the words and the steps are three more
    for language in ("en", "de"):
        Copy.objects.create(
            flow=flow, step_key="nudge", channel="email", language=language, subject=str(uuid4())
        )
    listing = reverse("admin:oscar_crosschannel_flow_words_list", args=[flow.pk])
    for address, most in ((listing, 12), (f"{email(flow)}?who={ann.pk}", 15)):
        editor.get(address)
        with CaptureQueriesContext(connection) as queries:
            editor.get(address)
        assert len(queries) <= most, [query["sql"][:100] for query in queries]
