"""One message in words. Sending, checking, preview and test all speak through this, so none can differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..channels.loading import channel
from ..conf import settings
from ..core.facts import EMAIL, Purpose
from ..core.outbound import Content, File
from ..core.plan import Context
from ..models import Copy
from . import links, rendering, texting

#: Purposes whose messages a person can stop; the others follow from what they did.
STOPPABLE = frozenset({Purpose.MARKETING, Purpose.REQUESTED})


def words_context(
    said: Context,
    *,
    channel_key: str,
    purpose: Purpose,
    name: str,
    message_id: int,
    voucher: Mapping[str, Any] | None,
    topic: str = "",
    key: bytes | None = None,
) -> dict[str, Any]:
    """What the words of a message may say: what the blueprint tells of it, and what all messages know.

    `topic` is its name. `key` signs the links of an example. An email's last counted link is the trap for scanners.
    """
    urls = {link: links.click_url(message_id, number, key=key) for number, link in enumerate(said.links)}
    context: dict[str, Any] = {
        "brand": settings.BRAND,
        "name": name,
        "topic": topic,
        "postal_address": settings.POSTAL_ADDRESS,
        "unsubscribe_url": links.unsubscribe_url(message_id, key=key) if purpose in STOPPABLE else "",
        "preferences_url": links.preferences_url(message_id, key=key),
        "why_url": links.why_url(message_id, key=key),
        "join_texts_url": _join_texts_url(channel_key, purpose, message_id, key),
        "voucher": None,
        **_with_links(said.values, urls),
        "links": {link: url for link, url in urls.items() if "." not in link},
    }
    if channel_key == EMAIL and said.links:
        context["trap_url"] = links.click_url(message_id, len(said.links), key=key)
    if voucher is not None:
        context["voucher"] = voucher
    return context


def _join_texts_url(channel_key: str, purpose: Purpose, message_id: int, key: bytes | None) -> str:
    """Where an email that may advertise invites to texts; empty in a shop that sends none."""
    if channel_key != EMAIL or purpose is not Purpose.MARKETING or not texting.is_possible():
        return ""
    return links.absolute(links.join_texts_path(message_id, key=key))


def _with_links(values: Mapping[str, Any], urls: Mapping[str, str]) -> dict[str, Any]:
    """The values, and in each thing of a list its own link: that of "items.0" in the first of `items`."""
    linked = dict(values)
    for name, url in urls.items():
        of, _, number = name.partition(".")
        if number:
            things = list(linked[of])
            things[int(number)] = {**things[int(number)], "link": url}
            linked[of] = things
    return linked


def compose(
    key: rendering.CopyKey,
    copy: Copy | None,
    context: Mapping[str, Any],
    *,
    purpose: Purpose,
    zone: str = "",
    one_way: bool = False,
    files: tuple[File, ...] = (),
) -> Content:
    """The message as it goes out. Raises `ChannelError`, or whatever is wrong with a template.

    `one_way`: the person cannot answer the sender.
    """
    target = channel(key.channel)
    words = rendering.render(key, copy, target.parts, context, zone=zone)
    words |= {"unsubscribe_url": context["unsubscribe_url"], "one_way": "yes" if one_way else ""}
    return replace(target.compose(words, purpose=purpose, language=key.language), files=files)
