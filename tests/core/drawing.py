"""Contacts and messages as Hypothesis draws them: whole situations, not only likely ones."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from hypothesis import strategies as st

from oscar_crosschannel.core.facts import (
    EMAIL,
    SMS,
    Answer,
    Block,
    Candidate,
    Cap,
    ConsentFacts,
    Facts,
    PointFacts,
    Purpose,
    Reserved,
    Sent,
)
from oscar_crosschannel.core.policies import DEFAULT_CAPS
from oscar_crosschannel.core.timing import DayHours, Hours, WeekRule, hours_for
from tests.core.values import BOOK, utc

CHANNELS = (SMS, EMAIL)
TOPICS = ("deals", "events")
INTENTS = ("spring sale", "cart", "welcome", "newsletter")

MINUTES = st.integers(0, 60 * 24)
#: Ordinary days, and the nights in which American clocks change.
NOWS = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from([utc(2026, 6, 10), utc(2026, 6, 14), utc(2026, 3, 8), utc(2026, 11, 1)]),
    MINUTES,
)

_NIGHT_SHIFT = WeekRule("night shift", (DayHours(time(22), time(6)),) * 6 + (None,))
HOURS = st.sampled_from(
    [
        hours_for(rules=BOOK, zone="America/New_York", country="US"),
        hours_for(rules=BOOK, candidate_zones=("America/New_York", "America/Chicago"), country="US"),
        hours_for(rules=BOOK, country="US"),
        hours_for(rules=BOOK, zone="America/Chicago", country="US", region="AL"),
        hours_for(rules=BOOK, zone="America/New_York", country="US", region="RI"),
        hours_for(rules=BOOK, zone="America/St_Johns", country="CA"),
        hours_for(rules=BOOK, zone="Asia/Kolkata", country="IN"),
        hours_for(rules=BOOK, zone="Europe/Paris", country="FR"),
        Hours(("America/New_York",), (_NIGHT_SHIFT,)),
        Hours((), ()),
    ]
)


def spans(most: timedelta) -> st.SearchStrategy[timedelta]:
    return st.integers(0, int(most.total_seconds() // 60)).map(lambda minutes: timedelta(minutes=minutes))


CAPS = st.just(DEFAULT_CAPS) | st.lists(
    st.builds(
        Cap,
        name=st.just("drawn"),
        most=st.integers(0, 3),
        window=spans(timedelta(days=3)).filter(bool),
        channels=st.sampled_from([frozenset(), frozenset({SMS}), frozenset({EMAIL})]),
        campaigns_only=st.booleans(),
        other_intents_only=st.booleans(),
        legal=st.booleans(),
    ),
    max_size=4,
).map(tuple)


@st.composite
def consents(draw: st.DrawFn, now: datetime) -> dict[str, ConsentFacts]:
    ends = st.none() | spans(timedelta(days=4)).map(lambda after: now - timedelta(days=1) + after)
    answers = st.builds(ConsentFacts, answer=st.sampled_from([Answer.GRANTED, *Answer]), until=ends)
    return draw(st.dictionaries(st.sampled_from(TOPICS), answers))


@st.composite
def points(draw: st.DrawFn, now: datetime) -> dict[str, PointFacts]:
    present = draw(st.sampled_from([(SMS, EMAIL), (SMS, EMAIL), (SMS,), (EMAIL,), ()]))
    return {
        channel: PointFacts(
            id=1 + CHANNELS.index(channel),
            address=channel,
            digest=f"mine-{channel}",
            consents=draw(consents(now)),
            blocked=draw(st.sampled_from([None, None, None, *Block])),
        )
        for channel in present
    }


@st.composite
def histories(draw: st.DrawFn, now: datetime) -> tuple[Sent, ...]:
    channels = draw(st.lists(st.sampled_from(CHANNELS), max_size=6))
    return tuple(
        Sent(
            at=now - draw(spans(timedelta(days=5))),
            channel=channel,
            purpose=draw(st.sampled_from(Purpose)),
            intent=draw(st.sampled_from(INTENTS)),
            campaign=draw(st.booleans()),
            offers_voucher=draw(st.booleans()),
            same_contact=draw(st.booleans()),
            digest=f"mine-{channel}",
        )
        for channel in channels
    )


@st.composite
def plans_of_others(draw: st.DrawFn, now: datetime) -> tuple[Reserved, ...]:
    return tuple(
        Reserved(
            id=1000 + number,
            due_at=now - timedelta(hours=2) + draw(spans(timedelta(hours=40))),
            priority=draw(st.integers(0, 5)),
            channels=draw(st.sampled_from([(), (SMS,), (EMAIL,), (SMS, EMAIL)])),
            intent=draw(st.sampled_from(INTENTS)),
            purpose=draw(st.sampled_from(Purpose)),
            campaign=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, 3)))
    )


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    """A contact with a past, plans and addresses, at some instant."""
    now = draw(NOWS)
    closings = spans(timedelta(days=1)).map(lambda after: now - timedelta(hours=1) + after)
    return Facts(
        now=now,
        points=draw(points(now)),
        primary_channel=draw(st.sampled_from(["", SMS, EMAIL, "pigeon"])),
        hours=draw(st.dictionaries(st.sampled_from(CHANNELS), HOURS)),
        caps=draw(CAPS),
        sent=draw(histories(now)),
        reserved=draw(plans_of_others(now)),
        closed=draw(st.dictionaries(st.sampled_from(CHANNELS), closings)),
    )


@st.composite
def candidates(draw: st.DrawFn, now: datetime, *, number: int = 1) -> Candidate:
    """A message that is due at `now` or was before."""
    return Candidate(
        id=number,
        contact_id=1,
        topic=draw(st.sampled_from(TOPICS)),
        purpose=draw(st.sampled_from([Purpose.MARKETING, *Purpose])),
        intent=draw(st.sampled_from([*INTENTS, f"own {number}"])),
        channels=draw(st.sampled_from([(SMS,), (EMAIL,), (SMS, EMAIL), (EMAIL, SMS)])),
        priority=draw(st.integers(0, 5)),
        due_at=now - draw(spans(timedelta(hours=6))),
        expires_at=now - timedelta(minutes=5) + draw(spans(timedelta(days=5))),
        patience=draw(st.just(timedelta(0)) | spans(timedelta(hours=12))),
        campaign=draw(st.booleans()),
        any_hour=draw(st.booleans()),
        offers_voucher=draw(st.booleans()),
        wanted=draw(st.sampled_from([True, True, True, False])),
        condition_met=draw(st.sampled_from([True, True, True, False])),
        held_out=draw(st.sampled_from([False, False, False, True])),
        excluded=draw(st.sampled_from([frozenset(), frozenset(), frozenset({SMS}), frozenset({EMAIL})])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Candidate, Facts]:
    """A candidate and what is known of its contact."""
    facts = draw(situations())
    return draw(candidates(facts.now)), facts
