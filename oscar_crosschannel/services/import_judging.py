"""How the rows of a file of consents are to be taken, by what is known of their addresses. Writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings

from ..core import consent_files, phones
from ..core.consent_files import Row, RowProblem
from ..core.facts import EMAIL, SMS
from ..models import ConsentEvent, ConsentText, ContactPoint, Suppression, Topic
from . import contacts
from .persons import Address

Action, Basis = ConsentEvent.Action, ConsentEvent.Basis
_BASES = {Basis.EXPRESS_WRITTEN, Basis.EXPRESS, Basis.SOFT_OPT_IN, Basis.IMPLIED}
Grant = tuple[str, str, str, datetime]  #: channel, address, topic, when
YES = {"yes", "true", "1", "y", "x"}


class Taking(StrEnum):
    """What becomes of a row; the names of the counts of `ConsentImport`."""

    GRANTED = "granted"
    UNPROVEN = "unproven"
    REVOKED = "revoked"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a row is taken, and why not as a grant."""

    row: Row
    taking: Taking
    problem: RowProblem | None = None
    missing: Sequence[str] = ()  #: columns that would make it a proof
    address: str = ""  #: normalised
    topics: Sequence[str] = ()
    at: datetime | None = None  #: when it was agreed to, in UTC
    text: ConsentText | None = None  #: the version of the words that the row names
    dates: Mapping[str, date] = field(default_factory=dict)  #: expires_on, born_on


@dataclass(frozen=True, slots=True)
class Heard:
    """What earlier rows of the same file say."""

    #: by address: the last answer on each topic; an empty topic is everything
    last: dict[Address, dict[str, str]] = field(default_factory=dict)
    granted: set[Grant] = field(default_factory=set)

    def note(self, judged: Judged) -> None:
        whose = (judged.row.channel, judged.address)
        if judged.taking is Taking.GRANTED and judged.at is not None:
            self.granted.update((*whose, topic, judged.at) for topic in judged.topics)
        elif judged.taking is Taking.REVOKED:
            self.last.setdefault(whose, {}).update(dict.fromkeys(judged.topics or [""], Action.REVOKE))


def judge(
    rows: Sequence[Row], *, now: datetime, heard: Heard, topics: Sequence[str] = ()
) -> Iterator[Judged]:
    """One answer for each row, in a constant number of statements.

    `topics`: keys of what an agreement is about that names neither topics nor a version of the words. A stop
    that names none is one to everything.
    """
    known = _Known.of(rows, heard)
    for row in rows:
        try:
            judged = _judged(row, topics, known, now)
        except _Refused as refused:
            judged = Judged(row=row, taking=Taking.REFUSED, problem=refused.problem)
        heard.note(judged)
        yield judged


def number_of(row: Row) -> str | None:
    """The number of a row, normalised; None when it is none that can be texted."""
    return contacts.normalise(SMS, row.address, region=row["country"])


def shop_zone() -> ZoneInfo:
    """On whose clock a file tells its times."""
    return ZoneInfo(django_settings.TIME_ZONE)


