"""Clicks: which ones a person made, and what they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from oscar_crosschannel import After, Blueprint, Context, On, Run, send
from oscar_crosschannel.core.clicks import TRAP
from oscar_crosschannel.core.events import Event
from oscar_crosschannel.models import Attempt, Click, DeliveryEvent, Enrolment, InboxEvent, Message
from oscar_crosschannel.services import dispatch, inbox
from oscar_crosschannel.services.clicks import SETTLE
from tests.factories import NOON, enrol_all, make_contacts, registered
from tests.services.stage import Letters, write_words

pytestmark = pytest.mark.django_db(transaction=True)

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@registered
class Answered(Blueprint):
    """An email that a click answers, and a text"""

    topic = "basket_reminders"
    start = On("answered.began", one_run=True)
    clicks_answer = True

    first = send("email", at=After(hours=1))
    second = send("sms", at=After(hours=24))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: Context(links={"page": "/page/", "more": "/more/"}) for run in runs}


@pytest.fixture
def run(email: Letters) -> Enrolment:
    """Somebody whose email went out at noon."""
    write_words(Answered)
    (run,) = enrol_all(make_contacts(1), Answered, anchor=NOON - timedelta(hours=1))
    dispatch.tick(NOON)
    assert len(email.calls) == 1
    return run


def click(
    run: Enrolment, after: timedelta, *, link: int = 0, method: str = "GET", agent: str = BROWSER
) -> datetime:
    message = Message.objects.get(enrolment=run, step_key="first")
    at = NOON + after
    data = {"message": message.pk, "link": link, "method": method, "user_agent": agent}
    event = Event(name="link.clicked", key=uuid4().hex, occurred_at=at, not_before=at + SETTLE, data=data)
    inbox.record(event, now=at)
    return at


def delivered(run: Enrolment, after: timedelta) -> None:
    """The provider's report that the mailbox took the email."""
    attempt = Attempt.objects.get(message__enrolment=run)
    DeliveryEvent.objects.create(
        attempt=attempt, provider="esp", key=uuid4().hex, kind="delivered", at=NOON + after
    )


def due(run: Enrolment) -> datetime:
    return Message.objects.get(enrolment=run, step_key="second").due_at


def test_the_first_click_of_a_person_answers_the_email_and_moves_the_text(run: Enrolment) -> None:
    at = click(run, timedelta(hours=3))
    dispatch.tick(at + timedelta(minutes=1))
    assert Click.objects.get().verdict == "human"
    assert due(run) == at + timedelta(hours=24)


def test_only_the_first_click_counts(run: Enrolment) -> None:
    first = click(run, timedelta(hours=3))
    dispatch.tick(first + timedelta(minutes=1))
    second = click(run, timedelta(hours=9))
    dispatch.tick(second + timedelta(minutes=1))
    assert due(run) == first + timedelta(hours=24)


@pytest.mark.rule(48)
@pytest.mark.parametrize(
    ("after", "method", "agent", "sign"),
    [
        (timedelta(hours=3), "HEAD", BROWSER, "method"),
        (timedelta(seconds=4), "GET", BROWSER, "too_soon"),
        (timedelta(hours=3), "GET", "Barracuda Sentinel", "agent"),
        (timedelta(hours=3), "GET", "", "agent"),
    ],
)
def test_a_scanner_changes_nothing(
    run: Enrolment, after: timedelta, method: str, agent: str, sign: str
) -> None:
    before = due(run)
    at = click(run, after, method=method, agent=agent)
    dispatch.tick(at + timedelta(minutes=1))
    found = Click.objects.get()
    assert found.verdict == "suspect"
    assert found.suspicions == [sign]
    assert due(run) == before


@pytest.mark.rule(48)
def test_a_scanner_that_waits_for_a_late_delivery_changes_nothing(run: Enrolment) -> None:
    before = due(run)
    delivered(run, timedelta(minutes=5))
    at = click(run, timedelta(minutes=5, seconds=3))
    dispatch.tick(at + timedelta(minutes=1))
    assert Click.objects.get().suspicions == ["too_soon"]
    assert due(run) == before


@pytest.mark.rule(48)
def test_a_person_counts_though_the_delivery_was_late(run: Enrolment) -> None:
    delivered(run, timedelta(minutes=5))
    at = click(run, timedelta(minutes=5, seconds=30))
    dispatch.tick(at + timedelta(minutes=1))
    assert due(run) == at + timedelta(hours=24)


