"""What people said and what reached them, and whether the one allowed the other.

Written from the guarantees, by somebody who never saw the app: it keeps its own memory, and asks no
policy. Where it cannot know (a question that was not worked off yet), it lets pass; what it reports is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from .cast import NOWHERE, Address, closed_because

EMAIL, SMS = "email", "sms"
MARKETING, TRANSACTIONAL, CRITICAL = "marketing", "transactional", "critical"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

#: A worker that died may have called at any time of its lease; what it did counts from its beginning.
LEASE = timedelta(minutes=5)
#: Between a hand-over and its call, where nothing stands still.
MOMENT = timedelta(seconds=1)

#: How long the question of a double opt-in can be answered: a text, and the link in an email.
BY_TEXT, BY_LINK = 24 * HOUR, 7 * DAY


@dataclass
class Flight:
    """One message on its way: handed over, perhaps called, perhaps heard."""

    uuid: UUID
    message: int
    who: str
    channel: str
    address: str
    topic: str
    purpose: str
    intent: str
    flow: str
    campaign: bool
    handed_at: datetime
    called_at: datetime | None = None
    home: Address = (
        NOWHERE  #: theirs when it was handed over, and their clock: later news come too late for it
    )
    zone: str = ""
    #: None: nobody knows (yet); False: certainly not sent
    heard: bool | None = None
    died: bool = False  #: its worker did, before it could write down what became of it
    ended: bool = False  #: the provider has told the end
    forgotten: bool = False  #: its person was erased since
    excuse: bool = False  #: the provider said that it did not arrive: a promised message may go another way

    @property
    def counts(self) -> bool:
        """Whether it takes room under limits, and must not be said again."""
        return self.heard is not False and not self.excuse

    @property
    def at(self) -> datetime:
        return self.called_at if self.called_at and not self.died else self.handed_at - LEASE


@dataclass(frozen=True)
class Limit:
    """No more than `most` in `span`."""

    name: str
    most: int
    span: timedelta
    counts: Callable[[Flight, Flight], bool]  #: (earlier, new) → whether the earlier takes room

    def halved(self) -> Limit:
        """For who wants fewer messages."""
        return replace(self, span=2 * self.span) if self.most == 1 else replace(self, most=self.most // 2)


def _marketing(channel: str = "") -> Callable[[Flight, Flight], bool]:
    return lambda earlier, new: earlier.purpose == MARKETING and channel in ("", earlier.channel)


_PERSONAL = {
    EMAIL: (
        Limit("4 emails in 7 days", 4, 7 * DAY, _marketing(EMAIL)),
        Limit("1 email in 16 hours", 1, 16 * HOUR, _marketing(EMAIL)),
    ),
    SMS: (
        Limit("4 texts in 30 days", 4, 30 * DAY, _marketing(SMS)),
        Limit("1 text in 24 hours", 1, DAY, _marketing(SMS)),
    ),
}
_ANY_CHANNEL = (
    Limit("5 messages in 7 days", 5, 7 * DAY, _marketing()),
    Limit(
        "1 subject in 4 hours",
        1,
        4 * HOUR,
        lambda earlier, new: earlier.purpose == MARKETING and earlier.intent != new.intent,
    ),
)
_CAMPAIGNS = Limit(
    "2 campaigns by email in 7 days",
    2,
    7 * DAY,
    lambda earlier, new: earlier.purpose == MARKETING and earlier.channel == EMAIL and earlier.campaign,
)
_LEGAL = Limit("3 texts to a number in 24 hours", 3, DAY, lambda earlier, new: True)


@dataclass
class Person:
    """What one person told, and did."""

    address: Address = NOWHERE
    zone: str = ""
    paused_until: datetime | None = None
    fewer: bool = False
    phones: set[str] = field(default_factory=set)
    active_at: datetime | None = None  #: last touched a basket


class Witness:
    """The memory of one life."""

    def __init__(self, seen: Counter[str]) -> None:
        self.seen = seen
        self.broken: list[str] = []
        self.flights: dict[UUID, Flight] = {}
        self._said = 0
        self._same_as: dict[str, str] = {}
        self._people: dict[str, Person] = {}
        self._grants: dict[tuple[str, str, str, str], int] = {}
        self._stops: dict[tuple[str, str, str], int] = {}
        self._silences: dict[tuple[str, str], int] = {}
        self._asked: dict[tuple[str, str, str], tuple[datetime, tuple[str, ...]]] = {}  #: until when
        self._unusable: set[tuple[str, str]] = set()
        self._doubts: set[tuple[str, str]] = set()
        self._confirmed: set[tuple[str, str]] = set()
        self._bought: dict[str, datetime] = {}

    # Who is who

    def root(self, who: str) -> str:
        while who in self._same_as:
            who = self._same_as[who]
        return who

    def person(self, who: str) -> Person:
        return self._people.setdefault(self.root(who), Person())

    def one_person(self, keep: str, gone: str) -> None:
        """Two turn out to be one. Nothing is allowed now that was not allowed to the one that stays."""
        keep, gone = self.root(keep), self.root(gone)
        if keep == gone:
            return
        kept, left = self.person(keep), self.person(gone)
        settled = {key[:3] for key in self._grants if key[0] == keep} | {
            (keep, SMS, phone) for phone in kept.phones
        }
        for (who, channel, address, topic), said in list(self._grants.items()):
            if who == gone:
                del self._grants[who, channel, address, topic]
                if (keep, channel, address) not in settled:
                    self._grants[keep, channel, address, topic] = said
        for (who, channel, address), asked in list(self._asked.items()):
            if who == gone:
                self._asked.setdefault((keep, channel, address), asked)
        kept.phones |= left.phones
        kept.zone = kept.zone or left.zone
        kept.fewer = kept.fewer or left.fewer
        kept.paused_until = max(
            (until for until in (kept.paused_until, left.paused_until) if until), default=None
        )
        if kept.address == NOWHERE:
            kept.address = left.address
        kept.active_at = max((at for at in (kept.active_at, left.active_at) if at), default=None)
        self._same_as[gone] = keep
        self.seen["merges"] += 1

    # What is said

    def grants(self, who: str, channel: str, address: str, topics: tuple[str, ...]) -> None:
        self._said += 1
        for topic in topics:
            self._grants[self.root(who), channel, address, topic] = self._said
        self.seen[f"grants by {channel}"] += 1

    def is_asked(
        self, who: str, channel: str, address: str, topics: tuple[str, ...], *, until: datetime
    ) -> None:
        """A box was ticked that the owner of the address has yet to confirm."""
        self._asked[self.root(who), channel, address] = (until, topics)

    def confirms(self, channel: str, address: str, at: datetime) -> None:
        """Yes, by a text from the number or by the link in an email: to everybody who asked in time."""
        for (who, asked_channel, asked_address), (until, topics) in list(self._asked.items()):
            if (asked_channel, asked_address) == (channel, address) and at < until:
                self.hears_again(channel, address)
                self.was_read(channel, address)
                self.grants(who, channel, address, topics)
                self._confirmed.add((who, address))
                self.seen["confirmed"] += 1

    def joins(self, phone: str, topics: tuple[str, ...]) -> None:
        """JOIN: the number's own yes, and that of who has shown before that it is theirs, or for whom it was asked.

        Which of several, and how long ago, is not remembered: the app is stricter.
        """
        self.hears_again(SMS, phone)
        self.was_read(SMS, phone)
        theirs = {self.root(who) for who, number in self._confirmed if number == phone}
        asked = {who for who, channel, number in self._asked if (channel, number) == (SMS, phone)}
        for who in {phone, *theirs, *asked}:
            self.grants(who, SMS, phone, topics)
        self.seen["joined"] += 1

    def forgets(self, who: str) -> None:
        """They are erased: nothing of what they allowed is left, and nothing of what they chose."""
        mine = self.root(who)
        self._grants = {key: said for key, said in self._grants.items() if key[0] != mine}
        self._asked = {key: asked for key, asked in self._asked.items() if key[0] != mine}
        self._confirmed = {pair for pair in self._confirmed if self.root(pair[0]) != mine}
        self._people[mine] = Person()
        for flight in self.flights.values():
            if self.root(flight.who) == mine:
                flight.forgotten = True
        self.seen["erasures"] += 1

    def stops(self, channel: str, address: str, *, topic: str = "", silence: bool = False) -> None:
        """No more of a topic, or of anything (empty); `silence`: not even an order's texts."""
        self._said += 1
        self._stops[channel, address, topic] = self._said
        if silence:
            self._silences[channel, address] = self._said
        self.seen[f"stops by {channel}"] += 1

    def hears_again(self, channel: str, address: str) -> None:
        """START: texts about orders may come again. It is no consent."""
        self._silences.pop((channel, address), None)
        self._unusable.discard((channel, address))

    def is_doubtful(self, channel: str, address: str) -> None:
        """Something that may mean stop: no marketing until somebody has read it, or the person agrees anew."""
        self._doubts.add((channel, address))
        self.seen["doubts"] += 1

    def was_read(self, channel: str, address: str) -> None:
        """Staff: it was no stop."""
        self._doubts.discard((channel, address))

    def were_read(self) -> None:
        self._doubts.clear()

    def is_unusable(self, channel: str, address: str) -> None:
        """The provider knows no such address."""
        self._unusable.add((channel, address))
        self.seen["unusable"] += 1

    def works_again(self, channel: str, address: str) -> None:
        """Staff found that it works after all."""
        self._unusable.discard((channel, address))

    def has_stopped(self, channel: str, address: str) -> bool:
        """Whether anything was ever stopped for an address: then a box alone is not believed."""
        return any(key[:2] == (channel, address) for key in (*self._stops, *self._unusable))

    def buys(self, marks: set[str], at: datetime) -> None:
        """An order by account, email or phone."""
        for mark in marks:
            self._bought[mark] = at
        self.seen["orders"] += 1

    # What reaches them

    def hand_over(self, flight: Flight) -> None:
        """From here on the provider may be called: everything must hold now."""
        wrongs = [wrong for check in self._checks() for wrong in check(flight)]
        if wrongs:
            self._complain(flight, flight.handed_at, wrongs)
        person = self.person(flight.who)
        flight.home, flight.zone = person.address, person.zone
        self.flights[flight.uuid] = flight
        self.seen["handed over"] += 1

    def called(self, uuid: UUID, address: str, at: datetime) -> None:
        """The provider is called."""
        flight = self.flights[uuid]
        flight.called_at = at
        if address != flight.address:
            self._complain(flight, at, [f"it went to {address}"])
        is_offer = flight.purpose == MARKETING and flight.channel == SMS
        if is_offer and (reason := closed_because(address, at, home=flight.home, zone=flight.zone)):
            self._complain(flight, at, [f"it is {reason}"])
        self.seen[f"{flight.purpose} calls by {flight.channel}"] += 1

    def _checks(self) -> tuple[Callable[[Flight], Iterator[str]], ...]:
        return (self._consent, self._silence, self._pause, self._purchase, self._twice, self._frequency)

    def _consent(self, new: Flight) -> Iterator[str]:
        if new.purpose != MARKETING:
            return
        granted = self._grants.get((self.root(new.who), new.channel, new.address, new.topic), 0)
        stopped = max(self._stops.get((new.channel, new.address, topic), 0) for topic in ("", new.topic))
        if (new.channel, new.address) in self._doubts:
            yield "nobody has read yet what may mean stop"
        if not granted:
            yield "they never agreed"
        elif granted < stopped:
            yield "they said stop"

    def _silence(self, new: Flight) -> Iterator[str]:
        if (new.channel, new.address) in {*self._silences, *self._unusable}:
            yield "nothing may go there at all"

    def _pause(self, new: Flight) -> Iterator[str]:
        until = self.person(new.who).paused_until
        if new.purpose == MARKETING and until and new.handed_at < until:
            yield f"they asked for a rest until {until}"

    def _purchase(self, new: Flight) -> Iterator[str]:
        if new.flow != "abandoned_cart":
            return
        person = self.person(new.who)
        marks = self._all_names(new.who) | person.phones
        bought = max((self._bought[mark] for mark in marks if mark in self._bought), default=None)
        if person.active_at is None:
            yield "they left no basket"
        elif bought and bought >= person.active_at:
            yield "they bought"

    def _twice(self, new: Flight) -> Iterator[str]:
        """What is critical goes out on each channel; everything else on one."""
        for old in self._of_person(new):
            if new.purpose == CRITICAL and old.channel != new.channel:
                continue
            if old.intent == new.intent and old.counts:
                yield f"the same went by {old.channel} at {old.at:%d %b %H:%M}"

    def _frequency(self, new: Flight) -> Iterator[str]:
        if new.purpose != MARKETING:
            return
        limits = [*_PERSONAL[new.channel], *_ANY_CHANNEL]
        if new.campaign and new.channel == EMAIL:
            limits.append(_CAMPAIGNS)
        if self.person(new.who).fewer:
            limits = [limit.halved() for limit in limits]
        yield from _exceeded(limits, list(self._of_person(new)), new)
        if new.channel == SMS:
            yield from _exceeded([_LEGAL], self._to_address(new), new)

    def _of_person(self, new: Flight) -> Iterator[Flight]:
        who = self.root(new.who)
        return (
            flight
            for flight in self.flights.values()
            if self.root(flight.who) == who and not flight.forgotten
        )

    def _to_address(self, new: Flight) -> list[Flight]:
        place = (new.channel, new.address)
        return [flight for flight in self.flights.values() if (flight.channel, flight.address) == place]

    def _all_names(self, who: str) -> set[str]:
        mine = self.root(who)
        return {name for name in (*self._same_as, mine) if self.root(name) == mine}

    def _complain(self, flight: Flight, at: datetime, wrongs: list[str]) -> None:
        what = f"{flight.purpose} {flight.intent!r} ({flight.topic}) for {flight.who} by {flight.channel} to {flight.address}"
        self.broken.append(f"{at:%a %d %b %H:%M:%S}: {what}, but {' and '.join(wrongs)}")


def _exceeded(limits: list[Limit], earlier: list[Flight], new: Flight) -> Iterator[str]:
    for limit in limits:
        # the engine counts from when it had handed the earlier one over: its call came a moment later
        since = new.handed_at - limit.span + MOMENT
        room = [old for old in earlier if old.counts and old.at > since and limit.counts(old, new)]
        if len(room) >= limit.most:
            before = ", ".join(f"{old.at:%a %H:%M:%S} {old.intent} by {old.channel}" for old in room)
            yield f"there is a limit of {limit.name} (before: {before})"


def as_flight(claim: Any, uuid: UUID, who: str, at: datetime) -> Flight:
    """What the engine hands over, in the witness's words."""
    message = claim.message
    return Flight(
        uuid=uuid,
        message=message.pk,
        who=who,
        channel=claim.channel,
        address=claim.address,
        topic=message.topic,
        purpose=message.purpose,
        intent=message.intent,
        flow=claim.planned.plan.key,
        campaign=message.lane == 2,
        handed_at=at,
    )
