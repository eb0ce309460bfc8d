"""Flows and channels for tests of the engine: the flows say little, the channels do what a test tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

from oscar.core.loading import get_model

from oscar_crosschannel import After, Blueprint, Context, On, Run, send
from oscar_crosschannel.channels.base import Channel, Pace
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import Content, Outbound, Receipt
from oscar_crosschannel.models import Copy
from oscar_crosschannel.services.plans import load_plans
from tests.factories import registered

Benefit, Condition = get_model("offer", "Benefit"), get_model("offer", "Condition")
ConditionalOffer, Range = get_model("offer", "ConditionalOffer"), get_model("offer", "Range")


class Post(Channel):
    """A provider that takes everything, or answers as `answer` says."""

    parts = frozenset({"text"})

    def __init__(self) -> None:
        self.calls: list[Outbound] = []
        self.answer: Callable[[Outbound], Receipt] = lambda outbound: Receipt(provider="post")
        self.per_second: float | None = None
        self.costs: Callable[[Content], int] = lambda content: 1

    def compose(self, words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        return Content(text=words["text"])

    def send(self, outbound: Outbound) -> Receipt:
        self.calls.append(outbound)
        return self.answer(outbound)

    def pace(self) -> Pace | None:
        return Pace(sender=self.key, per_second=self.per_second) if self.per_second else None

    def units(self, content: Content) -> int:
        return self.costs(content)

    @property
    def reached(self) -> list[str]:
        """The addresses of all calls, in order."""
        return [outbound.recipient.address for outbound in self.calls]

    def fail(self, error: Exception) -> None:
        """From now on every call raises `error`."""

        def answer(outbound: Outbound) -> Receipt:
            raise error

        self.answer = answer

    def work(self) -> None:
        """From now on every call succeeds."""
        self.answer = lambda outbound: Receipt(provider="post")


class Letters(Post):
    key = "email"


class Wires(Post):
    key = "sms"


CHANNELS = {"email": "tests.services.stage.letters", "sms": "tests.services.stage.wires"}


@cache
def letters() -> Letters:
    """The one email provider; the app makes its channels anew whenever a setting changes."""
    return Letters()


@cache
def wires() -> Wires:
    """The one provider of texts."""
    return Wires()


@registered
class Pair(Blueprint):
    """An email, and a day later a text"""

    topic = "basket_reminders"
    start = On("pair.began", one_run=True, again_after=timedelta(days=7))
    stops = (On("order.placed"),)

    first = send("email", at=After(hours=1))
    second = send("sms", at=After(hours=24), expires=After(hours=48))


@registered
class Letter(Blueprint):
    """One email"""

    topic = "basket_reminders"
    start = On("letter.began")

    only = send("email", at=After(hours=1))


@registered
class Text(Blueprint):
    """One text"""

    topic = "basket_reminders"
    start = On("text.began")

    only = send("sms", at=After(hours=1), expires=After(hours=20))


@registered
class Question(Blueprint):
    """A text that somebody asked for"""

    topic = "questions"
    start = On("question.began")

    only = send("sms", at=After(hours=1), expires=After(hours=20))


@registered
class Either(Blueprint):
    """One message by text, else by email"""

    topic = "basket_reminders"
    start = On("either.began")

    only = send("sms", "email", at=After(hours=1))


@registered
class Coupon(Blueprint):
    """One email with a code"""

    topic = "basket_reminders"
    start = On("coupon.began")
    stops = (On("order.placed"),)

    only = send("email", at=After(hours=1), voucher=True)


@registered
class Notice(Blueprint):
    """A word about an order; no cap, no hours, no consent"""

    topic = "order_updates"
    start = On("notice.began")
    priority = 10

    only = send("email", at=After(hours=1))


@registered
class Asked(Blueprint):
    """A flow whose context is what a test makes it"""

    topic = "order_updates"
    start = On("asked.began")

    first = send("email", at=After(hours=1))
    second = send("email", at=After(hours=24))

    answer: ClassVar[Callable[[Run], Context]] = staticmethod(lambda run: Context())
    wants: ClassVar[Callable[[Run], bool]] = staticmethod(lambda run: True)

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: self.answer(run) for run in runs}

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        return {run.message_id for run in runs if self.wants(run)}


def write_words(
    *blueprints: type[Blueprint], text: str = "{{ brand }}: hello {{ name }} {{ voucher.code }}"
) -> None:
    """The merchant's words for every step of these flows, on every channel."""
    keys = {blueprint.key for blueprint in blueprints}
    Copy.objects.bulk_create(
        Copy(
            flow_id=planned.flow_id,
            step_key=step.key,
            channel=channel,
            language="en",
            subject="Hello",
            text=text,
        )
        for planned in load_plans()
        if planned.plan.key in keys
        for step in planned.plan.steps
        for channel in step.channels
    )


def make_offer(name: str = "Come back: 10 % off") -> Any:
    """The shop's voucher offer that codes give."""
    everything = Range.objects.create(name=f"Everything for {name}", includes_all_products=True)
    return ConditionalOffer.objects.create(
        name=name,
        offer_type=ConditionalOffer.VOUCHER,
        condition=Condition.objects.create(range=everything, type=Condition.COUNT, value=1),
        benefit=Benefit.objects.create(range=everything, type=Benefit.PERCENTAGE, value=10),
    )
