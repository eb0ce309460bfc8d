"""The channels a project uses, by key."""

from __future__ import annotations

import gc
from typing import Any
from uuid import uuid4

import pytest

from oscar_crosschannel.channels.email import EmailChannel
from oscar_crosschannel.channels.loading import channel
from oscar_crosschannel.channels.sms import SmsChannel
from oscar_crosschannel.core.facts import Purpose
from oscar_crosschannel.core.outbound import Content, Outbound, Recipient
from oscar_crosschannel.testing.channels import NOW


def test_a_channel_is_one_object_for_all() -> None:
    assert isinstance(channel("email"), EmailChannel)
    assert isinstance(channel("sms"), SmsChannel)
    assert channel("email") is channel("email")


def test_a_project_names_its_own(settings: Any) -> None:
    settings.CROSSCHANNEL_CHANNELS = {"pigeon": "oscar_crosschannel.channels.sms.SmsChannel"}
    assert isinstance(channel("pigeon"), SmsChannel)
    with pytest.raises(KeyError):
        channel("email")


def test_a_channel_that_settings_replace_says_good_bye_to_its_server(mail_server: Any, settings: Any) -> None:
    message = Outbound(
        uuid=uuid4(),
        recipient=Recipient(address="ada@example.org"),
        content=Content(subject="Hello", text="Hello"),
        purpose=Purpose.TRANSACTIONAL,
        topic="orders",
        now=NOW,
    )
    channel("email").send(message)
    assert mail_server.goodbyes == 0
    settings.EMAIL_SUBJECT_PREFIX = "other"
    gc.collect()
    assert mail_server.goodbyes == 1
