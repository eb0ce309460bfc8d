"""What nine email providers report, through Anymail's own views: what follows, however often and in what order."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from oscar_crosschannel.core.lifecycle import State, Status
from oscar_crosschannel.models import Attempt, ConsentEvent, Contact, DeliveryEvent, InboxEvent, Message
from oscar_crosschannel.services import suppressions
from oscar_crosschannel.services.dispatch import tick
from tests.factories import NOON
from tests.services.shoppers import ANN, TOPICS, permitted
from tests.web.esps import COMPLAINED, DELIVERED, ESPS, HARD, SECRETS, SOFT, UNSUBSCRIBED, Esp, Report

pytestmark = pytest.mark.filterwarnings("ignore::anymail.exceptions.AnymailNotSupportedWarning")  # SendGrid

POSTMARK = next(esp for esp in ESPS if esp.name == "postmark")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
every_esp = pytest.mark.parametrize("esp", ESPS, ids=lambda esp: esp.name)
every_report = pytest.mark.parametrize(
    ("esp", "kind"), [pytest.param(esp, kind, id=f"{esp.name}-{kind}") for esp in ESPS for kind in esp.tells]
)

#: What becomes of the attempt, of the address (cause, scope), and of the consent.
EFFECTS: dict[str, tuple[Status, tuple[str, str] | None, bool]] = {
    DELIVERED: (Status.DELIVERED, None, True),
    HARD: (Status.UNDELIVERED, ("hard_bounce", "everything"), True),
    SOFT: (Status.UNDELIVERED, None, True),
    COMPLAINED: (Status.DELIVERED, ("complaint", "marketing"), False),
    UNSUBSCRIBED: (Status.DELIVERED, ("revoked", "marketing"), False),
}


@pytest.fixture(autouse=True)
def secrets(settings: Any) -> None:
    settings.ANYMAIL = SECRETS


def sent(message: Message, esp: Esp, message_id: str = "") -> Attempt:
    """The provider took it."""
    return Attempt.objects.create(
        message=message,
        uuid=uuid4(),
        channel="email",
        address_digest=message.point.digest if message.point else "",
        number=1,
        provider=esp.name,
        provider_id=message_id or esp.message_id,
        status=Status.QUEUED,
        started_at=NOON,
        status_at=NOON,
    )


def report(attempt: Attempt, kind: str, **changes: Any) -> Report:
    values = {
        "kind": kind,
        "recipient": ANN,
        "uuid": str(attempt.uuid),
        "message_id": attempt.provider_id,
        "at": NOON,
    }
    return Report(**values | changes)


def work() -> None:
    tick(timezone.now())


def standing() -> tuple[str, str] | None:
    found = suppressions.in_force("email", ANN)
    return (found.cause, found.scope) if found else None


# it works


@pytest.mark.rule(26, 27, 28, 67)
@every_report
def test_a_report_is_drawn_from_once_however_often_it_comes(
    esp: Esp, kind: str, ann: Contact, message: Message
) -> None:
    attempt = sent(message, esp)
    for _ in range(2):
        assert esp.post(report(attempt, kind)).status_code == 200
        work()
    status, block, consent = EFFECTS[kind]
    attempt.refresh_from_db()
    assert (attempt.status, standing()) == (status, block)
    assert permitted(ann, "email") == (set(TOPICS) if consent else set())
    assert permitted(ann, "sms") == set(TOPICS)
    assert InboxEvent.objects.filter(name="email.tracking").count() == 1
    assert DeliveryEvent.objects.get().attempt == attempt
    assert ConsentEvent.objects.filter(action="revoke").count() == (0 if consent else 1)


@pytest.mark.rule(27, 68)
@every_esp
@pytest.mark.parametrize("order", list(permutations([DELIVERED, COMPLAINED])), ids="-".join)
def test_the_order_of_reports_changes_nothing(
    esp: Esp, order: tuple[str, ...], ann: Contact, message: Message
) -> None:
    attempt = sent(message, esp)
    for kind in order:
        esp.post(report(attempt, kind, at=NOON + (DELIVERED, COMPLAINED).index(kind) * MINUTE))
    work()
    attempt.refresh_from_db()
    assert (attempt.status, standing()) == (Status.DELIVERED, ("complaint", "marketing"))


@pytest.mark.rule(27)
@every_esp
def test_a_complaint_takes_back_what_is_about_to_go(esp: Esp, ann: Contact, message: Message) -> None:
    attempt = sent(message, esp)
    Message.objects.update(state=State.CLAIMED, token=uuid4(), expires_at=NOON + DAY)
    esp.post(report(attempt, COMPLAINED))
    work()
    message.refresh_from_db()
    assert message.state == State.DROPPED


@pytest.mark.rule(28)
@every_esp
@pytest.mark.parametrize("delivered_between", [False, True])
def test_soft_bounces_count_three_times_unless_something_arrived_between(
    esp: Esp, delivered_between: bool, message: Message
) -> None:
    for number, day in enumerate((-29, -10, 0)):
        esp.post(report(sent(message, esp, esp.another_id(4 + number)), SOFT, at=NOON + day * DAY))
        work()
        assert (standing() is not None) is (number == 2 and not delivered_between)
        if delivered_between and number == 1:
            arrived = sent(message, esp, esp.another_id(7))
            esp.post(report(arrived, DELIVERED, at=NOON - 5 * DAY))
            work()
    assert standing() == (None if delivered_between else ("hard_bounce", "everything"))


@pytest.mark.rule(28)
@pytest.mark.parametrize(
    "bounces",
    [[("one", -31 * DAY), ("two", -MINUTE), ("three", 0 * DAY)], [("one", -day * DAY) for day in (2, 1, 0)]],
    ids=["of long ago", "of one message"],
)
def test_soft_bounces_that_do_not_add_up(bounces: list[tuple[str, timedelta]], message: Message) -> None:
    attempts = {name: sent(message, POSTMARK, name) for name in dict(bounces)}
    for name, before in bounces:
        POSTMARK.post(report(attempts[name], SOFT, at=NOON + before))
    work()
    assert DeliveryEvent.objects.filter(kind="bounced", attempt__isnull=False).count() == 3
    assert standing() is None


@pytest.mark.rule(27)
@every_esp
def test_a_complaint_about_mail_that_is_not_ours_counts_for_its_recipient(esp: Esp, ann: Contact) -> None:
    told = Report(kind=COMPLAINED, recipient=ANN, uuid="", message_id=esp.another_id(9), at=NOON)
    esp.post(told)
    work()
    assert standing() == ("complaint", "marketing")


# it refuses


@pytest.mark.rule(72)
@pytest.mark.parametrize(
    ("esp", "lie"),
    [
        pytest.param(esp, lie, id=f"{esp.name}-{lie}")
        for esp in ESPS
        for lie in (["recipient", "message_id", "uuid"] if esp.has_metadata else ["recipient"])
    ],
)
def test_a_report_whose_ids_disagree_touches_nobody(
    esp: Esp, lie: str, ann: Contact, message: Message
) -> None:
    attempt, other = sent(message, esp), sent(message, esp, esp.another_id(8))
    truth_about_another = {
        "recipient": "bob@example.com",
        "message_id": other.provider_id,
        "uuid": str(other.uuid),
    }
    esp.post(report(attempt, COMPLAINED, **{lie: truth_about_another[lie]}))
    work()
    assert DeliveryEvent.objects.get().attempt is None
    assert standing() is None
    assert suppressions.in_force("email", "bob@example.com") is None


@pytest.mark.rule(72)
def test_an_id_that_is_not_known_disagrees_too(ann: Contact, message: Message) -> None:
    attempt = sent(message, POSTMARK)
    POSTMARK.post(report(attempt, COMPLAINED, uuid=str(uuid4())))
    work()
    assert DeliveryEvent.objects.get().attempt is None
    assert standing() is None


@pytest.mark.rule(72)
def test_an_attempt_in_doubt_does_not_take_the_id_of_another(ann: Contact, message: Message) -> None:
    other, doubtful = sent(message, POSTMARK), sent(message, POSTMARK, "in doubt")
    Attempt.objects.filter(pk=doubtful.pk).update(provider_id="")
    POSTMARK.post(report(doubtful, DELIVERED, message_id=other.provider_id))
    work()
    assert DeliveryEvent.objects.get().attempt is None
    assert set(Attempt.objects.values_list("status", flat=True)) == {Status.QUEUED}


@every_esp
def test_who_cannot_prove_to_be_the_provider_is_not_heard(esp: Esp, message: Message) -> None:
    attempt = sent(message, esp)
    told = report(attempt, COMPLAINED)
    forged = esp.headers(b"another body", told) | {"Authorization": "Basic d3Jvbmc6d3Jvbmc="}
    assert esp.post(told, **forged).status_code in (400, 401)
    assert not InboxEvent.objects.exists()


@pytest.mark.rule(11)
def test_postmark_says_that_somebody_may_be_written_to_again_and_nothing_changes(
    ann: Contact, message: Message
) -> None:
    attempt = sent(message, POSTMARK)
    POSTMARK.post(report(attempt, UNSUBSCRIBED))
    work()
    told = POSTMARK.body(report(attempt, UNSUBSCRIBED, at=NOON + MINUTE))
    POSTMARK.body = lambda report: told | {"SuppressSending": False, "SuppressionReason": None}  # type: ignore[method-assign]
    try:
        assert POSTMARK.post(report(attempt, UNSUBSCRIBED, at=NOON + MINUTE)).status_code == 200
    finally:
        del POSTMARK.body
    work()
    assert InboxEvent.objects.filter(data__event_type="subscribed").count() == 1
    assert (standing(), permitted(ann, "email")) == (("revoked", "marketing"), set())


# it survives


@pytest.mark.rule(69)
@pytest.mark.parametrize("esp", [esp for esp in ESPS if esp.has_metadata], ids=lambda esp: esp.name)
def test_reports_that_came_before_our_own_record_find_their_attempt(esp: Esp, message: Message) -> None:
    """The provider was faster than our transaction: its id is not stored yet."""
    attempt = sent(message, esp)
    Attempt.objects.update(provider_id="", status=Status.INTENDED)
    Message.objects.update(state=State.UNKNOWN)
    esp.post(report(attempt, DELIVERED))
    work()
    attempt.refresh_from_db()
    message.refresh_from_db()
    assert (attempt.status, attempt.provider_id) == (Status.DELIVERED, esp.message_id)
    assert message.state == State.SENT
