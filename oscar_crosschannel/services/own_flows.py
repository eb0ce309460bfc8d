"""Flows that merchants make themselves, and steps of their own in any flow: rows, and no code."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import slugify

from ..conf import triggers
from ..core.facts import Purpose
from ..core.plan import Plan
from ..core.registry import OWN
from ..core.triggers import Trigger
from ..models import Enrolment, Flow, FlowStep, Message, Topic
from . import flow_versions, topics
from .flow_versions import Outline

#: Room that a key leaves for a number behind it.
_LONGEST = 40


def starting() -> list[Trigger]:
    """What flows may begin with."""
    return [trigger for trigger in triggers if trigger.starts]


def stopping() -> list[Trigger]:
    """What flows may end with."""
    return [trigger for trigger in triggers if trigger.stops]


def topics_to_choose() -> QuerySet[Topic]:
    """What flows may be about, in the shopper's order, ready for `topics.words`.

    What is critical, and what only pages of the shop ask for, comes with code that knows when to say it.
    """
    reserved = [key for key, shipped in topics.SHIPPED.items() if not shipped.offered]
    return topics.in_order().exclude(key__in=reserved).exclude(purpose=Purpose.CRITICAL)


def fits(trigger: str, topic: str) -> bool:
    """Whether a flow that begins so may be about a topic: without a reason in what somebody ordered or asked
    for, its messages are marketing, which only a consent permits.
    """
    return not is_advertising(trigger) or Topic.objects.filter(key=topic, purpose=Purpose.MARKETING).exists()


def is_advertising(trigger: str) -> bool:
    """Whether nobody has ordered or asked for what follows this event."""
    known = triggers.get(trigger)
    return known is not None and not known.is_service


@transaction.atomic
def create(outline: Outline, trigger: str, *, author: int | None, now: datetime) -> Flow:
    """A flow that is off and has no steps. Raises ValueError for a trigger that starts none, or not this one."""
    if trigger not in {each.event for each in starting()}:
        raise ValueError(f"No flow begins with {trigger!r}.")
    # first, so that it is not made another kind of topic meanwhile
    Topic.objects.select_for_update(of=("self",), no_key=True).filter(key=outline.topic).first()
    if not fits(trigger, outline.topic):
        raise ValueError(f"What follows {trigger!r} is marketing, and {outline.topic!r} is not.")
    for word in _keys(outline.title, (), otherwise="flow"):
        key = f"{OWN}{word}"
        flow, created = Flow.objects.get_or_create(key=key, defaults={"enabled": False, "trigger": trigger})
        if created:
            outline.write(flow)
            flow.save()
            flow_versions.keep(flow, author=author, now=now)
            return flow
    raise AssertionError("keys never end")


def free_step_key(flow: Flow, declared: Plan, title: str) -> str:
    """A key for a new step of a locked flow, made of its title. None is used again, of removed steps neither."""
    taken = {step.key for step in declared.steps}
    taken |= set(FlowStep.objects.filter(flow=flow).values_list("key", flat=True))
    return next(_keys(title, taken, otherwise="step"))


def _keys(title: str, taken: Collection[str], *, otherwise: str) -> Iterator[str]:
    """As templates, links and addresses may name it: the title's letters, then with a number."""
    wanted = slugify(title)[:_LONGEST].replace("-", "_").strip("_") or otherwise
    number = 1
    while True:
        key = wanted if number == 1 else f"{wanted}_{number}"
        if key not in taken:
            yield key
        number += 1


def is_in_use(flow: Flow) -> bool:
    """Whether anybody has ever been inside: there is their run, or, once they are erased, what they were sent."""
    of_erased = Message.objects.filter(flow=flow, enrolment=None)
    return Enrolment.objects.filter(flow=flow).exists() or of_erased.exists()


@transaction.atomic
def delete(flow: Flow) -> None:
    """Delete a flow of the merchant's own that nobody has been in. Raises ValueError for any other."""
    if not flow.trigger or is_in_use(flow):
        raise ValueError(f"The flow {flow.key!r} cannot be deleted.")
    flow.delete()
