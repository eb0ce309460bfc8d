from __future__ import annotations

import pytest

from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.models import ChannelRest

from .machine import wait_until
from .shop import CeleryShop
from .store.apps import OPERATOR

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

AUTHENTICATE = 20003


@pytest.mark.rule(56)
def test_a_refused_login_rests_the_channel_tells_the_operator_once_and_heals(shop: CeleryShop) -> None:
    calls, refusals = shop.phones.calls, 3
    shop.phones.answer_next(AUTHENTICATE, times=refusals)
    people = shop.owe_texts(10)
    wait_until(ChannelRest.objects.exists, lambda: "nobody noticed that the login was refused")
    rest = ChannelRest.objects.get()
    assert (rest.channel, rest.code) == ("sms", str(AUTHENTICATE))
    assert people.states() == {State.PLANNED: 10}
    letters = shop.owe_letters(2)
    letters.wait_until_all_are(State.SENT)

    people.wait_until_all_are(State.SENT)
    assert people.got_one_each()
    assert shop.phones.calls - calls == len(people.ids) + refusals
    assert not ChannelRest.objects.exists()
    alerts = [mail.subject for mail in shop.mailboxes.mails if mail.to == OPERATOR]
    assert alerts == ["Alert: channel_broken"]