@pytest.mark.rule(48)
def test_a_phone_of_the_make_cubot_is_no_bot(run: Enrolment) -> None:
    at = click(run, timedelta(hours=3), agent="Mozilla/5.0 (Linux; Android 12; CUBOT KING KONG) Chrome/120")
    dispatch.tick(at + timedelta(minutes=1))
    assert Click.objects.get().verdict == "human"


@pytest.mark.rule(48)
def test_two_links_within_two_seconds_are_no_persons(run: Enrolment) -> None:
    before = due(run)
    at = click(run, timedelta(hours=3), link=0)
    click(run, timedelta(hours=3, seconds=1), link=1)
    dispatch.tick(at + timedelta(minutes=1))
    assert set(Click.objects.values_list("verdict", flat=True)) == {"suspect"}
    assert due(run) == before


@pytest.mark.rule(48)
def test_the_link_that_people_cannot_see_gives_a_scanner_away(run: Enrolment) -> None:
    message = Message.objects.get(enrolment=run, step_key="first")
    trap = len(message.links) - 1
    assert (message.links[0], message.links[trap]) == ("/page/", TRAP)
    before = due(run)
    at = click(run, timedelta(hours=3), link=trap)
    dispatch.tick(at + timedelta(minutes=1))
    found = Click.objects.get()
    assert (found.verdict, found.suspicions) == ("suspect", ["trap"])
    assert due(run) == before


@pytest.mark.rule(48)
def test_two_signs_make_a_bot(run: Enrolment) -> None:
    at = click(run, timedelta(seconds=2), method="HEAD")
    dispatch.tick(at + timedelta(minutes=1))
    assert Click.objects.get().verdict == "bot"


def test_a_click_waits_until_its_neighbours_are_known(run: Enrolment) -> None:
    at = click(run, timedelta(hours=3))
    dispatch.tick(at + timedelta(seconds=1))
    assert not Click.objects.exists()


# A product behind the link


@registered
class Showing(Blueprint):
    """An email that shows a product, and another page"""

    topic = "weekly_deals"
    start = On("showing.began", one_run=True)

    first = send("email", at=After(hours=1))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        links = {"tea": "/catalogue/earl-grey_7/?ref=mail", "basket": "/cc/r/AAEwmeYxq1KI4_k8/", "shop": "/"}
        return {run.message_id: Context(links=links) for run in runs}


@pytest.fixture
def shown(email: Letters) -> Enrolment:
    """Somebody who was shown a product at noon."""
    write_words(Showing)
    (run,) = enrol_all(make_contacts(1, topics=["weekly_deals"]), Showing, anchor=NOON - timedelta(hours=1))
    dispatch.tick(NOON)
    assert len(email.calls) == 1
    return run


def looked_at() -> list[dict[str, int]]:
    return list(InboxEvent.objects.filter(name="product.clicked").values_list("subjects", flat=True))


def test_a_person_who_opens_a_product_is_told_of(shown: Enrolment) -> None:
    at = click(shown, timedelta(hours=3))
    dispatch.tick(at + timedelta(minutes=1))
    assert looked_at() == [{"contact": shown.contact_id, "product": 7}]
    assert InboxEvent.objects.get(name="product.clicked").occurred_at == at


@pytest.mark.rule(48)
@pytest.mark.parametrize(("after", "method"), [(timedelta(seconds=4), "GET"), (timedelta(hours=3), "HEAD")])
def test_a_scanner_has_looked_at_nothing(after: timedelta, method: str, shown: Enrolment) -> None:
    at = click(shown, after, method=method)
    dispatch.tick(at + timedelta(minutes=1))
    assert looked_at() == []


@pytest.mark.parametrize("link", [1, 2, 99])
def test_a_basket_or_the_shop_is_no_product(link: int, shown: Enrolment) -> None:
    at = click(shown, timedelta(hours=3), link=link)
    dispatch.tick(at + timedelta(minutes=1))
    assert looked_at() == []


def test_what_belongs_to_an_order_is_no_occasion_to_advertise(shown: Enrolment) -> None:
    Message.objects.filter(enrolment=shown).update(purpose="transactional")
    at = click(shown, timedelta(hours=3))
    dispatch.tick(at + timedelta(minutes=1))
    assert looked_at() == []


def test_a_second_look_moves_the_first(shown: Enrolment) -> None:
    at = click(shown, timedelta(hours=3))
    dispatch.tick(at + timedelta(minutes=1))
    again = click(shown, timedelta(hours=5))
    dispatch.tick(again + timedelta(minutes=1))
    assert InboxEvent.objects.get(name="product.clicked").occurred_at == again
