"""Named conditions a step may carry: `unless="purchased"`. Asked in bulk, only when a batch has any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from ..conf import shop
from ..core.ports import Person
from ..models import ContactPoint, Enrolment, Message
from . import subscribers, texting, vouchers
from .plans import Plans

#: The ids of the messages for which the condition holds.
Condition = Callable[[Sequence[Message]], set[int]]


def purchased(messages: Sequence[Message]) -> set[int]:
    """The contact bought since what began the run."""
    people = people_of({message.contact_id: message.contact.user_id for message in messages})
    found: set[int] = set()
    for group in _one_per_contact(messages):
        since = {pk: _began(message.enrolment) for pk, message in group.items() if message.enrolment}
        buyers = shop().has_bought([people[pk] for pk in since], since)
        found |= {group[pk].pk for pk in buyers}
    return found


def voucher_used(messages: Sequence[Message]) -> set[int]:
    """The code that the run gave was spent, by whomever."""
    grants = vouchers.of_runs({message.enrolment_id for message in messages if message.enrolment_id})
    used = vouchers.used(grants.values())
    return {
        message.pk
        for message in messages
        if (grant := grants.get(message.enrolment_id or 0)) is not None and grant.pk in used
    }


def texts_possible(messages: Sequence[Message]) -> set[int]:
    """The shop has a provider of texts."""
    return {message.pk for message in messages} if texting.is_possible() else set()


CONDITIONS: dict[str, Condition] = {
    "purchased": purchased,
    "voucher_used": voucher_used,
    "texts_possible": texts_possible,
}


def unmet(messages: Sequence[Message], plans: Plans) -> set[int]:
    """Ids of the messages whose step's condition does not hold."""
    failed: set[int] = set()
    for name, condition in CONDITIONS.items():
        forbids = _with(messages, plans, unless=name)
        demands = _with(messages, plans, only_if=name)
        if not forbids and not demands:
            continue
        holds = condition([*forbids, *demands])
        failed |= {message.pk for message in forbids if message.pk in holds}
        failed |= {message.pk for message in demands if message.pk not in holds}
    return failed


def people_of(users: dict[int, int | None]) -> dict[int, Person]:
    """Contacts as orders may name them, by contact id; `users` maps contact to user id."""
    emails: dict[int, set[str]] = {pk: set() for pk in users}
    phones: dict[int, set[str]] = {pk: set() for pk in users}
    for point in ContactPoint.objects.filter(contact_id__in=users):
        (phones if point.channel == "sms" else emails)[point.contact_id].add(point.address)
    return {
        pk: Person(contact_id=pk, user_id=user, emails=frozenset(emails[pk]), phones=frozenset(phones[pk]))
        for pk, user in users.items()
    }


def _began(run: Enrolment) -> datetime:
    """When the person began it: the engine may hear of it later, and a yes answers what was asked before."""
    asked = run.data.get(subscribers.ASKED_AT)
    return min(run.started_at, run.anchor_at, *([datetime.fromisoformat(asked)] if asked else []))


def _one_per_contact(messages: Sequence[Message]) -> list[dict[int, Message]]:
    """Groups in which a contact stands once: two runs of a person began at two times."""
    groups: list[dict[int, Message]] = []
    for message in messages:
        free = next((group for group in groups if message.contact_id not in group), None)
        if free is None:
            groups.append(free := {})
        free[message.contact_id] = message
    return groups


def _with(messages: Sequence[Message], plans: Plans, *, unless: str = "", only_if: str = "") -> list[Message]:
    found = []
    for message in messages:
        planned = plans.get(message.flow_id)
        step = planned.plan.step(message.step_key) if planned else None
        if step and ((unless and step.unless == unless) or (only_if and step.only_if == only_if)):
            found.append(message)
    return found
