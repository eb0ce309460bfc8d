"""One message in words. Sending, checking, preview and test all speak through this, so none can differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..channels.loading import channel
from ..conf import settings
from ..core.facts import EMAIL, Purpose
from ..core.outbound import Content
from ..core.plan import Context
from ..models import Copy
from . import rendering

#: Purposes whose messages a person can stop; the others follow from what they did.
STOPPABLE = frozenset({Purpose.MARKETING, Purpose.REQUESTED})


def words_context(
    said: Context,
    *,
    channel_key: str,
    purpose: Purpose,
    name: str,
    click_url: Callable[[int], str],
    unsubscribe_url: Callable[[], str],
    voucher: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What the words of a message may say: what the blueprint tells of it, and what all messages know.

    `click_url` gives the address of a link by its number. An email's last one is the trap for scanners.
    """
    context: dict[str, Any] = {
        "brand": settings.BRAND,
        "name": name,
        "postal_address": settings.POSTAL_ADDRESS,
        "unsubscribe_url": unsubscribe_url() if purpose in STOPPABLE else "",
        "voucher": None,
        **said.values,
        "links": {link: click_url(number) for number, link in enumerate(said.links)},
    }
    if channel_key == EMAIL and said.links:
        context["trap_url"] = click_url(len(said.links))
    if voucher is not None:
        context["voucher"] = voucher
    return context


def compose(
    key: rendering.CopyKey, copy: Copy | None, context: Mapping[str, Any], *, purpose: Purpose, zone: str = ""
) -> Content:
    """The message as it goes out. Raises `ChannelError`, or whatever is wrong with a template."""
    target = channel(key.channel)
    words = rendering.render(key, copy, target.parts, context, zone=zone)
    words["unsubscribe_url"] = context["unsubscribe_url"]
    return target.compose(words, purpose=purpose, language=key.language)
