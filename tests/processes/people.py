"""People who are owed one message each, and what became of it: in the world, and in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from oscar_crosschannel import Blueprint
from oscar_crosschannel.core.facts import EMAIL, SMS
from oscar_crosschannel.core.lifecycle import OPEN, State
from oscar_crosschannel.models import Contact, ContactPoint, Message
from tests.factories import enrol_all, make_contacts

from .kill_table import Row
from .machine import wait_until
from .outside import Mailboxes, Phones
from .store.crosschannel import DrillLetter, DrillText

HOUR = timedelta(hours=1)


@dataclass
class People:
    """A group whose messages are due at once."""

    ids: list[int]
    channel: str
    outside: Mailboxes | Phones
    doubted: set[int] = field(default_factory=set)

    @property
    def messages(self) -> list[Message]:
        return list(Message.objects.filter(contact__in=self.ids).order_by("id"))

    def states(self) -> dict[State, int]:
        """How many messages stand where."""
        return dict(Counter(State(message.state) for message in self.messages))

    def wait_until_all_are(self, state: State) -> None:
        wait_until(
            lambda: self.states() == {state: len(self.ids)},
            lambda: f"not all {state.name} but {self.states()}",
        )
        if state is State.UNKNOWN:
            self.doubted |= set(self.ids)

    def wait_until_resolved(self) -> None:
        """Until nothing is owed any more."""
        wait_until(lambda: not self.is_owed(), lambda: f"still open: {self.states()}")

    def addresses(self) -> dict[str, int]:
        """Whose each address is."""
        points = ContactPoint.objects.filter(contact__in=self.ids, channel=self.channel)
        return dict(points.values_list("address", "contact_id"))

    def got(self) -> dict[int, int]:
        """How many messages each person received; nobody who received none."""
        received = self.outside.got()
        return {
            person: received[address] for address, person in self.addresses().items() if received[address]
        }

    def got_one_each(self) -> bool:
        return self.got() == dict.fromkeys(self.ids, 1)

    def row(self, where: str) -> Row:
        """What the table tells of this group, counted now."""
        got, states = self.got(), {message.contact_id: message.state for message in self.messages}
        still_doubted = {person for person, state in states.items() if state == State.UNKNOWN}
        given_up = {person for person, state in states.items() if state == State.FAILED}
        return Row(
            where=where,
            intended=len(self.ids),
            sent=sum(got.values()),
            doubled=sum(count - 1 for count in got.values()),
            lost=len(set(self.ids) - set(got) - still_doubted - given_up),
            unknown=len(self.doubted),
            reconciled=len(self.doubted - still_doubted),
        )

    def let_leases_pass(self) -> None:
        """What a dead worker holds is free again in a moment, not in the minutes of its lease."""
        held = Message.objects.filter(contact__in=self.ids, state__in=[State.CLAIMED, State.SENDING])
        held.update(lease_until=datetime.now(UTC))

    def is_owed(self) -> bool:
        return Message.objects.filter(contact__in=self.ids, state__in=OPEN).exists()


def owe_letters(count: int, mailboxes: Mailboxes, *, names: Sequence[str] = ()) -> People:
    """People with an email due now; the first of them have these names."""
    return _owe(DrillLetter, EMAIL, count, mailboxes, names)


def owe_texts(count: int, phones: Phones) -> People:
    """People with a text due now."""
    return _owe(DrillText, SMS, count, phones, ())


def _owe(
    flow: type[Blueprint], channel: str, count: int, outside: Mailboxes | Phones, names: Sequence[str]
) -> People:
    people = make_contacts(count)
    for contact, name in zip(people, names, strict=False):
        Contact.objects.filter(pk=contact.pk).update(name=name)
    enrol_all(people, flow, anchor=datetime.now(UTC) - HOUR)
    return People([contact.pk for contact in people], channel, outside)
