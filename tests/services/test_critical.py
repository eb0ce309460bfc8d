"""What is critical goes out on every channel, each decided by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oscar_crosschannel import After, Blueprint, On, send
from oscar_crosschannel.core.facts import Block
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.outbound import Effect, NotSent, Refused
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Contact, Enrolment, Message, Suppression
from oscar_crosschannel.services import contacts
from oscar_crosschannel.services.dispatch import tick
from tests.factories import NOON, enrol_all, make_contacts, registered
from tests.services.stage import Letters, Wires, write_words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stage")]

#: Three in the morning in New York.
NIGHT = NOON + timedelta(hours=19)
HOUR = timedelta(hours=1)


@registered
class Alarm(Blueprint):
    """Something that cannot wait, and a word after it"""

    topic = "account_security"
    start = On("alarm.rang")

    alarm = send("email", "sms", at=After(minutes=0))
    later = send("sms", "email", at=After(hours=2))


@pytest.fixture
def person() -> Contact:
    write_words(Alarm)
    person = make_contacts(1, topics=())[0]
    enrol_all([person], Alarm, anchor=NIGHT)
    return person


def states() -> dict[tuple[str, str], State]:
    return {(each.step_key, each.leg): State(each.state) for each in Message.objects.all()}


# It works.


@pytest.mark.rule(39, 51)
def test_it_goes_out_on_both_channels_at_once_and_at_any_hour(
    person: Contact, email: Letters, sms: Wires
) -> None:
    tick(NIGHT)

    assert (len(email.calls), len(sms.calls)) == (1, 1)
    assert states()["alarm", "email"] == states()["alarm", "sms"] == State.SENT


def test_the_next_step_follows_on_both_channels_and_then_the_run_ends(
    person: Contact, email: Letters, sms: Wires
) -> None:
    tick(NIGHT)
    assert set(states()) == {("alarm", "email"), ("alarm", "sms"), ("later", "email"), ("later", "sms")}

    tick(NIGHT + 2 * HOUR)
    tick(NIGHT + 2 * HOUR + timedelta(minutes=1))
    assert (len(email.calls), len(sms.calls)) == (2, 2)
    assert Enrolment.objects.get().state == Enrolment.State.ENDED


# It refuses.


@pytest.mark.rule(22, 39)
def test_who_said_stop_to_texts_still_gets_the_email(person: Contact, email: Letters, sms: Wires) -> None:
    point = person.points.get(channel="sms")
    Suppression.objects.create(
        channel="sms",
        digest=contacts.digest("sms", point.address),
        cause=Suppression.Cause.REVOKED,
        scope=Block.EVERYTHING,
        since=NOON,
    )
    tick(NIGHT)

    assert (len(email.calls), len(sms.calls)) == (1, 0)
    assert Message.objects.get(step_key="alarm", leg="sms").reason == Reason.SUPPRESSED


def test_a_refused_text_is_not_said_by_email_a_second_time(
    person: Contact, email: Letters, sms: Wires
) -> None:
    sms.fail(Refused("no such number", effect=Effect.NONE))
    tick(NIGHT)
    tick(NIGHT + HOUR)

    assert len(email.calls) == 1
    assert states()["alarm", "sms"] == State.FAILED


# It survives.


def test_a_text_that_is_late_keeps_the_run_open_until_it_went(
    person: Contact, email: Letters, sms: Wires
) -> None:
    tick(NIGHT)
    sms.fail(NotSent("busy"))
    tick(NIGHT + 2 * HOUR)
    assert Enrolment.objects.get().state == Enrolment.State.ACTIVE

    sms.work()
    tick(NIGHT + 2 * HOUR + timedelta(minutes=5))
    tick(NIGHT + 2 * HOUR + timedelta(minutes=6))
    assert (len(email.calls), len(sms.calls)) == (2, 3)
    assert Enrolment.objects.get().state == Enrolment.State.ENDED