class _Refused(Exception):
    def __init__(self, problem: RowProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


def _judged(row: Row, otherwise: Sequence[str], known: _Known, now: datetime) -> Judged:
    address, at, dates, text = _address(row), _instant(row, now), _dates(row), known.text(row)
    is_stop = row["action"].lower() == "stop"
    topics = row.topics or (text.topics if text else [] if is_stop else list(otherwise))
    _refuse(row["action"].lower() not in ("", "grant", "stop"), RowProblem.UNKNOWN_ACTION)
    _refuse(not known.topics.issuperset(topics), RowProblem.UNKNOWN_TOPIC)
    _refuse(row["basis"] not in ("", *_BASES), RowProblem.BAD_BASIS)

    def taken(taking: Taking, problem: RowProblem | None = None, missing: Sequence[str] = ()) -> Judged:
        return Judged(
            row=row, taking=taking, problem=problem, missing=missing,
            address=address, topics=topics, at=at, text=text, dates=dates,
        )  # fmt: skip

    if is_stop:
        return taken(Taking.REVOKED)
    whose = (row.channel, address)
    _refuse(whose in known.blocked, RowProblem.BLOCKED)
    _refuse(known.has_stopped(whose, topics), RowProblem.STOPPED)
    if at is not None and topics and known.has({(*whose, topic, at) for topic in topics}):
        return taken(Taking.UNCHANGED)
    if missing := list(_missing(row, topics, text)):
        return taken(Taking.UNPROVEN, RowProblem.NO_PROOF, missing)
    return taken(Taking.GRANTED)


def _refuse(wrong: bool, problem: RowProblem) -> None:
    if wrong:
        raise _Refused(problem)


def _address(row: Row) -> str:
    _refuse(row.overlong, RowProblem.TOO_LONG)
    _refuse(not row.address, RowProblem.NO_ADDRESS)
    _refuse(row.channel not in (EMAIL, SMS), RowProblem.UNKNOWN_CHANNEL)
    if row.channel == EMAIL:
        address = contacts.normalise(EMAIL, row.address)
        problem = RowProblem.BAD_EMAIL
    else:
        is_owned = not row["email"] or contacts.normalise(EMAIL, row["email"]) is not None
        _refuse(not is_owned, RowProblem.BAD_OWNER)
        address = number_of(row)
        problem = _why_no_number(row)
    if address is None:
        raise _Refused(problem)
    return address


def _why_no_number(row: Row) -> RowProblem:
    if "E+" in row.address.upper():
        return RowProblem.SHORTENED
    if not row.address.startswith("+") and not row["country"]:
        return RowProblem.NO_PREFIX
    try:
        phones.parse(row.address, row["country"])
    except phones.InvalidPhone as invalid:
        return (
            RowProblem.BAD_PHONE if invalid.problem is phones.PhoneProblem.INVALID else RowProblem.NO_MOBILE
        )
    return RowProblem.BAD_PHONE


def _instant(row: Row, now: datetime) -> datetime | None:
    if not row["agreed_at"]:
        return None
    try:
        at = consent_files.instant(row["agreed_at"], shop_zone())
    except (ValueError, OverflowError):
        raise _Refused(RowProblem.BAD_TIME) from None
    _refuse(at > now, RowProblem.FUTURE)
    return at


def _dates(row: Row) -> dict[str, date]:
    try:
        return {name: date.fromisoformat(row[name]) for name in ("expires_on", "born_on") if row[name]}
    except ValueError:
        raise _Refused(RowProblem.BAD_DATE) from None


def _missing(row: Row, topics: Sequence[str], text: ConsentText | None) -> Iterator[str]:
    """Columns without which nobody could prove it later."""
    yield from (name for name in ("agreed_at", "source", "how") if not row[name])
    if text is None and not row["words"]:
        yield "words"
    if not topics:
        yield "topics"
    if row["basis"] == Basis.SOFT_OPT_IN and row["way_out"].lower() not in YES:
        yield "way_out"
    if row["basis"] == Basis.IMPLIED and not row["expires_on"] and not row["occasion"]:
        yield "expires_on"


@dataclass(frozen=True, slots=True)
class _Known:
    """What was known of the addresses of some rows before they came."""

    topics: frozenset[str]
    texts: Mapping[str, ConsentText]  #: by digest
    blocked: frozenset[Address]
    #: the last answer of an address on each topic; an empty topic is everything
    last: Mapping[Address, Mapping[str, str]]
    granted: frozenset[Grant]
    heard: Heard

    @classmethod
    def of(cls, rows: Sequence[Row], heard: Heard) -> _Known:
        aliases = _aliases(rows)
        last: dict[Address, dict[str, str]] = defaultdict(dict)
        granted = set()
        for channel, name, topic, action, at in _answers({name for _, name in aliases}):
            whose = aliases.get((channel, name))
            if whose is None:
                continue
            if action == Action.GRANT:
                granted.add((*whose, topic, at))
            elif not topic:
                last[whose].clear()
            last[whose][topic] = action
        blocked = Suppression.objects.filter(digest__in={name for _, name in aliases}, lifted_at=None)
        texts = ConsentText.objects.filter(digest__in={row["words_version"] for row in rows})
        return cls(
            topics=frozenset(Topic.objects.values_list("key", flat=True)),
            texts={text.digest: text for text in texts},
            blocked=frozenset(
                aliases[pair] for pair in blocked.values_list("channel", "digest") if pair in aliases
            ),
            last=last,
            granted=frozenset(granted),
            heard=heard,
        )

    def text(self, row: Row) -> ConsentText | None:
        """The version of the words that a row names."""
        if not row["words_version"]:
            return None
        text = self.texts.get(row["words_version"])
        if text is None or text.channel != row.channel:
            raise _Refused(RowProblem.UNKNOWN_VERSION)
        _refuse(not set(row.topics) <= set(text.topics), RowProblem.OTHER_TOPICS)
        return text

    def has_stopped(self, whose: Address, topics: Sequence[str]) -> bool:
        """Only the person can undo what they said."""
        heard, last = self.heard.last.get(whose, {}), self.last.get(whose, {})
        before = last.get("", "")
        return any(
            heard.get(topic, heard.get("", last.get(topic, before))) == Action.REVOKE
            for topic in topics or [""]
        )

    def has(self, grants: set[Grant]) -> bool:
        """Whether all of it is known already."""
        return all(grant in self.granted or grant in self.heard.granted for grant in grants)


def _answers(names: Iterable[str]) -> Iterable[tuple[str, str, str, str, datetime]]:
    """What was said under these addresses and digests, oldest first."""
    said = ConsentEvent.objects.filter(address__in=names, action__in=[Action.GRANT, Action.REVOKE])
    proven = said.exclude(basis=Basis.UNPROVEN).order_by("pk")
    answers: Iterable[tuple[str, str, str, str, datetime]] = proven.values_list(
        "channel", "address", "topic", "action", "at"
    )
    return answers


def _aliases(rows: Iterable[Row]) -> dict[Address, Address]:
    """Each address by itself and by its digests, under the present key and those of before."""
    names = {}
    for row in rows:
        address = contacts.normalise(EMAIL, row.address) if row.channel == EMAIL else number_of(row)
        if address is not None:
            whose = (row.channel, address)
            names[whose] = names[row.channel, contacts.digest(*whose)] = whose
    points = ContactPoint.objects.filter(address__in={name for _, name in names})
    for channel, address, digest in points.values_list("channel", "address", "digest"):
        if (channel, address) in names:
            names[channel, digest] = (channel, address)
    return names
