"""What holds for everybody, whatever happens to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.conf import settings

from ..mailbox import Mail
from ..stage import CODE
from ..verdict import SAME_TIME, Order, Received, Statement

#: When the law of any customer here lets nobody be texted for marketing.
NIGHT_ENDS, NIGHT_BEGINS = time(8), time(21)
#: Orders of the whole story.
ORDERS = 11


def everything_was_played(received: Received) -> Iterator[str]:
    yield from received.stage.astray


def nobody_is_woken(received: Received) -> Iterator[str]:
    for who in received.cast.everybody:
        for text in received.codes(who):
            local = text.at.astimezone(ZoneInfo(who.zone)).time()
            if not NIGHT_ENDS <= local < NIGHT_BEGINS:
                yield f"{who.name} got an offer at {who.local(text.at)}."


def nobody_gets_too_much(received: Received) -> Iterator[str]:
    for who in received.cast.everybody:
        codes = {code for text in received.codes(who) for code in CODE.findall(text.body)}
        if len(codes) > 1:
            yield f"{who.name} got {len(codes)} codes."
        for earlier, later in pairwise(received.offers(who)):
            if (later.at - earlier.at).total_seconds() < 16 * 3600:
                yield f"{who.name} got two emails that advertise within 16 hours of {who.local(earlier.at)}."


def every_message_has_a_way_out(received: Received) -> Iterator[str]:
    home = received.stage.world.home
    for who in received.cast.everybody:
        for mail in received.offers(who):
            if not mail.unsubscribe_url.startswith(home) or mail.unsubscribe_url not in mail.text:
                yield f"{who.name}’s email “{mail.subject}” offers no unsubscribing by one click, and by a link."
            if settings.CROSSCHANNEL_POSTAL_ADDRESS not in mail.text:
                yield f"{who.name}’s email “{mail.subject}” has no postal address."
        for text in received.codes(who):
            if not (settings.CROSSCHANNEL_BRAND in text.body and "STOP" in text.body and home in text.body):
                yield f"{who.name}’s text lacks the brand, STOP or a link to the shop."


def nothing_goes_astray(received: Received) -> Iterator[str]:
    for arrival in received.stage.told:
        if received.cast.whose(arrival.to) is None:
            yield f"{arrival.to} is nobody’s, and got something."
    if (orders := Order.objects.count()) != ORDERS:
        yield f"There are {orders} orders, not {ORDERS}."


def time_runs_forwards(received: Received) -> Iterator[str]:
    if any(later < earlier for earlier, later in pairwise(received.stage.times)):
        yield "The timeline goes back."
    for mail in received.stage.told:
        if isinstance(mail, Mail) and abs(mail.dated - mail.at) > SAME_TIME:
            yield f"The email “{mail.subject}” is dated {mail.dated} and arrived at {mail.at}."
    placed = received.order("Ada’s basket").date_placed
    if abs(placed - received.moment("Ada ordered")) > SAME_TIME:
        yield f"Ada’s order is dated {placed}."


FIRST: Sequence[Statement] = [
    ("Everything could be done in the shop’s own pages.", everything_was_played),
]
STATEMENTS: Sequence[Statement] = [
    ("No offer reached a phone before 8:00 or after 21:00 where it is.", nobody_is_woken),
    ("Nobody got two codes, or two emails that advertise within 16 hours.", nobody_gets_too_much),
    ("Every offer named the shop and a way out.", every_message_has_a_way_out),
    (f"Nobody else got anything, and there are {ORDERS} orders.", nothing_goes_astray),
    ("Time ran forwards, and one clock ruled the shop, the engine and the mail.", time_runs_forwards),
]
