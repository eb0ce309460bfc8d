"""Which channel suits a step of a flow, by what is known of it and of its words."""

from __future__ import annotations

import re

from ..core.channel_fit import Hint, Traits, a_month, hints
from ..core.facts import SMS
from ..core.outbound import Content
from ..core.plan import Step
from ..core.sms import segments, smart_encode
from .plans import PlannedFlow

_PICTURE = re.compile(r"<img\b", re.IGNORECASE)
_LINK = re.compile(r"https?://\S+")
#: Begins what stands below an email in any case, and is not what it has to say.
_FRAME = re.compile(r"\n--\s*\n")


def of_step(planned: PlannedFlow, step: Step, content: Content | None = None) -> list[Hint]:
    """What speaks for which channel; with `content` its words count too."""
    plan = planned.plan
    texts = [each.delay for each in plan.steps if each.channels[:1] == (SMS,)]
    return hints(
        Traits(
            purpose=planned.purpose,
            worth=plan.lifetime(step) - step.delay,
            any_hour=step.any_hour,
            a_month=a_month(texts, plan.start.again_after, once=plan.start.once),
            **_of_words(content),
        )
    )


def _of_words(content: Content | None) -> dict[str, int]:
    if content is None:
        return {}
    text = smart_encode(_FRAME.split(content.text)[0].strip())
    return {
        "segments": segments(text).count,
        "pictures": len(_PICTURE.findall(content.html)),
        "links": len(_LINK.findall(text)),
    }
