"""A flow: three days after an order, ask by email how things went."""

from collections.abc import Mapping, Sequence

from oscar_crosschannel import After, Blueprint, Context, On, Run, register, send


@register
class HowWasIt(Blueprint):
    """How the order went"""

    topic = "order_updates"
    start = On("order.placed")

    ask = send("email", at=After(days=3))

    def context(self, runs: Sequence[Run]) -> Mapping[int, Context]:
        return {run.message_id: Context(links={"orders": "/accounts/orders/"}) for run in runs}
