"""Contract suites: what the engine relies on in every channel. Inherit one, and pytest does the rest.

    class TestPigeonPost(ChannelContract):
        address = "loft 7, north tower"

        @pytest.fixture
        def channel(self) -> PigeonPost:
            return PigeonPost()

        def received(self) -> int:
            return len(loft.arrivals)

A backend for text messages inherits `SmsBackendContract` and gives a `backend` instead. What calls
a network inherits `NetworkContract` too, and says how to break it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ..channels.base import Channel
from ..channels.sms import SmsChannel
from ..channels.sms_backends.base import SmsBackend
from ..core.facts import Purpose
from ..core.outbound import (
    Content,
    Effect,
    NotSent,
    Outbound,
    Receipt,
    Recipient,
    Refused,
    UnknownOutcome,
)

UNSUBSCRIBE_URL = "https://shop.example/u/token/"
NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)

#: Settings under which the suites run; a test may change them further.
SENDER = {
    "BRAND": "Quillbrook",
    "BASE_URL": "https://shop.example",
    "POSTAL_ADDRESS": "Quillbrook Ltd\n1 Mill Lane, York",
    "EMAIL_FROM_MARKETING": "Quillbrook <news@shop.example>",
    "EMAIL_FROM_TRANSACTIONAL": "Quillbrook <orders@shop.example>",
}


class ChannelContract:
    """What the engine relies on in a channel."""

    #: An address that the channel accepts.
    address: str
    #: Something that is no address of this channel.
    no_address = "nobody"
    #: Words of a marketing message that may go out.
    words: Mapping[str, str] = {
        "subject": "New teas",
        "text": f"Quillbrook: new teas are in. Reply STOP to opt out or visit {UNSUBSCRIBE_URL}",
        "html": f'<p>New teas are in. <a href="{UNSUBSCRIBE_URL}">Unsubscribe</a></p>',
        "unsubscribe_url": UNSUBSCRIBE_URL,
    }

    @pytest.fixture
    def channel(self) -> Channel:
        """The channel under test, ready to send."""
        raise NotImplementedError

    def received(self) -> int:
        """How many messages have reached the provider in this test."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _sender(self, settings: Any) -> None:
        for name, value in SENDER.items():
            setattr(settings, f"CROSSCHANNEL_{name}", value)

    def composed(self, channel: Channel, purpose: Purpose = Purpose.MARKETING, **changes: str) -> Content:
        """The suite's words, with `changes`, as `channel` composes them."""
        return channel.compose({**self.words, **changes}, purpose=purpose, language="en")

    def outbound(self, content: Content, **changes: Any) -> Outbound:
        """A marketing message to the suite's address."""
        known: dict[str, Any] = {
            "uuid": uuid4(),
            "recipient": Recipient(address=self.address),
            "content": content,
            "purpose": Purpose.MARKETING,
            "topic": "offers",
            "now": NOW,
            "valid_until": NOW + timedelta(hours=4),
            "callback_url": "https://shop.example/sms/status/?attempt=1",
            "unsubscribe_url": UNSUBSCRIBE_URL,
        }
        return Outbound(**{**known, **changes})

    # It works.

    def test_it_says_what_it_is(self, channel: Channel) -> None:
        assert channel.key.isidentifier()
        assert channel.parts
        assert channel.parts <= {"subject", "text", "html"}
        pace = channel.pace()
        assert pace is None or (0 < len(pace.sender) <= 80 and pace.per_second > 0)

    def test_what_it_composes_it_sends_once(self, channel: Channel) -> None:
        receipt = channel.send(self.outbound(self.composed(channel)))
        assert isinstance(receipt, Receipt)
        assert receipt.provider
        assert self.received() == 1

    def test_composing_sends_nothing(self, channel: Channel) -> None:
        self.composed(channel)
        assert self.received() == 0

    def test_composing_twice_gives_the_same(self, channel: Channel) -> None:
        once = self.composed(channel)
        assert self.composed(channel, text=once.text).text == once.text

    def test_several_threads_may_send(self, channel: Channel) -> None:
        content = self.composed(channel)
        with ThreadPoolExecutor(4) as pool:
            receipts = list(pool.map(lambda _: channel.send(self.outbound(content)), range(8)))
        assert len(receipts) == self.received() == 8

    # It refuses.

    @pytest.mark.parametrize("purpose", Purpose)
    def test_it_refuses_to_say_nothing(self, channel: Channel, purpose: Purpose) -> None:
        with pytest.raises(Refused):
            self.composed(channel, purpose, text=" \n")

    def test_it_refuses_marketing_without_a_way_out(self, channel: Channel) -> None:
        with pytest.raises(Refused):
            self.composed(channel, text="Quillbrook: new teas are in.", html="<p>New teas are in.</p>")

    def test_it_refuses_what_is_no_address(self, channel: Channel) -> None:
        outbound = self.outbound(self.composed(channel), recipient=Recipient(address=self.no_address))
        with pytest.raises(Refused) as refused:
            channel.send(outbound)
        assert refused.value.effect is Effect.UNUSABLE
        assert self.received() == 0

    # It survives.

    def test_it_knows_nothing_of_what_it_never_sent(self, channel: Channel) -> None:
        assert channel.look_up(UUID(int=7), "", self.address, NOW) is None


class SmsBackendContract(ChannelContract):
    """What `SmsChannel` relies on in a backend."""

    address = "+12025550123"

    @pytest.fixture
    def backend(self) -> SmsBackend:
        """The backend under test, ready to send."""
        raise NotImplementedError

    @pytest.fixture
    def channel(self, backend: SmsBackend) -> Channel:
        return SmsChannel(backend)

    def test_a_receipt_tells_what_was_billed(self, channel: Channel) -> None:
        content = self.composed(channel, Purpose.TRANSACTIONAL, text="Quillbrook: " + "x" * 160)
        receipt = channel.send(self.outbound(content))
        assert receipt.segments == 2


class NetworkContract(ChannelContract):
    """What the engine relies on when a provider is gone or silent; inherit it before another contract."""

    def unreachable(self, settings: Any) -> None:
        """Change `settings` so that the provider's address refuses connections."""
        raise NotImplementedError

    def silent(self, settings: Any) -> None:
        """Make the provider take a message and not answer, and set a short time-out."""
        raise NotImplementedError

    def answering(self, settings: Any) -> None:
        """End what `silent` began."""
        raise NotImplementedError

    def test_a_provider_that_is_gone_was_not_called(self, channel: Channel, settings: Any) -> None:
        outbound = self.outbound(self.composed(channel))
        self.unreachable(settings)
        with pytest.raises(NotSent):
            channel.send(outbound)

    def test_a_silent_provider_releases_the_worker_in_doubt(self, channel: Channel, settings: Any) -> None:
        outbound = self.outbound(self.composed(channel))
        self.silent(settings)
        with pytest.raises(UnknownOutcome):
            channel.send(outbound)

    def test_it_works_again_after_a_failure(self, channel: Channel, settings: Any) -> None:
        content = self.composed(channel)
        self.silent(settings)
        with pytest.raises(UnknownOutcome):
            channel.send(self.outbound(content))
        self.answering(settings)
        before = self.received()
        channel.send(self.outbound(content))
        assert self.received() == before + 1
