"""A random life, as Hypothesis draws it: what happens next, and to whom."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .cast import ADDRESSES, ANN, BEGINNINGS, BOB, CHOSEN_ZONES, CY, EVERYBODY, PHONES, Address
from .provider import Mood
from .world import LEAVING, REPORTS, WORDS, Things, World

_who, _phone, _channel = (
    st.sampled_from(EVERYBODY),
    st.sampled_from(PHONES),
    st.sampled_from(["email", "sms"]),
)
_hours = st.sampled_from([1, 2, 5, 13, 25, 49])
_minutes = st.sampled_from([1, 4, 6, 40, 200, 3 * 24 * 60])
_topic = st.sampled_from(["", "weekly_deals", "basket_reminders"])


class Life(RuleBasedStateMachine):
    """Fifty things happen, in any order. After each, nobody may have been wronged."""

    seen: ClassVar[Counter[str]]
    traveller: ClassVar[Any]
    things: ClassVar[Things]
    settings: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self._life = transaction.atomic()
        self._life.__enter__()
        self.world = World(self.seen, self.traveller, self.things)
        self.seen["lives"] += 1

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._life.__exit__(None, None, None)

    @initialize(at=st.sampled_from(BEGINNINGS), confirm_emails=st.booleans(), known=st.integers(0, 3))
    def begin(self, at: datetime, confirm_emails: bool, known: int) -> None:
        """So many of them have agreed to everything before."""
        self.settings.CROSSCHANNEL_DOUBLE_OPT_IN = {"sms": True, "email": confirm_emails}
        self.world.begin(at, confirm_emails=confirm_emails)
        for who, phone in list(zip(EVERYBODY, PHONES, strict=True))[:known]:
            self.sign_up_and_confirm(who=who, phone=phone)

    @invariant()
    def nobody_was_wronged(self) -> None:
        self.seen["steps"] += 1
        assert not self.world.witness.broken, "\n".join(self.world.witness.broken)
        self.world.pass_time(timedelta(seconds=1))

    # People

    @rule(who=_who, phone=_phone)
    def sign_up_and_confirm(self, who: str, phone: str) -> None:
        self.world.tick_box(who, "email", phone)
        self.world.tick_box(who, "sms", phone)
        self.world.tick()
        self.world.pass_time(timedelta(minutes=1))
        self.world.press_confirm(who)
        self.world.text(phone, "YES")

    @rule(who=_who, channel=_channel, phone=_phone, as_guest=st.booleans())
    def tick_box(self, who: str, channel: str, phone: str, as_guest: bool) -> None:
        self.world.tick_box(who, channel, phone, as_guest=as_guest)

    @rule(who=_who, channel=_channel)
    def press_confirm(self, who: str, channel: str) -> None:
        self.world.press_confirm(who, channel)

    @rule(phone=_phone, words=st.sampled_from(WORDS))
    def text(self, phone: str, words: str) -> None:
        self.world.text(phone, words)

    @rule(how=st.sampled_from(LEAVING), who=_who, phone=_phone, topic=_topic)
    def leave(self, how: str, who: str, phone: str, topic: str) -> None:
        self.world.leave(how, who, phone, topic)

    @rule(who=_who, phone=st.just("") | _phone)
    def browse(self, who: str, phone: str) -> None:
        self.world.browse(who, phone)

    @rule(who=_who, by=st.sampled_from(["account", "email", "phone"]), phone=_phone)
    def buy(self, who: str, by: str, phone: str) -> None:
        self.world.buy(who, by=by, phone=phone)

    @rule(who=_who, address=st.sampled_from(ADDRESSES))
    def move(self, who: str, address: Address) -> None:
        self.world.move(who, address)

    @rule(
        who=_who,
        zone=st.sampled_from(CHOSEN_ZONES),
        primary=st.sampled_from(["", "email", "sms"]),
        fewer=st.sampled_from([False, False, True]),
        pause=st.sampled_from([0, 0, 0, 0, 2, 30]),
    )
    def choose(self, who: str, zone: str, primary: str, fewer: bool, pause: int) -> None:
        self.world.choose(who, zone=zone, primary=primary, fewer=fewer, pause=timedelta(days=pause))

    @rule(who=st.sampled_from([BOB, CY]), is_ann=st.booleans())
    def make_an_account(self, who: str, is_ann: bool) -> None:
        """A guest's own; or it turns out that the guest was Ann."""
        if is_ann:
            self.world.change_email(ANN, who)
        else:
            self.world.register(who)

    @rule(who=_who, really=st.sampled_from([True, False]))
    def ask_to_be_forgotten(self, who: str, really: bool) -> None:
        if really:
            self.world.erase(who)

    # The shop

    @rule(event=st.sampled_from(["lives.deals", "lives.sale"]))
    def announce(self, event: str) -> None:
        self.world.announce(event)

    @rule(sale=st.booleans())
    def campaign(self, sale: bool) -> None:
        self.world.campaign(sale=sale)

    @rule(
        act=st.sampled_from(["suppress", "lift", "read", "go on"]),
        who=_who,
        phone=_phone,
        channel=_channel,
    )
    def staff(self, act: str, who: str, phone: str, channel: str) -> None:
        address = who if channel == "email" else phone
        match act:
            case "suppress":
                self.world.suppress(channel, address)
            case "lift":
                self.world.lift(channel, address)
            case "read":
                self.world.read_doubts()
            case _:
                self.world.end_guards()

    # Providers

    @rule(channel=_channel, mood=st.sampled_from([mood for mood in Mood if mood is not Mood.FINE]), who=_who)
    def upset(self, channel: str, mood: Mood, who: str) -> None:
        """The next call of a channel ends otherwise; and there is something to call about."""
        self.world.upset(channel, mood)
        self.world.send_a_parcel(who)

    @rule(
        status=st.sampled_from(REPORTS),
        newest=st.integers(1, 3),
        code=st.sampled_from(["", "21610", "30006"]),
        twice=st.booleans(),
    )
    def report(self, status: str, newest: int, code: str, twice: bool) -> None:
        self.world.report(status, newest=newest, code=code, twice=twice)

    @rule(kind=st.sampled_from(["bounced", "complained", "unsubscribed"]), newest=st.integers(1, 3))
    def complain(self, kind: str, newest: int) -> None:
        self.world.complain(kind, newest=newest)

    # Workers and time

    @rule(hours=_hours)
    def wait(self, hours: int) -> None:
        self.world.wait(timedelta(hours=hours))

    @rule(hours=_hours)
    def announce_and_wait(self, hours: int) -> None:
        self.world.announce("lives.deals")
        self.world.wait(timedelta(hours=hours))

    @rule(who=_who, phone=_phone)
    def leave_a_basket(self, who: str, phone: str) -> None:
        self.world.browse(who, phone)
        self.world.wait(timedelta(hours=2))

    @rule(minutes=_minutes)
    def stand_still(self, minutes: int) -> None:
        """The whole engine is down."""
        self.world.pass_time(timedelta(minutes=minutes))

    @rule(worker=st.integers(0, 1), steps=st.integers(1, 4))
    def work(self, worker: int, steps: int) -> None:
        """One of two workers goes on from where it stopped: judging, handing over, calling, recording."""
        for _ in range(steps):
            self.world.go_on(self.world.workers[worker])

    @rule(worker=st.integers(0, 1))
    def die(self, worker: int) -> None:
        self.world.die(self.world.workers[worker])
