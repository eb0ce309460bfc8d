"""The whole product by clicking: inboxes, phones, and a clock that moves by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core import mail as django_mail
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_crosschannel.models import Attempt, InboxEvent
from oscar_crosschannel.testing.sms_counterpart import Reply, post_by_http, post_through
from sandbox import clock
from sandbox.shop.outbox import engine, mails, phones, views
from sandbox.shop.people import PEOPLE
from tests.sandbox.conftest import BEGIN, BROWSER, Visitor, words

ALICE, BEN, CLARA, DEV, ELODIE, FINN = (person.email for person in PEOPLE)
ALICES_PHONE = PEOPLE[0].phone
BasketLine = get_model("basket", "Line")
CODE = re.compile(r"\bTEA[A-Z2-7]{12}\b")
BUTTONS = ("leap", "reply", "become", "start-over")

pytestmark = pytest.mark.slow


def outlook(visitor: Visitor, who: str) -> str:
    (line,) = visitor.look(who).select(".next")
    return words(line)


def screen(visitor: Visitor, who: str) -> list[str]:
    return [words(bubble.p) for bubble in visitor.look(who).select("#screen li:not(.hint)")]


def arrivals(address: str, number: str) -> list[tuple[str, timedelta]]:
    """What reached somebody, and how long after the beginning."""
    got = [("email", mail.at) for mail in mails.everything() if address in mail.to]
    running = phones.here()
    assert running is not None
    got += [("text", text.at) for text in running.received() if text.to == number]
    return [(kind, at - BEGIN) for kind, at in sorted(got, key=lambda arrival: arrival[1])]


def test_the_story_in_two_minutes(visitor: Visitor) -> None:
    assert "Nothing is planned" in outlook(visitor, ALICE)
    visitor.leave_a_basket(ALICE)

    (told,) = visitor.leap("hour", ALICE)
    assert "Email to Alice: “Alice, your basket is waiting”" in told
    page = visitor.look(ALICE)
    assert [words(subject) for subject in page.select(".mails .subject")] == ["Alice, your basket is waiting"]
    frame = visitor.client.get(page.select_one("iframe")["src"])
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert '<base target="_blank">' in frame.content.decode()
    assert "http://testserver/cc/l/" in frame.content.decode()
    assert "Next: text with a code , tomorrow 9" in outlook(visitor, ALICE)

    (told,) = visitor.leap("day", ALICE)
    assert "Text to Alice: “Quillbrook: your basket is waiting." in told
    (text,) = screen(visitor, ALICE)
    assert CODE.search(text)
    assert "delivered" in words(visitor.look(ALICE).select_one("#screen small"))
    (link,) = visitor.look(ALICE).select("#screen a")
    assert link["target"] == "_blank"
    assert visitor.client.get(link["href"]).status_code == 302

    visitor.press("reply", who=ALICE, words="STOP")
    assert screen(visitor, ALICE)[1:] == [
        "Alice: STOP",
        "The shop: Quillbrook: You are unsubscribed and will get no more texts from us.",
    ]
    assert visitor.leap("day", ALICE) == ["Nothing was due."]
    assert len(screen(visitor, ALICE)) == 3


@pytest.mark.parametrize(
    "leaps", [["day", "hour"], ["hour"] * 2 + ["day"], ["next", "next"], ["morning", "hour"]]
)
def test_however_the_time_is_moved_everything_comes_when_it_is_due(
    visitor: Visitor, leaps: list[str]
) -> None:
    visitor.leave_a_basket(ALICE)
    for leap in leaps:
        visitor.leap(leap, ALICE)
    (email, an_hour), (text, a_day) = arrivals(ALICE, ALICES_PHONE)
    assert (email, text) == ("email", "text")
    assert timedelta(hours=1) <= an_hour < timedelta(hours=1, minutes=1)
    assert timedelta(hours=24) <= a_day < timedelta(hours=24, minutes=1)


def test_a_text_at_night_is_told_to_wait_and_comes_in_the_morning(visitor: Visitor) -> None:
    visitor.leave_a_basket(DEV)
    no_email, no_text = visitor.leap("day", DEV)
    assert "No email for Dev: no consent for email" in no_email
    assert "Text with a code for Dev waits until March 12, 2026, 9:" in no_text
    assert "quiet hours for SMS" in no_text
    assert "Text to Dev" in " ".join(visitor.leap("day", DEV))
    ((_, arrived),) = arrivals(DEV, "+919876543210")
    assert 9 <= (BEGIN + arrived + timedelta(hours=5, minutes=30)).hour < 10


def test_who_will_get_nothing_is_told_why_before_it_is_due(visitor: Visitor) -> None:
    visitor.leave_a_basket(FINN)
    assert outlook(visitor, FINN).startswith("No email, due today")
    assert "no consent" in outlook(visitor, FINN)
    visitor.leave_a_basket(ALICE)
    visitor.leap("hour", ALICE)
    assert "Next: text with a code" in outlook(visitor, ALICE)
    visitor.press("reply", who=ALICE, words="please stop texting me")
    assert "No text with a code" in outlook(visitor, ALICE)


def test_a_new_visitor_gets_a_place_of_their_own(visitor: Visitor) -> None:
    visitor.leave_a_basket("")
    gateway = visitor.client.get("/checkout/").content.decode()
    marker = dict(re.findall(r'<input type="hidden" name="(cc_\w+)" value="([^"]*)"', gateway))
    boxes = {"cc_email": "on", "cc_sms": "on", "cc_phone": "+12065550142"}
    visitor.client.post(
        "/checkout/", {"username": "zoe@example.org", "options": "anonymous", **marker, **boxes}
    )
    visitor.press("reply", who=CLARA, words="hello?")  # lets the engine work, and moves nothing
    assert words(visitor.look().select_one("#reader-name")) == "zoe", "a guest sees themselves first"
    (question,) = screen(visitor, "zoe@example.org")
    assert "YES" in question
    visitor.press("reply", who="zoe@example.org", words="Yes")
    assert "signed up" in screen(visitor, "zoe@example.org")[-1]
    told = visitor.leap("hour", "zoe@example.org")
    assert "Email to zoe" in " ".join(told)
    visitor.press("become", username=ALICE)
    visitor.client.get("/basket/")
    assert not BasketLine.objects.filter(basket__owner__email=ALICE).exists(), "this is another's browser"


def test_mail_to_somebody_unknown_is_shown_too(visitor: Visitor) -> None:
    django_mail.send_mail("Grüße", "Zwölf Tassen: http://testserver/", None, ["nobody@example.net"])
    page = visitor.look("nobody@example.net")
    assert words(page.select_one("#reader-name")) == "nobody"
    assert page.select_one(".mail iframe") is None, "it has no HTML"
    assert "Zwölf Tassen" in words(page.select_one(".plain"))
    assert page.select_one(".plain a")["href"] == "http://testserver/"
    assert "nobody@example.net" in words(page.select_one(".mail dl"))


def test_the_mail_programs_own_button_unsubscribes(visitor: Visitor) -> None:
    visitor.leave_a_basket(BEN)
    visitor.leap("hour", BEN)
    form = visitor.look(BEN).select_one(".one-click")
    fields = {field["name"]: field["value"] for field in form.select("input")}
    assert Client(enforce_csrf_checks=True).post(form["action"], fields).status_code == 200
    assert "withdrawn: basket reminders" in words(visitor.look(BEN).select_one(".answers"))


def test_to_nine_means_nine_where_the_person_is(visitor: Visitor) -> None:
    visitor.leap("morning", BEN)
    assert abs(timezone.now() - datetime(2026, 3, 11, 9, tzinfo=UTC)) < timedelta(minutes=1)
    assert "To 9:00 in York" in words(visitor.look(BEN).select_one(".leaps"))


def test_nine_is_nine_on_a_day_with_a_clock_change() -> None:
    evening = datetime(2026, 3, 28, 20, tzinfo=UTC)  # clocks in York go forward in the night
    assert views.next_morning(evening, "Europe/London") == datetime(2026, 3, 29, 8, tzinfo=UTC)
    nine = datetime(2026, 3, 28, 9, tzinfo=UTC)
    assert views.next_morning(nine, "Europe/London") == datetime(2026, 3, 29, 8, tzinfo=UTC)


def test_the_shop_leads_to_the_outbox_and_the_outbox_to_the_shop(visitor: Visitor) -> None:
    shop = visitor.press("become", username=ALICE)
    (bar,) = shop.select(".sandbox")
    assert "you are Alice" in words(bar)
    assert bar.a["href"] == "/outbox/"
    assert visitor.look().select_one(".to-shop")["href"] == "/"


def test_staff_lands_on_the_timeline(visitor: Visitor) -> None:
    form = visitor.look(ALICE).select_one("input[name=next]").find_parent("form")
    button = form.select_one("button")
    page = visitor.press(
        "become", username=button["value"], next=form.select_one("input[name=next]")["value"]
    )
    assert "alice@example.com" in words(page)


@pytest.fixture
def own_pictures(settings: Any, tmp_path: Path) -> None:
    """Which may be thrown away."""
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_pictures")
def test_starting_over_leaves_nothing_but_the_stocked_shop(visitor: Visitor) -> None:
    visitor.leave_a_basket(ALICE)
    visitor.leap("hour", ALICE)
    visitor.press("reply", who=ALICE, words="hello")
    visitor.press("start-over")
    assert abs(timezone.now().timestamp() - clock._real_time()) < 60
    page = visitor.look(ALICE)
    assert words(page.select_one("#mails")) == "No emails yet."
    assert words(page.select_one("#screen")) == "No texts yet."
    assert page.select_one(".told") is None
    assert not InboxEvent.objects.filter(name="sms.received").exists()
    visitor.leave_a_basket(ALICE)
    assert "Email to Alice" in " ".join(visitor.leap("hour", ALICE)), "the next story begins"


def test_a_file_that_grew_again_to_its_old_size_holds_other_mails(tmp_path: Path, settings: Any) -> None:
    settings.EMAIL_FILE_PATH = tmp_path
    subjects = []
    for subject in ("Tea", "Cup"):
        (tmp_path / "day.log").write_text(
            f"To: ada@example.com\nSubject: {subject}\n\nHello\n", encoding="utf-8"
        )
        subjects += [mail.subject for mail in mails.everything()]
        mails.forget()
    assert subjects == ["Tea", "Cup"]
    assert mails.everything() == []


# What it refuses


def test_looking_changes_nothing(visitor: Visitor) -> None:
    visitor.leave_a_basket(ALICE)
    visitor.leap("hour", ALICE)
    (mail,) = mails.everything()
    before = everything_stored()
    somebody_else = Client(HTTP_USER_AGENT=BROWSER)
    for client in (visitor.client, somebody_else):
        for path in ("/outbox/", f"/outbox/?who={ALICE}&mail={mail.id}", f"/outbox/mail/{mail.id}/"):
            assert client.get(path).status_code == 200
        for button in BUTTONS:
            assert client.get(f"/outbox/{button}/").status_code == 405
    assert everything_stored() == before


def everything_stored() -> tuple[Any, ...]:
    rows = {
        model: list(model.objects.order_by("pk").values())
        for model in apps.get_models()
        if model._meta.managed
    }
    running = phones.here()
    return rows, len(mails.everything()), running and len(running.received()), clock._read()


def test_there_is_no_outbox_without_debug(visitor: Visitor, settings: Any) -> None:
    visitor.leave_a_basket(ALICE)
    visitor.leap("hour", ALICE)
    (mail,) = mails.everything()
    settings.DEBUG = False
    stranger = Client()
    assert stranger.get("/outbox/").status_code == 404
    assert stranger.get(f"/outbox/mail/{mail.id}/").status_code == 404
    for button in BUTTONS:
        assert stranger.get(f"/outbox/{button}/").status_code == 404
        fields = {"username": ALICE, "who": ALICE, "words": "STOP", "leap": "day"}
        assert stranger.post(f"/outbox/{button}/", fields).status_code == 404
    assert "_auth_user_id" not in stranger.session
    assert 'href="/outbox/"' not in stranger.get("/", follow=True).content.decode()


def test_another_site_cannot_press_the_buttons(visitor: Visitor) -> None:
    client = Client(enforce_csrf_checks=True)
    for button in BUTTONS:
        assert client.post(f"/outbox/{button}/", {"leap": "day"}).status_code == 403


@pytest.mark.parametrize(
    ("button", "fields", "status"),
    [
        ("leap", {"leap": "year"}, 400),
        ("reply", {"who": ALICE, "words": "  "}, 400),
        ("become", {"username": "nobody@example.com"}, 404),
    ],
)
def test_nonsense_is_refused(visitor: Visitor, button: str, fields: dict[str, str], status: int) -> None:
    before = clock._read()
    assert visitor.client.post(f"/outbox/{button}/", fields).status_code == status
    assert clock._read() == before


def test_becoming_somebody_leads_nowhere_else(visitor: Visitor) -> None:
    answer = visitor.client.post("/outbox/become/", {"username": ALICE, "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_an_email_that_is_not_there_is_not_found(visitor: Visitor) -> None:
    assert visitor.client.get("/outbox/mail/nothing-0/").status_code == 404
    assert visitor.client.get("/outbox/", {"who": "nobody", "mail": "nothing-0"}).status_code == 200


# What it survives


def test_texts_are_still_there_after_a_restart(visitor: Visitor, tmp_path: Path) -> None:
    visitor.leave_a_basket(ALICE)
    visitor.leap("day", ALICE)
    visitor.press("reply", who=ALICE, words="Thank you")
    before = screen(visitor, ALICE)
    assert len(before) == 2
    with phones.run(tmp_path / "phones.json", post=post_through(Client())):
        assert screen(visitor, ALICE) == before


def test_a_text_after_a_restart_is_not_taken_for_an_earlier_one(visitor: Visitor, tmp_path: Path) -> None:
    for said in ("hello?", "STOP"):
        with phones.run(tmp_path / "others.json", post=post_through(Client())):
            visitor.press("reply", who=ALICE, words=said)
    assert "withdrawn" in words(visitor.look(ALICE).select_one(".answers"))


def test_a_delivery_is_reported_later_while_the_shop_does_not_answer(
    visitor: Visitor, tmp_path: Path, settings: Any
) -> None:
    settings.CROSSCHANNEL_BASE_URL = "http://127.0.0.1:9"  # nobody listens there
    is_open, inside = False, post_through(Client())

    def post(*hook: Any) -> Reply:
        return inside(*hook) if is_open else post_by_http(*hook)

    with phones.run(tmp_path / "others.json", post=post):
        visitor.leave_a_basket(ALICE)
        visitor.leap("day", ALICE)
        attempt = Attempt.objects.get(channel="sms", message__contact__user__username=ALICE)
        assert attempt.get_status_display() == "queued"
        is_open = True
        engine.work()
        attempt.refresh_from_db()
        assert attempt.get_status_display() == "delivered"


def test_without_a_phone_company_the_page_says_so(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "here", lambda: None)
    page = visitor.look(ALICE)
    assert "Texts do not come here" in words(page.select_one(".phone"))
    assert page.select_one("#words") is None
    assert visitor.client.post("/outbox/reply/", {"who": ALICE, "words": "STOP"}).status_code == 400
