"""Contacts and messages as Hypothesis draws them: whole situations, not only likely ones."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from oscar_crosschannel.core.facts import (
    EMAIL,
    SMS,
    Answer,
    Basis,
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
from oscar_crosschannel.core.timing import DayHours, Hours, WeekRule
from tests.core.values import texting_hours, utc

CHANNELS = (SMS, EMAIL)
TOPICS = ("deals", "events")
INTENTS = ("spring sale", "cart", "welcome", "newsletter")

#: Ordinary days, and the nights in which American clocks change.
NOWS = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from([utc(2026, 6, 10), utc(2026, 6, 14), utc(2026, 3, 8), utc(2026, 11, 1)]),
    st.integers(0, 24 * 60),
)

_NIGHT_SHIFT = WeekRule("night shift", (DayHours(time(22), time(6)),) * 6 + (None,))
HOURS = st.sampled_from(
    [
        texting_hours(zone="America/New_York", country="US"),
        texting_hours(phone="+18505550123"),
        texting_hours(country="US"),
        texting_hours(country="US", region="AL"),
        texting_hours(country="US", region="RI"),
        texting_hours(zone="America/St_Johns", country="CA"),
        texting_hours(country="IN"),
        texting_hours(country="FR"),
        Hours(("America/New_York",), (_NIGHT_SHIFT,)),
        Hours((), ()),
    ]
)


def spans(most: timedelta) -> st.SearchStrategy[timedelta]:
    return st.integers(0, int(most.total_seconds() // 60)).map(lambda minutes: timedelta(minutes=minutes))


def often(usual: Any, *rare: Any) -> list[Any]:
    """For `sampled_from`: the usual two times of three. Else all properties would only see refusals."""
    return [usual] * (2 * len(rare)) + list(rare)


CAPS = st.just(DEFAULT_CAPS) | st.lists(
    st.builds(
        Cap,
        name=st.just("drawn"),
        most=st.integers(0, 3),
        window=spans(timedelta(days=3)).filter(bool),
        channels=st.sampled_from([frozenset(), frozenset({SMS}), frozenset({EMAIL})]),
        topics=st.sampled_from(often(frozenset(), frozenset({TOPICS[0]}))),
        campaigns_only=st.booleans(),
        other_intents_only=st.booleans(),
        legal=st.booleans(),
    ),
    max_size=4,
).map(tuple)


def minutes_after(start: datetime, most: timedelta) -> st.SearchStrategy[datetime]:
    return spans(most).map(lambda span: start + span)


_ANSWERS = often(Answer.GRANTED, Answer.PENDING, Answer.REVOKED, None)
_BLOCKS = often(None, None, None, *Block)
_KINDS = [
    {"purpose": purpose, "same_contact": same_contact, "campaign": campaign, "offers_voucher": voucher}
    for purpose in often(Purpose.MARKETING, *Purpose)
    for same_contact in often(True, False)
    for campaign in (False, True)
    for voucher in often(False, True)
]
_BLEMISHES = often(
    {},
    {"wanted": False},
    {"condition_met": False},
    {"held_out": True},
    {"excluded": frozenset({SMS})},
    {"excluded": frozenset({EMAIL})},
    {"offers_voucher": True},
    {"minimum_age": 18},
)


@st.composite
def _points(draw: st.DrawFn, now: datetime, channel: str) -> PointFacts:
    end = st.none() | minutes_after(now - timedelta(hours=4), timedelta(days=3))
    answers = {topic: draw(st.sampled_from(_ANSWERS)) for topic in TOPICS}
    return PointFacts(
        id=1 + CHANNELS.index(channel),
        address=channel,
        digest=f"mine-{channel}",
        consents={
            topic: ConsentFacts(
                answer=answer,
                until=draw(end),
                basis=draw(st.sampled_from(often(Basis.EXPRESS_WRITTEN, *Basis))),
                proven_age=draw(st.sampled_from([None, 17, 21])),
            )
            for topic, answer in answers.items()
            if answer
        },
        blocked=draw(st.sampled_from(_BLOCKS)),
    )


@st.composite
def _sent(draw: st.DrawFn, now: datetime) -> Sent:
    channel = draw(st.sampled_from(CHANNELS))
    return Sent(
        at=now - draw(spans(timedelta(days=5))),
        channel=channel,
        intent=draw(st.sampled_from(INTENTS)),
        topic=draw(st.sampled_from(TOPICS)),
        digest=f"mine-{channel}",
        **draw(st.sampled_from(_KINDS)),
    )


@st.composite
def _reserved(draw: st.DrawFn, now: datetime) -> Reserved:
    return Reserved(
        id=draw(st.integers(1000, 1009)),
        due_at=draw(minutes_after(now - timedelta(hours=2), timedelta(hours=40))),
        priority=draw(st.integers(0, 5)),
        channels=draw(st.sampled_from([(), (SMS,), (EMAIL,), (SMS, EMAIL)])),
        intent="more important",
        topic=draw(st.sampled_from(TOPICS)),
        purpose=draw(st.sampled_from(often(Purpose.MARKETING, Purpose.CRITICAL))),
        campaign=draw(st.booleans()),
    )


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    """A contact with a past, plans and addresses, at some instant."""
    now = draw(NOWS)
    reachable = draw(st.sampled_from(often((SMS, EMAIL), (SMS,), (EMAIL,))))
    closings = st.dictionaries(
        st.sampled_from(CHANNELS), minutes_after(now - timedelta(hours=1), timedelta(days=1))
    )
    return Facts(
        now=now,
        points={channel: draw(_points(now, channel)) for channel in reachable},
        primary_channel=draw(st.sampled_from(["", SMS, EMAIL, "pigeon"])),
        hours=draw(st.dictionaries(st.sampled_from(CHANNELS), HOURS)),
        caps=draw(CAPS),
        sent=tuple(draw(st.lists(_sent(now), max_size=6))),
        reserved=tuple(draw(st.lists(_reserved(now), max_size=2))),
        closed=draw(st.just({}) | closings),
        bases=draw(st.sampled_from([{}, {SMS: frozenset({Basis.EXPRESS_WRITTEN})}])),
        paused_until=draw(st.sampled_from(often(None, now, now + timedelta(days=2)))),
        guarded=draw(st.sampled_from(often(frozenset(), frozenset({EMAIL})))),
    )


@st.composite
def candidates(draw: st.DrawFn, now: datetime) -> Candidate:
    """A message that is due."""
    return Candidate(
        id=1,
        contact_id=1,
        topic=draw(st.sampled_from(TOPICS)),
        purpose=draw(st.sampled_from(often(Purpose.MARKETING, *Purpose))),
        intent=draw(st.sampled_from(often("its own", INTENTS[0]))),
        channels=draw(st.sampled_from([(SMS,), (EMAIL,), (SMS, EMAIL), (EMAIL, SMS)])),
        priority=draw(st.integers(0, 5)),
        due_at=now,
        expires_at=now + timedelta(days=draw(st.integers(0, 9)), minutes=draw(st.integers(1, 600))),
        patience=draw(st.just(timedelta(0)) | spans(timedelta(hours=12))),
        campaign=draw(st.booleans()),
        any_hour=draw(st.booleans()),
        **draw(st.sampled_from(_BLEMISHES)),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Candidate, Facts]:
    """A candidate and what is known of its contact."""
    facts = draw(situations())
    return draw(candidates(facts.now)), facts
