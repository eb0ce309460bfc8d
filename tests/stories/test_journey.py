"""The clock for stores' tests: one person's time, told as it went, with the reasons when it went otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.utils import timezone
from oscar.test import factories

from oscar_crosschannel import Event, api
from oscar_crosschannel.models import ConsentEvent, Contact
from oscar_crosschannel.testing.journey import Journey, journey
from tests.oscar.conftest import country, make_user, product  # noqa: F401 - fixtures
from tests.services.stage import make_offer
from tests.stories.conftest import CODE

pytestmark = [pytest.mark.django_db]

ADA, PHONE = "ada@example.com", "+12065550123"
#: How the rule about consent goes on.
ASKED = "a requested message, that nothing else was said"
DOCS = Path(__file__).parents[2] / "docs" / "testing.md"


@pytest.fixture(autouse=True)
def _shop(settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = "https://testserver"
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)


@pytest.fixture
def ada() -> Contact:
    person = api.contact_for(user_id=make_user(ADA).pk, email=ADA, phone=PHONE, language="en", name="Ada")
    assert person is not None
    return person


@pytest.fixture
def basket(ada: Contact, product: Any) -> Any:  # noqa: F811
    basket = factories.create_basket(empty=True)
    basket.owner = ada.user
    basket.save()
    basket.add_product(product)
    return basket


# It works.


def test_an_email_after_an_hour_and_a_code_by_text_after_a_day(ada: Contact, basket: Any) -> None:
    with journey(ada) as j:
        j.agree()
        j.abandon(basket)
        j.advance("55m")
        j.assert_not_sent()
        j.advance("10m")
        assert j.assert_sent("email", containing="Earl Grey").step == "nudge"
        j.advance("23h")
        text = j.assert_sent("sms", containing="STOP")
        assert CODE.search(text.text)
        j.order(basket)
        j.advance("10d")
        assert len(j.sent("email")) == len(j.sent("sms")) == 1


def test_a_click_answers_and_moves_the_text(ada: Contact, basket: Any) -> None:
    with journey(ada) as j:
        j.agree()
        j.abandon(basket)
        j.advance("5h")
        assert j.click("email").status_code == 302
        j.advance("20h")
        j.assert_not_sent("sms")
        j.advance("4h30m")
        j.assert_sent("sms")


def test_a_stop_by_text_is_the_last_word(ada: Contact, basket: Any) -> None:
    with journey(ada) as j:
        j.agree("sms")
        j.abandon(basket)
        j.text("STOP")
        j.advance("3d")
        j.assert_not_sent()
        assert "dropped abandoned_cart/code, no consent" in j.timeline()


def test_an_account_is_made_on_the_shops_own_page() -> None:
    with journey("new@example.com") as j:
        j.register(cc_email="on")
        assert j.contact.user is not None
        assert ConsentEvent.objects.filter(contact=j.contact, channel="email", source="registration").exists()


def test_it_begins_on_a_tuesday_morning_where_the_person_lives_and_ends_in_the_present(ada: Contact) -> None:
    before = timezone.now()
    with journey(ada) as j:
        seattle = j.now.astimezone(ZoneInfo("America/Los_Angeles"))
        assert (seattle.weekday(), seattle.hour) == (1, 10)
        assert j.now > before
    assert timezone.now() - before < timedelta(minutes=10)


def test_any_instant_may_be_the_first(ada: Contact) -> None:
    start = datetime(2026, 3, 10, 12, tzinfo=UTC)
    with journey(ada, start=start) as j:
        j.advance("1d12h")
        assert j.now == start + timedelta(hours=36)


def test_what_a_store_tells_by_itself_is_part_of_the_story(ada: Contact) -> None:
    with journey(ada) as j:
        j.publish(Event(name="tea.tasted", key="tea:1", occurred_at=j.now, user_id=ada.user_id))
        assert "tea.tasted tea:1" in j.timeline()


# It refuses.


def told(failure: pytest.ExceptionInfo[AssertionError]) -> str:
    return "\n".join([str(failure.value), *failure.value.__notes__])


def test_a_failing_test_says_why_nothing_came(ada: Contact, basket: Any) -> None:
    def test() -> None:
        with journey(ada, start=datetime(2026, 3, 10, 18, tzinfo=UTC)) as j:
            j.agree("email", topics=["basket_reminders"])
            j.abandon(basket)
            j.advance("25h")
            j.assert_sent("sms", containing="code")

    with pytest.raises(AssertionError) as failure:
        test()
    timeline = f"""\
They got no sms containing 'code'.
Ada (email ada@example.com, sms +12065550123):
Tue 2026-03-10 18:00 UTC  agreed to basket_reminders by email
Tue 2026-03-10 18:00 UTC  left basket {basket.pk}
Tue 2026-03-10 18:00 UTC  entered abandoned_cart
Tue 2026-03-10 19:00 UTC  got by email abandoned_cart/nudge: Ada, your basket is waiting
Wed 2026-03-11 18:00 UTC  dropped abandoned_cart/code, no consent
    sms: no consent (Marketing needs a grant for this topic on this channel; {ASKED}.)
Wed 2026-03-11 18:00 UTC  left abandoned_cart
Wed 2026-03-11 19:00 UTC  is now"""
    assert told(failure) == timeline


def test_any_failure_inside_takes_the_timeline_along(ada: Contact) -> None:
    with pytest.raises(ZeroDivisionError) as failure, journey(ada):
        raise ZeroDivisionError
    assert "is now" in failure.value.__notes__[0]


def test_what_came_though_it_should_not_is_an_error(ada: Contact, basket: Any) -> None:
    with journey(ada) as j:
        j.agree()
        j.abandon(basket)
        j.advance("2h")
        with pytest.raises(AssertionError, match="They got 1 email containing 'Earl Grey'"):
            j.assert_not_sent("email", containing="Earl Grey")


def test_a_link_that_nobody_sent_cannot_be_clicked(ada: Contact) -> None:
    with journey(ada) as j, pytest.raises(AssertionError, match="No message had a link to /nowhere"):
        j.click(to="/nowhere")


@pytest.mark.parametrize("length", ["", "soon", "25", "1h and a bit", "h"])
def test_a_length_of_time_is_written_plainly(ada: Contact, length: str) -> None:
    with journey(ada) as j, pytest.raises(ValueError, match="no length of time"):
        j.advance(length)


# It survives.


def test_other_peoples_mail_and_the_shops_own_is_nobodys_here(ada: Contact, basket: Any) -> None:
    mail.send_mail("Your order", "Thank you", "shop@example.com", [ADA])
    ben = api.contact_for(user_id=make_user("ben@example.com").pk, email="ben@example.com", language="en")
    assert ben is not None
    with journey(ada) as theirs:
        theirs.agree()
        theirs.abandon(basket)
        theirs.advance("2h")
        assert len(theirs.sent()) == 1
        assert Journey.sent(theirs, "sms") == []
        ours = Journey(ben, None)
        assert ours.sent() == []


def test_the_guide_shows_the_example_that_is_tested() -> None:
    example = (Path(__file__).parent / "test_basket_reminders_example.py").read_text()
    assert example.strip() in DOCS.read_text()
