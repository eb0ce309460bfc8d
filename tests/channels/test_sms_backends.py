"""The contract of channels, held by text messages through every backend that ships."""

from __future__ import annotations

from typing import Any

import pytest

from oscar_crosschannel.channels.sms_backends import locmem
from oscar_crosschannel.channels.sms_backends.console import ConsoleBackend
from oscar_crosschannel.channels.sms_backends.twilio import TwilioBackend
from oscar_crosschannel.testing.channels import NetworkContract, SmsBackendContract
from oscar_crosschannel.testing.sms_counterpart import Fault, SmsCounterpart


class TestLocmem(SmsBackendContract):
    @pytest.fixture
    def backend(self) -> locmem.LocmemBackend:
        locmem.outbox.clear()
        return locmem.LocmemBackend()

    def received(self) -> int:
        return len(locmem.outbox)


class TestConsole(SmsBackendContract):
    @pytest.fixture
    def backend(self, capsys: pytest.CaptureFixture[str]) -> ConsoleBackend:
        self.capsys = capsys
        return ConsoleBackend()

    def received(self) -> int:
        return self.capsys.readouterr().out.count("SMS to +12025550123")


@pytest.mark.rule(57, 86)
class TestTwilio(NetworkContract, SmsBackendContract):
    @pytest.fixture
    def backend(self, twilio: SmsCounterpart, closed_port: int) -> TwilioBackend:
        self.twilio, self.closed_port = twilio, closed_port
        return TwilioBackend()

    def received(self) -> int:
        return len(self.twilio.messages)

    def unreachable(self, settings: Any) -> None:
        settings.CROSSCHANNEL_TWILIO = self.twilio.settings(BASE_URL=f"http://127.0.0.1:{self.closed_port}")

    def silent(self, settings: Any) -> None:
        settings.CROSSCHANNEL_TWILIO = self.twilio.settings(TIMEOUT=0.3)
        self.twilio.answer_next(Fault.SILENT)

    def answering(self, settings: Any) -> None:
        settings.CROSSCHANNEL_TWILIO = self.twilio.settings()
