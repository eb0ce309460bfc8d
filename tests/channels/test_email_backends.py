"""The contract of channels, held by email through every kind of backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail

from oscar_crosschannel.channels.email import EmailChannel
from oscar_crosschannel.testing.channels import ChannelContract, NetworkContract


class EmailContract(ChannelContract):
    address = "ada@example.org"

    @pytest.fixture
    def channel(self) -> Iterator[EmailChannel]:
        channel = EmailChannel()
        yield channel
        channel.close()


class TestLocmem(EmailContract):
    @pytest.fixture(autouse=True)
    def _backend(self, settings: Any, mailoutbox: list[Any]) -> None:
        settings.CROSSCHANNEL_EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

    def received(self) -> int:
        return len(mail.outbox)


class TestAnymail(EmailContract):
    @pytest.fixture(autouse=True)
    def _backend(self, settings: Any, mailoutbox: list[Any]) -> None:
        settings.CROSSCHANNEL_EMAIL_BACKEND = "anymail.backends.test.EmailBackend"

    def received(self) -> int:
        return len(mail.outbox)


class TestConsole(EmailContract):
    @pytest.fixture(autouse=True)
    def _backend(self, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
        settings.CROSSCHANNEL_EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
        self.capsys = capsys

    def received(self) -> int:
        return self.capsys.readouterr().out.count("\nMessage-ID: ")


@pytest.mark.rule(57)
class TestSmtp(NetworkContract, EmailContract):
    @pytest.fixture(autouse=True)
    def _backend(self, mail_server: Any, closed_port: int) -> None:
        self.mail_server, self.closed_port = mail_server, closed_port

    def received(self) -> int:
        return len(self.mail_server.envelopes)

    def unreachable(self, settings: Any) -> None:
        settings.EMAIL_PORT = self.closed_port

    def silent(self, settings: Any) -> None:
        settings.EMAIL_TIMEOUT = 0.3
        self.mail_server.answers["DATA"] = ""

    def answering(self, settings: Any) -> None:
        self.mail_server.answers.clear()
