"""Whether a person made a click. Mailbox scanners follow every link of a message.

Rules from the field: a scanner asks with HEAD, comes within seconds of delivery, opens several
links at once, or names itself. One sign makes a click suspect, two make it a bot's; neither
ever influences a decision.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

#: A person needs at least this long from delivery to a click.
TOO_SOON = timedelta(seconds=10)
#: Two different links within this time are no person's.
TOO_MANY = timedelta(seconds=2)

#: Cubot makes phones.
#: Path behind the link that people cannot see; only its being asked for matters.
TRAP = "/#"

_AGENTS = re.compile(
    r"(?<!cu)bot|crawl|spider|scanner|preview|fetch|proofpoint|barracuda|mimecast|safelinks|googleimageproxy"
    r"|python-requests|curl|wget|headless|monitor|slackbot|whatsapp|facebookexternalhit",
    re.IGNORECASE,
)


def suspicions(
    *,
    method: str,
    user_agent: str,
    at: datetime,
    sent_at: datetime | None,
    other_links_at: list[datetime],
    trapped: bool = False,
) -> list[str]:
    """Signs, as codes, that no person made this click.

    `sent_at` is when the message reached the mailbox, as far as we know; `other_links_at` are the
    instants at which other links of the same message were asked for; `trapped`: it is the link that
    people cannot see.
    """
    signs = []
    if method != "GET":
        signs.append("method")
    if not user_agent or _AGENTS.search(user_agent):
        signs.append("agent")
    if sent_at is not None and at - sent_at < TOO_SOON:
        signs.append("too_soon")
    if any(abs(at - other) <= TOO_MANY for other in other_links_at):
        signs.append("many_links")
    if trapped:
        signs.append("trap")
    return signs


def verdict(signs: list[str]) -> str:
    """The verdict for these signs: human, suspect or bot."""
    return ("human", "suspect", "bot")[min(len(signs), 2)]
