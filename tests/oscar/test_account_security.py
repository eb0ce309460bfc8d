"""The owner of an account hears at once of another address or password, and nobody hears of anything else."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import oscar
import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import DatabaseError, transaction
from django.template import engines
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_crosschannel.core.sms import Encoding, segments
from oscar_crosschannel.models import Contact, Flow, InboxEvent, Message
from oscar_crosschannel.oscar import security
from oscar_crosschannel.services import contacts, dispatch, promotion, rendering
from tests.oscar.conftest import make_user, statements
from tests.services.stage import CHANNELS, Letters, Wires, letters, wires

pytestmark = [pytest.mark.django_db]
OLD, NEW, PHONE = "ada@example.com", "ada@new.example", "+12065550123"
EVENTS = (security.CHANGED, security.LEFT)


@pytest.fixture
def told(settings: Any) -> tuple[Letters, Wires]:
    settings.CROSSCHANNEL_CHANNELS = CHANNELS
    settings.CROSSCHANNEL_BASE_URL = "https://quillbrook.example"
    letters.cache_clear()
    wires.cache_clear()
    return letters(), wires()


@pytest.fixture
def ada(db: None) -> Any:
    """A customer whose phone the shop knows."""
    user = make_user(OLD, first_name="Ada")
    person = contacts.identify(user_id=user.pk, name="Ada", language="en", now=timezone.now())
    assert person is not None
    contacts.set_point(person, "sms", PHONE, source="account", now=timezone.now())
    return user


@pytest.fixture
def browser(ada: Any) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def happened() -> list[tuple[str, dict[str, Any]]]:
    rows = InboxEvent.objects.filter(name__in=EVENTS).order_by("name")
    return list(rows.values_list("name", "data"))


def tick(seconds: int = 0) -> None:
    dispatch.tick(timezone.now() + timedelta(seconds=seconds))


def change_password(user: Any, password: str) -> None:
    user.set_password(password)
    user.save()


# It works.


@pytest.mark.rule(39, 51)
def test_a_new_address_is_told_to_the_old_one_too_and_by_text(
    ada: Any, browser: Client, told: tuple[Letters, Wires]
) -> None:
    email, sms = told
    form = {"first_name": "Ada", "last_name": "", "email": NEW}
    assert browser.post(reverse("customer:profile-update"), form).status_code == 302
    tick()

    assert sorted(email.reached) == [OLD, NEW]
    assert sms.reached == [PHONE]
    by_address = {outbound.recipient.address: outbound.content.text for outbound in email.calls}
    assert "The email address of your account was changed." in by_address[NEW]
    assert "had this email address until now" in by_address[OLD]
    assert "the email address of your account was changed." in sms.calls[0].content.text


def test_a_new_password_is_told_on_both_channels_with_the_way_to_another(
    ada: Any, browser: Client, told: tuple[Letters, Wires]
) -> None:
    email, sms = told
    form = {"old_password": "unhurried-tea", "new_password1": "oolong-4-two", "new_password2": "oolong-4-two"}
    assert browser.post(reverse("customer:change-password"), form).status_code == 302
    tick()

    assert (email.reached, sms.reached) == ([OLD], [PHONE])
    assert "The password of your account was changed." in email.calls[0].content.text
    text = sms.calls[0].content.text
    found = segments(text)
    assert (found.encoding, found.count) == (Encoding.GSM7, 1)
    message = Message.objects.get(channel="sms")
    assert message.links == [reverse("password-reset")]
    assert re.search(r"https://quillbrook\.example/cc/l/", text)


@pytest.mark.parametrize("way", ["admin", "shell"])
def test_whichever_way_it_is_changed(way: str, ada: Any) -> None:
    if way == "admin":
        staff = Client()
        staff.force_login(get_user_model().objects.create_superuser("boss", "boss@example.com"))
        url = reverse("admin:auth_user_password_change", args=[ada.pk])
        staff.post(url, {"password1": "oolong-4-two", "password2": "oolong-4-two", "usable_password": "true"})
    else:
        user = get_user_model().objects.get(pk=ada.pk)
        user.set_password("oolong-4-two")
        user.save(update_fields=["password"])
    assert happened() == [(security.CHANGED, {"email": False, "password": True})]


@pytest.mark.rule(51)
def test_another_change_of_the_same_day_is_told_as_well(ada: Any, told: tuple[Letters, Wires]) -> None:
    """The first may be the owner's own, and the second that of somebody who has their mailbox."""
    change_password(ada, "oolong-4-two")
    tick()
    change_password(ada, "not-the-owner")
    tick(6 * 60 * 60)
    assert (told[0].reached, told[1].reached) == ([OLD, OLD], [PHONE, PHONE])


def test_the_old_address_stays_out_of_the_account(ada: Any, told: tuple[Letters, Wires]) -> None:
    ada.email = NEW
    ada.save()
    tick()
    person = Contact.objects.get(user=ada)
    assert contacts.addresses_in_use([person.pk], "email") == {person.pk: NEW}
    (other,) = Contact.objects.exclude(pk=person.pk)
    assert (other.user_id, other.language, other.points.get().address) == (None, "en", OLD)
    assert not other.points.filter(channel="sms").exists()


PASSWORDS = {
    "old_password": "unhurried-tea",
    "new_password1": "oolong-4-two",
    "new_password2": "oolong-4-two",
}


