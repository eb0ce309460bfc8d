"""From curtain to verdict. Imported when Django is ready."""

from __future__ import annotations

import time
from collections.abc import Sequence

import requests
from django.conf import settings
from django.utils.module_loading import import_string

from oscar_crosschannel.testing.sms_counterpart import SmsCounterpart
from sandbox import clock

from . import plot, preparation, reasons, verdict, world
from .cast import gather
from .mailbox import Mailbox
from .stage import Stage
from .telling import Teller

_COLUMNS = """
 Time in the shop · who · where, and what time it is there · what happens.
 EMAIL, TEXT: arrived in a mailbox, on a phone. texts: the person texts the shop.
 What Oscar mails by itself (confirmations of orders and accounts) is left out."""


def perform(mailbox: Mailbox, phones: SmsCounterpart) -> int:
    """Prepare, play, judge. Returns the exit code."""
    started = time.monotonic()
    teller = Teller(plot.BEGIN, plot.TITLES)
    story: plot.Story = import_string(getattr(settings, "DEMO_PLOT", "sandbox.demo.plot.TWO_WEEKS"))
    clock.install()
    clock.set_now(plot.OPENING)
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
                stage = Stage(world.World(home, mailbox, phones, engine), gather(home), teller)
                story.play(stage)
                is_true = _close(stage, story.statements)
    except (world.Collapsed, requests.RequestException) as collapse:
        teller.end(f"The demo broke off: {collapse}", good=False)
        is_true = False
    if not is_true and (words := world.last_words()):
        teller.say(words)
    teller.say(f"{time.monotonic() - started:.0f} seconds.")
    return 0 if is_true else 1


def _close(stage: Stage, statements: Sequence[verdict.Statement]) -> bool:
    """The table and the verdict."""
    received = verdict.Received(stage)
    stage.teller.heading("Who got what, and what was held back, and why (in the words of the admin)")
    for who in stage.cast.everybody:
        mails, texts = len(received.mails(who)), len(received.texts(who))
        counted = f"{_count(mails, 'email')}, {_count(texts, 'text')}"
        got = reasons.sent(who.emails, since=plot.BEGIN)
        kept = reasons.held_back(who.emails, since=plot.BEGIN)
        stage.teller.account(who, counted, got, kept)
    stage.teller.heading("Is the story true? By what mailboxes and phones received, and by Oscar’s orders")
    findings = verdict.judge(stage, statements)
    for finding in findings:
        stage.teller.check(finding.sentence, finding.wrong)
    wrong = sum(bool(finding.wrong) for finding in findings)
    stage.teller.say()
    stage.teller.end(
        f"{wrong} of {len(findings)} statements are wrong." if wrong else "The story is true.", good=not wrong
    )
    return not wrong


def _count(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
