"""A channel: postcards for a print shop. CROSSCHANNEL_CHANNELS = {…, "post": "…ex4_channel.Postcards"}"""

from collections.abc import Mapping
from pathlib import Path

from oscar_crosschannel.channels.base import Channel
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import Content, Outbound, Receipt


class Postcards(Channel):
    key = "post"
    parts = frozenset({"text"})
    folder = Path("postcards")

    def compose(self, words: Mapping[str, str], *, purpose: Purpose, language: str) -> Content:
        return Content(text=words["text"])

    def send(self, outbound: Outbound) -> Receipt:
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{outbound.uuid}.txt").write_text(
            f"{outbound.recipient.address}\n\n{outbound.content.text}"
        )
        return Receipt(provider="print shop")