def test_one_change_is_told_in_one_email_ours_in_place_of_oscars(
    browser: Client, told: tuple[Letters, Wires]
) -> None:
    tick()  # the engine is at work
    browser.post(reverse("customer:change-password"), PASSWORDS)
    assert mail.outbox == []
    tick()
    assert told[0].reached == [OLD]


def test_the_link_by_which_an_owner_keeps_others_out_still_goes_to_the_old_address(
    browser: Client, told: tuple[Letters, Wires]
) -> None:
    tick()  # the engine is at work
    browser.post(reverse("customer:profile-update"), {"first_name": "Ada", "last_name": "", "email": NEW})
    (oscars,) = mail.outbox
    assert oscars.to == [OLD]
    assert "password-reset/confirm" in str(oscars.body)


@pytest.mark.parametrize("why", ["no engine", "off", "shadow", "told all day", "own templates"])
def test_where_we_do_not_tell_it_oscar_does(
    why: str, ada: Any, browser: Client, told: tuple[Letters, Wires], settings: Any
) -> None:
    if why != "no engine":
        tick()
    off, shadow = why == "off", why == "shadow"
    Flow.objects.filter(key="security_alert").update(enabled=not off, shadow=shadow)
    settings.CROSSCHANNEL_TEMPLATE_INJECTION = why != "own templates"
    if why == "told all day":
        for number in range(security.DAILY):
            change_password(ada, f"another {number}")
        tick()
        change_password(ada, PASSWORDS["old_password"])
        browser.force_login(ada)
    browser.post(reverse("customer:change-password"), PASSWORDS)
    assert [message.subject for message in mail.outbox] == ["Your password changed at example.com."]


def test_oscars_subject_is_still_the_one_that_was_copied() -> None:
    name = "oscar/communication/emails/commtype_password_changed_subject.txt"
    assert "oscar_crosschannel" in str(get_template(name).origin)  # type: ignore[attr-defined]
    words = {"site": {"name": "Quillbrook"}}
    upstream = engines["django"].from_string((Path(oscar.__file__).parent / "templates" / name).read_text())
    assert get_template(name).render(words).strip() == upstream.render(words).strip()


# It refuses.


def test_what_goes_to_the_old_address_opens_no_door(ada: Any, told: tuple[Letters, Wires]) -> None:
    """Staff may have given the account to somebody else, or put a typing error right."""
    ada.email = NEW
    ada.save()
    tick()
    (old,) = [outbound for outbound in told[0].calls if outbound.recipient.address == OLD]
    words = f"{old.content.text} {old.content.html}"
    assert "tell us at once" in words
    assert "password" not in words


def test_news_of_another_address_are_none_of_the_password(ada: Any, told: tuple[Letters, Wires]) -> None:
    tick()  # the engine is at work
    ada.email = NEW
    ada.save()
    assert not security.is_password_told(ada.pk)
    ada.set_password("oolong-4-two")
    ada.save()
    assert security.is_password_told(ada.pk)


def test_what_is_no_change_is_told_nobody(ada: Any, browser: Client) -> None:
    ada.first_name = "Augusta"
    ada.save()
    ada.email = OLD.upper()
    ada.save()
    form = {"first_name": "Ada", "last_name": "", "email": OLD}
    browser.post(reverse("customer:profile-update"), form)
    get_user_model().objects.create_user("rosa", "rosa@example.com", "unhurried-tea")
    assert happened() == []


def test_the_first_password_of_an_account_is_no_change(db: None) -> None:
    user = get_user_model().objects.create(username="bea@example.com", email="bea@example.com")
    user.set_password("the first")
    user.save()
    assert happened() == []

    user.set_password("another")
    user.save()
    assert [name for name, _ in happened()] == [security.CHANGED]


def test_who_changes_it_all_day_long_is_told_a_few_times(ada: Any, told: tuple[Letters, Wires]) -> None:
    for number in range(security.DAILY + 2):
        change_password(ada, f"another {number}")
        tick(number)
    email, sms = told
    assert (len(email.calls), len(sms.calls)) == (security.DAILY, security.DAILY)


def test_a_log_in_that_brings_the_hash_up_to_date_is_no_change(ada: Any, settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    before = ada.password
    assert Client().login(username=ada.username, password="unhurried-tea")
    ada.refresh_from_db()
    assert ada.password != before
    assert happened() == []


def test_a_log_in_costs_nothing(ada: Any) -> None:
    ada.last_login = timezone.now()
    count, _ = statements(lambda: ada.save(update_fields=["last_login"]))
    assert count == 1


@pytest.mark.rule(39)
def test_the_words_promote_nothing() -> None:
    for flow in ("security_alert", "security_alert_old_address"):
        for channel, parts in (("email", ("subject", "text", "html")), ("sms", ("text",))):
            key = rendering.CopyKey(
                flow_id=0, flow_key=flow, step_key="alert", channel=channel, language="en"
            )
            assert not [found for part in parts for found in promotion.mentions_in_file(key, part)]


# It survives.


def test_a_save_that_fails_tells_nothing(ada: Any) -> None:
    ada.email = NEW
    ada.username = None
    with pytest.raises(DatabaseError), transaction.atomic():
        ada.save()
    ada.refresh_from_db()
    ada.save()
    assert happened() == []


def test_an_inbox_that_is_down_does_not_cost_anybody_their_new_password(
    ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*events: Any, now: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(security.inbox, "publish", broken)
    ada.set_password("oolong-4-two")
    ada.save()
    ada.refresh_from_db()
    assert ada.check_password("oolong-4-two")
