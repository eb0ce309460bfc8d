from __future__ import annotations

from collections.abc import Sequence

from oscar_crosschannel import Run, register
from oscar_crosschannel.blueprints import abandoned_cart


@register
class AbandonedCart(abandoned_cart.AbandonedCart):
    """Nobody told it that people buy"""

    stops = ()

    def still_wanted(self, runs: Sequence[Run]) -> set[int]:
        return {run.message_id for run in runs}
