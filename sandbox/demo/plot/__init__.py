"""The plot: one timeline, in which every thread has its acts; and what must be true of it in the end.

A thread is a file: what people do there, then the statements about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..stage import Act, Stage
from ..verdict import Statement
from . import account, basket, everybody, growth, parcels, returning, tasting, welcome

#: The shop's own clock, an hour behind itself before 8 March.
CLOCK = ZoneInfo("America/New_York")
#: 10:00 in Seattle, 17:00 in York, 18:00 in Leipzig, 22:30 in Kolkata, 4:00 the next morning in Sydney.
BEGIN = datetime(2026, 3, 10, 13, 0, tzinfo=CLOCK)
END = BEGIN + timedelta(days=14)
#: The shop opens for this story an hour before Clara's last order.
OPENING = BEGIN - timedelta(days=89, hours=2)


@dataclass(frozen=True, slots=True)
class Scene:
    """What people do on one day: at what time in the shop, who (a field of `Cast`), what."""

    title: str
    days: int  #: after the first of the two weeks
    acts: Sequence[tuple[str, str, Act]]

    def at(self, time: str) -> datetime:
        """A time of this day."""
        hours, minutes = map(int, time.split(":"))
        return BEGIN.replace(hour=hours, minute=minutes) + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Story:
    """What is played, until when, and what must be true of it then."""

    scenes: Sequence[Scene]
    end: datetime
    statements: Sequence[Statement]

    def play(self, stage: Stage) -> None:
        """The whole story."""
        for scene in self.scenes:
            for time, name, act in scene.acts:
                _wait(stage, scene.at(time))
                who = getattr(stage.cast, name)
                stage.play(who, act)
                stage.settle()
        _wait(stage, self.end)


SCENES = [
    Scene("three months before", -89, [("12:00", "clara", returning.buys)]),
    Scene("twelve days before", -12, [("12:00", "alice", welcome.buys_oolong)]),
    Scene(
        "They come, they agree or do not, and most leave",
        0,
        [
            ("13:00", "ada", basket.leaves_as_a_guest),
            ("13:00", "ada", basket.answers_yes),
            ("13:02", "una", basket.leaves_as_a_guest),
            ("13:04", "elodie", welcome.registers),
            ("13:06", "ben", growth.registers_and_leaves),
            ("13:08", "clara", returning.agrees_to_both),
            ("13:10", "clara", returning.confirms_by_link),
            ("13:12", "alice", welcome.asks_to_be_asked),
            ("13:14", "alice", basket.leaves_as_a_customer),
            ("13:16", "dev", basket.leaves_as_a_customer),
            ("13:18", "finn", basket.leaves_as_a_customer),
            ("13:40", "ben", growth.comes_back_and_orders),
            ("14:15", "ada", basket.has_a_mailbox_that_scans),
            ("14:40", "una", basket.presses_unsubscribe),
            ("15:30", "mara", growth.invites_sooner),
            ("17:00", "ada", basket.clicks_and_does_not_buy),
            ("18:00", "alice", basket.orders_as_a_stranger),
        ],
    ),
    Scene(
        "A day later: stories by email, the code by text",
        1,
        [("14:30", "dev", basket.sleeps), ("20:00", "ada", basket.comes_back_on_another_device)],
    ),
    Scene(
        "Parcels, and what people think",
        2,
        [
            ("02:00", "dev", basket.says_stop),
            ("02:30", "dev", basket.orders_all_the_same),
            ("13:00", "mara", parcels.breaks_the_cup),
            ("13:30", "ben", growth.joins_by_text),
            ("14:00", "alice", welcome.writes_a_review),
            ("15:00", "mara", welcome.approves_the_review),
            ("16:00", "mara", parcels.sends_the_teas),
            ("17:00", "ada", parcels.follows_the_parcel),
        ],
    ),
    Scene(
        "The email quotes what Alice wrote",
        3,
        [
            ("14:00", "ben", growth.looks_at_a_product),
            ("15:00", "clara", returning.asks_to_be_told),
            ("16:00", "mara", parcels.sends_the_cup),
        ],
    ),
    Scene("Looked at, not bought: a code", 4, [("15:00", "ben", growth.orders_what_he_looked_at)]),
    Scene(
        "Sunday in the storeroom",
        5,
        [
            ("11:00", "mara", returning.restocks),
            ("11:30", "mara", parcels.sends_devs_tea),
            ("12:00", "mara", parcels.hears_of_the_delivery),
            ("12:00", "mara", parcels.finds_no_oolong),
        ],
    ),
    Scene(
        "A tasting is announced",
        6,
        [
            ("10:00", "mara", tasting.plans_and_invites),
            ("11:00", "ada", tasting.books),
            ("17:00", "finn", tasting.books_without_being_invited),
        ],
    ),
    Scene(
        "A week after signing up: the code ends soon",
        7,
        [
            ("13:00", "mara", tasting.gives_adas_seat_back),
            ("17:00", "elodie", welcome.orders_with_the_first_code),
        ],
    ),
    Scene(
        "The tasting moves; Clara is won back",
        8,
        [("15:00", "mara", tasting.moves_it), ("16:00", "clara", returning.orders_with_her_code)],
    ),
    Scene(
        "Another link, and no evening",
        9,
        [("16:50", "mara", tasting.changes_the_link), ("16:50", "mara", tasting.calls_off_the_evening)],
    ),
    Scene("Ten minutes before it begins", 10, [("16:55", "ada", tasting.joins)]),
    Scene(
        "New baskets, old promises",
        11,
        [
            ("13:00", "dev", basket.comes_again_and_leaves),
            ("13:00", "una", basket.comes_again_and_leaves),
            ("13:00", "ben", basket.comes_again_and_leaves),
            ("18:00", "finn", account.changes_his_password),
            ("18:03", "finn", account.changes_his_address),
        ],
    ),
]

#: What each day is about.
TITLES = {scene.at("0:00").date(): scene.title for scene in SCENES}

STATEMENTS: Sequence[Statement] = [
    *everybody.FIRST,
    *basket.STATEMENTS,
    *welcome.STATEMENTS,
    *growth.STATEMENTS,
    *returning.STATEMENTS,
    *parcels.STATEMENTS,
    *tasting.STATEMENTS,
    *account.STATEMENTS,
    *everybody.STATEMENTS,
]

TWO_WEEKS = Story(SCENES, END, STATEMENTS)

#: Where something should fall due, by day and time: the engine is watched from shortly before.
_DUE = [
    *((0, time) for time in ("14:00", "14:20")),
    *((1, time) for time in ("13:00", "13:10", "17:00", "23:30")),
    *((2, time) for time in ("13:00", "13:10", "16:01")),
    *((3, time) for time in ("13:00", "13:10", "16:01")),
    *((4, time) for time in ("14:00",)),
    *((5, time) for time in ("11:01", "11:31", "12:01")),
    *((6, time) for time in ("10:01", "11:01", "17:01")),
    *((7, time) for time in ("13:00", "13:10")),
    *((8, time) for time in ("13:00", "15:01")),
    *((9, time) for time in ("16:50",)),
    *((10, time) for time in ("16:50",)),
    *((11, time) for time in ("14:00", "18:01")),
    *((12, time) for time in ("14:00",)),
]
_AROUND = [timedelta(minutes=minutes) for minutes in (-10, 1, 5, 35)]
#: Else the engine works every six hours: the clock jumps.
_STRIDE = timedelta(hours=6)


def _wait(stage: Stage, until: datetime) -> None:
    """Let time pass in steps, at each of which the engine gets to work."""
    now = stage.world.now()
    for tick in _ticks():
        if now < tick < until:
            stage.wait(tick)
    stage.wait(until)


def _ticks() -> list[datetime]:
    day = Scene("", 0, ())
    due = [day.at(time) + timedelta(days=days) for days, time in _DUE]
    strides = int((END - BEGIN) / _STRIDE)
    return sorted(
        {at + around for at in due for around in _AROUND}
        | {BEGIN + _STRIDE * each for each in range(strides)}
    )
