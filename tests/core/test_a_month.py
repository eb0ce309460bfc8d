"""A month of one contact, simulated: whatever is planned, no rolling cap ever breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from oscar_crosschannel.core.decision import Drop, Send, Wait, decide_together
from oscar_crosschannel.core.facts import EMAIL, SMS, Candidate, Cap, Facts, Purpose, Reserved, Sent
from oscar_crosschannel.core.policies import DEFAULT_CAPS, fewer
from tests.core.drawing import spans
from tests.core.values import DAY, HOUR, facts, texting_hours, utc

#: The clocks change on 8 March.
BEGIN = utc(2026, 2, 20)
HOURS = {SMS: texting_hours(zone="America/New_York", country="US", region="FL")}


@dataclass
class Ledger:
    """What was sent, in order, and how the engine would judge the rest: batch after batch of what is due."""

    planned: dict[int, Candidate]
    known: Facts
    gone: list[Sent] = field(default_factory=list)  #: this contact's, in the order of sending

    def run(self, batch_sizes: Sequence[int], delays: Sequence[timedelta]) -> None:
        """Until nothing is planned; the engine is late by `delays`, and takes at most so many at once."""
        tick = 0
        while self.planned:
            first_due = min(each.due_at for each in self.planned.values())
            now = max(self.known.now, first_due + delays[tick % len(delays)])
            self._judge(now, batch_sizes[tick % len(batch_sizes)])
            tick += 1
            assert tick < 2_000, "it goes round in circles"

    def _judge(self, now: datetime, size: int) -> None:
        due = sorted(
            (each for each in self.planned.values() if each.due_at <= now), key=lambda each: each.due_at
        )
        soon = [each for each in self.planned.values() if each.due_at <= now + DAY]
        self.known = replace(self.known, now=now, reserved=tuple(map(_reserved, soon)))
        decisions = decide_together(due[:size], self._facts())
        for each in sorted(due[:size], key=lambda each: (each.priority, each.due_at, each.id)):
            match decisions[each.id]:
                case Send(channel=channel):
                    self.gone.append(_sent(each, channel, now))
                    del self.planned[each.id]
                case Drop():
                    del self.planned[each.id]
                case Wait(until=until):
                    assert until > now
                    self.planned[each.id] = replace(each, due_at=until)

    def _facts(self) -> Facts:
        past = tuple(each for each in self.known.sent if each.at <= self.known.now)
        return replace(self.known, sent=(*past, *self.gone))


def _reserved(planned: Candidate) -> Reserved:
    return Reserved(
        id=planned.id,
        due_at=planned.due_at,
        priority=planned.priority,
        channels=planned.channels,
        intent=planned.intent,
        topic=planned.topic,
        purpose=planned.purpose,
        campaign=planned.campaign,
    )


def _sent(candidate: Candidate, channel: str, at: datetime) -> Sent:
    return Sent(
        at=at,
        channel=channel,
        purpose=candidate.purpose,
        intent=candidate.intent,
        topic=candidate.topic,
        campaign=candidate.campaign,
        offers_voucher=candidate.offers_voucher,
        digest=f"alice-{channel}",
    )


def broken(cap: Cap, gone: Sequence[Sent], others: Sequence[Sent]) -> list[Sent]:
    """The messages that went out although the cap was full: the rule written down once more, plainly."""
    return [
        sent
        for place, sent in enumerate(gone)
        if _is_bound(cap, sent)
        and sum(_takes_room(cap, earlier, sent) for earlier in (*gone[:place], *others)) >= cap.most
    ]


def _is_bound(cap: Cap, sent: Sent) -> bool:
    bound = {Purpose.MARKETING, Purpose.REQUESTED} if cap.legal else {Purpose.MARKETING}
    return (
        sent.purpose in bound
        and sent.channel in (cap.channels or {SMS, EMAIL})
        and (not cap.topics or sent.topic in cap.topics)
        and sent.campaign >= cap.campaigns_only
    )


def _takes_room(cap: Cap, earlier: Sent, sent: Sent) -> bool:
    in_window = sent.at - cap.window < earlier.at <= sent.at
    on_channel = earlier.channel in (cap.channels or {SMS, EMAIL}) and (
        not cap.topics or earlier.topic in cap.topics
    )
    if cap.legal:
        return in_window and on_channel and earlier.digest == sent.digest
    of_kind = earlier.purpose is Purpose.MARKETING and earlier.campaign >= cap.campaigns_only
    of_intent = earlier.intent != sent.intent or not cap.other_intents_only
    is_there = earlier.channel == sent.channel == SMS and earlier.digest == sent.digest
    return in_window and on_channel and of_kind and of_intent and (earlier.same_contact or is_there)


@st.composite
def months(draw: st.DrawFn) -> Ledger:
    planned = {}
    for number in range(draw(st.integers(1, 25))):
        due = BEGIN + draw(spans(25 * DAY))
        planned[number] = Candidate(
            id=number,
            contact_id=1,
            topic=draw(st.sampled_from(["deals", "news"])),
            purpose=draw(
                st.sampled_from([Purpose.MARKETING] * 5 + [Purpose.REQUESTED, Purpose.TRANSACTIONAL])
            ),
            intent=f"intent {number}",
            channels=draw(st.sampled_from([(SMS,), (EMAIL,), (SMS, EMAIL), (EMAIL, SMS)])),
            priority=draw(st.integers(0, 3)),
            due_at=due,
            expires_at=due + draw(spans(6 * DAY)),
            patience=draw(st.sampled_from([timedelta(0), 6 * HOUR])),
            campaign=draw(st.booleans()),
        )
    others = tuple(
        Sent(
            at=BEGIN + draw(spans(30 * DAY)),
            channel=SMS,
            purpose=Purpose.MARKETING,
            intent="somebody else's",
            same_contact=False,
            digest=f"alice-{SMS}",
        )
        for _ in range(draw(st.integers(0, 6)))
    )
    return Ledger(planned, facts(now=BEGIN, hours=HOURS, caps=draw(CAPS), sent=others))


CAPS = st.sampled_from([DEFAULT_CAPS, fewer(DEFAULT_CAPS)]) | st.just(
    (
        Cap(name="two texts in three days", most=2, window=3 * DAY, channels=frozenset({SMS})),
        Cap(name="one message a day", most=1, window=DAY),
        Cap(name="one news in three days", most=1, window=3 * DAY, topics=frozenset({"news"})),
        Cap(name="one campaign in two days", most=1, window=2 * DAY, campaigns_only=True),
        Cap(name="two texts a day by law", most=2, window=DAY, channels=frozenset({SMS}), legal=True),
    )
)


@pytest.mark.rule(37, 77)
@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    months(),
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.lists(
        st.sampled_from([timedelta(0), timedelta(seconds=30), 5 * HOUR, 3 * DAY]), min_size=1, max_size=4
    ),
)
def test_no_sequence_of_sends_breaks_a_rolling_cap(
    month: Ledger, batch_sizes: list[int], delays: list[timedelta]
) -> None:
    month.run(batch_sizes, delays)
    for cap in month.known.caps:
        assert broken(cap, month.gone, month.known.sent) == [], cap.name
    for sent in month.gone:
        if sent.channel == SMS and sent.purpose is not Purpose.TRANSACTIONAL:
            assert HOURS[SMS].opens(sent.at) == sent.at


def test_a_full_month_sends_what_the_caps_leave_room_for() -> None:
    """The simulation does send: ten newsletters in ten days become four emails a week at most."""
    planned = {
        number: Candidate(
            id=number,
            contact_id=1,
            topic="deals",
            purpose=Purpose.MARKETING,
            intent=f"news {number}",
            channels=(EMAIL,),
            priority=50,
            due_at=BEGIN + number * DAY,
            expires_at=BEGIN + number * DAY + 20 * HOUR,
        )
        for number in range(10)
    }
    month = Ledger(planned, facts(now=BEGIN, caps=DEFAULT_CAPS))
    month.run([3], [timedelta(0)])
    assert [sent.intent for sent in month.gone] == [f"news {number}" for number in (0, 1, 2, 3, 7, 8, 9)]
    assert broken(replace(DEFAULT_CAPS[0], most=3), month.gone, ()), "the plain rule does find a breach"
