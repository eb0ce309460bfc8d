"""What would be decided, asked by the rules that decide. For pages: nothing is written or locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..conf import settings
from ..core.decision import Decision, Drop, Finding, decide
from ..core.facts import Candidate, Facts, Purpose
from ..core.policies import Policy
from ..core.rulings import Reason
from ..models import Contact, Message
from . import conditions, facts, judging, topics
from .dispatch import policies
from .limits import Limits
from .plans import Plans, load_plans
from .resting import Rests

#: How far ahead an answer may lie to be worth telling; the longest cap is a month.
AHEAD = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How things stand for one contact."""

    may: Mapping[tuple[str, str], Finding]  #: by topic and channel: whether a message may go now, else when
    coming: Mapping[int, Decision]  #: by message id: what is decided when it falls due, if nothing changes


def outlook(
    contact: Contact,
    messages: Sequence[Message],
    topics: Mapping[str, str],
    in_force: Limits,
    *,
    now: datetime,
) -> Outlook:
    """Ask the rules about a contact's planned messages, and about each topic (key: purpose) in general.

    `messages` need their contact and enrolment. A bounded number of statements, whatever the numbers.
    """
    plans, rules = load_plans(), policies()
    (known,) = facts.gather([contact], plans, in_force, now=now, closed=Rests.load().closed(now)).values()
    unmet = conditions.unmet(messages, plans)
    return Outlook(
        may={
            (topic, channel): decide(
                _question(
                    contact, topic, Purpose(purpose), channel, now=now, minimum_age=plans.minimum_age(topic)
                ),
                known,
                rules,
            ).trace[0]
            for topic, purpose in topics.items()
            for channel in settings.CHANNELS
        },
        coming={
            message.pk: _when_due(message, plans, known, rules, condition_met=message.pk not in unmet)
            for message in messages
        },
    )


def _question(
    contact: Contact, topic: str, purpose: Purpose, channel: str, *, now: datetime, minimum_age: int
) -> Candidate:
    """A message that nothing but the contact can speak against."""
    return Candidate(
        id=0,
        contact_id=contact.pk,
        topic=topic,
        purpose=purpose,
        intent="",
        channels=(channel,),
        priority=0,
        due_at=now,
        expires_at=now + AHEAD,
        minimum_age=minimum_age,
        texts_by_consent=topics.texts_by_consent(topic),
    )


def _when_due(
    message: Message, plans: Plans, known: Facts, rules: Sequence[Policy], *, condition_met: bool
) -> Decision:
    planned = plans.get(message.flow_id)
    step = planned.plan.step(message.step_key) if planned else None
    if planned is None or step is None:
        return Drop(Reason.STEP_REMOVED if planned else Reason.FLOW_OFF, ())
    if not planned.plan.enabled:
        return Drop(Reason.FLOW_OFF, ())
    others = tuple(each for each in known.reserved if each.id != message.pk)
    then = replace(known, now=max(known.now, message.due_at), reserved=others)
    return decide(judging.candidate_of(message, step, plans, condition_met=condition_met), then, rules)
