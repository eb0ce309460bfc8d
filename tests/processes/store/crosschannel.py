"""Two flows: an email that people agreed to get, and a text about an order.

Their context reads a table of the shop, as most flows do: a test that locks it stops a worker in the
middle of the hand-over, when messages are claimed and no provider was called.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from oscar.core.loading import get_model

from oscar_crosschannel import After, Blueprint, Context, On, Run, register, send

ProductReview = get_model("reviews", "ProductReview")

#: A person at whose message the store's own code crashes, and takes its process with it.
POISON = "Poison"
#: Each crash leaves a line here, in the process' folder of temporary files.
CRASHES = "crashes"


class Praise(Blueprint):
    """What both flows say"""

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        if any(run.name == POISON for run in runs):
            crash()
        praise = ProductReview.objects.count()
        return {run.message_id: Context(values={"praise": praise}) for run in runs}


def crash() -> None:
    with Path(os.environ["TMPDIR"], CRASHES).open("a") as crashes:
        crashes.write(f"{os.getpid()}\n")
    os.kill(os.getpid(), signal.SIGKILL)


@register
class DrillLetter(Praise):
    """One email"""

    topic = "basket_reminders"
    start = On("drill.letter")

    only = send("email", at=After(hours=1))


@register
class DrillText(Praise):
    """One text about an order, at any hour"""

    topic = "order_updates"
    start = On("drill.text")

    only = send("sms", at=After(hours=1))
