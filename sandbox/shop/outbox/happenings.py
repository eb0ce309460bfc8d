"""What happened while the time was moved, as sentences: what arrived, what waits, and what was not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.text import Truncator, capfirst

from oscar_crosschannel.admin import stories
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import Message
from oscar_crosschannel.services.plans import load_plans
from oscar_crosschannel.testing.sms_counterpart import Text

from . import mails, outlooks, phones, readers
from .readers import Reader

#: Who waits no longer than this waits for its turn at the phone company.
_A_TURN = timedelta(minutes=1)
#: So many letters of a text are enough to recognise it.
_BEGINNING = 90


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the list."""

    at: datetime
    kind: str  #: email, sms, waits, not
    who: str  #: key of a reader; empty: nobody in particular
    words: str

    def as_json(self) -> dict[str, str]:
        return {"at": self.at.isoformat(), "kind": self.kind, "who": self.who, "words": self.words}


def from_json(stored: Mapping[str, Any]) -> Happening:
    """What `as_json` stored."""
    return Happening(**{**stored, "at": datetime.fromisoformat(stored["at"])})


class Witness:
    """Knows what was there before, and tells what is new."""

    def __init__(self) -> None:
        self._mails = {mail.id for mail in mails.everything()}
        self._texts = {text.sid for text in _texts()}

    def watch(self, work: Callable[[], None]) -> list[Happening]:
        """Let the engine work, and tell what came of it, in order."""
        began = timezone.now()
        due = set(Message.objects.filter(state=State.PLANNED, due_at__lte=began).values_list("pk", flat=True))
        work()
        people = readers.everybody()
        told = [*self._arrived(people), *_kept_back(people, due, began)]
        return sorted(told, key=lambda happening: happening.at)

    def _arrived(self, people: list[Reader]) -> Iterator[Happening]:
        for mail in mails.everything():
            if mail.id not in self._mails:
                self._mails.add(mail.id)
                for reader in (each for each in people if set(each.emails) & set(mail.to)):
                    yield Happening(mail.at, "email", reader.key, f"Email to {reader.name}: “{mail.subject}”")
        for text in _texts():
            if text.sid not in self._texts:
                self._texts.add(text.sid)
                words = Truncator(" ".join(text.body.split())).chars(_BEGINNING)
                for reader in (each for each in people if text.to in each.phones):
                    yield Happening(text.at, "sms", reader.key, f"Text to {reader.name}: “{words}”")


def _kept_back(people: list[Reader], due: set[int], began: datetime) -> Iterator[Happening]:
    """What was due and waits on, and what came to nothing."""
    by_contact = {reader.contact.pk: reader for reader in people if reader.contact}
    now, plans = timezone.now(), load_plans()
    waiting = Q(pk__in=due, state=State.PLANNED, due_at__gt=now + _A_TURN)
    over = Q(resolved_at__gte=began) & ~Q(state=State.SENT)
    for message in Message.objects.filter(waiting | over).select_related("flow").order_by("pk"):
        reader = by_contact.get(message.contact_id)
        if reader is None:
            continue
        with timezone.override(reader.zone):
            standing = stories.standing(message, now)
        what = outlooks.what(message, plans)
        if message.state == State.PLANNED:
            yield Happening(now, "waits", reader.key, f"{capfirst(what)} for {reader.name} waits {standing}")
        else:
            yield Happening(
                message.resolved_at or now, "not", reader.key, f"No {what} for {reader.name}: {standing}"
            )


def _texts() -> list[Text]:
    running = phones.here()
    return running.received() if running else []
