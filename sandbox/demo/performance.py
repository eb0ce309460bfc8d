"""From curtain to verdict. Imported when Django is ready."""

from __future__ import annotations

import time
from datetime import timedelta

import requests
from django.conf import settings

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart
from sandbox import clock

from . import preparation, reasons, story, verdict, world
from .cast import Customer, gather
from .mailbox import Mailbox
from .telling import Teller

#: When the shop is stocked, and its customers are asked for consent.
OPENING = story.BEGIN - timedelta(hours=1)

_COLUMNS = """
 Columns: time since everybody left · time where the person is · what happens.
 EMAIL, TEXT: arrived in a mailbox, on a phone. texts: the person texts the shop."""


def perform(mailbox: Mailbox, phones: SmsCounterpart) -> int:
    """Prepare, play, judge. Returns the exit code."""
    started = time.monotonic()
    teller = Teller(story.BEGIN)
    clock.install()
    clock.set_now(OPENING)
    home = settings.CROSSCHANNEL_BASE_URL
    teller.say("Making the tables (half a minute, the first time) …")
    preparation.migrate(lambda done, total: teller.passing(f"migration {done} of {total}"))
    try:
        with world.shop(home) as shop:
            teller.say("Stocking the shop …")
            preparation.stock()
            shop.wait_until_open()
            with world.engine() as engine:
                teller.say(_COLUMNS)
                clock.set_now(story.BEGIN)
                stage = story.Stage(world.World(home, mailbox, phones, engine), gather(home), teller)
                story.play(stage)
                is_true = _close(stage)
    except (world.Collapsed, requests.RequestException) as collapse:
        teller.end(f"The demo broke off: {collapse}", good=False)
        is_true = False
    if not is_true and (words := world.last_words()):
        teller.say(words)
    teller.say(f"{time.monotonic() - started:.0f} seconds.")
    return 0 if is_true else 1


def _close(stage: story.Stage) -> bool:
    """The table and the verdict."""
    stage.teller.heading("Who got what")
    stage.teller.table([_HEAD, *(_row(stage, who) for who in stage.cast.everybody)])
    stage.teller.say(
        "\n Counted are offers: neither Oscar’s own mail nor questions about consent and answers."
    )
    stage.teller.heading("Is the story true? By what mailboxes and phones received, and by Oscar’s orders")
    findings = verdict.judge(stage)
    for finding in findings:
        stage.teller.check(finding.sentence, finding.wrong)
    wrong = sum(bool(finding.wrong) for finding in findings)
    stage.teller.say()
    stage.teller.end(
        f"{wrong} of {len(findings)} statements are wrong." if wrong else "The story is true.", good=not wrong
    )
    return not wrong


_HEAD = ["", "agreed to", "emails", "texts", "not sent, and why (in the words of the admin)"]


def _row(stage: story.Stage, who: Customer) -> list[str]:
    received = verdict.Received(stage)
    return [
        who.name,
        who.agreed,
        str(len(received.reminders(who)) or "–"),
        str(len(received.codes(who)) or "–"),
        "; ".join(reasons.of(who.email)),
    ]
