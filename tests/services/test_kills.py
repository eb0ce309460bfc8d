"""Real workers, killed and frozen at random: nothing is sent twice, and nothing is lost.

A kill between the provider's call and its record leaves a message in doubt; it is never sent again.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from oscar.core.loading import get_model

from oscar_crosschannel.core.lifecycle import OPEN, State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import Attempt, Message, VoucherGrant
from tests.factories import enrol_all, make_contacts
from tests.services.stage import Coupon, Pair, make_offer, write_words

Voucher = get_model("voucher", "Voucher")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql, pytest.mark.slow]

HOUR = timedelta(hours=1)
ROOT = Path(__file__).parents[2]


class Workers:
    """Worker processes and the file they write to."""

    def __init__(self, ledger: Path, **options: float) -> None:
        """`options`: lease and length of a provider call in seconds, messages per batch."""
        self._ledger, self._options = ledger, options
        self._ids: list[int] = []
        database = connection.settings_dict
        url = f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.services.worker", str(ledger)],
            cwd=ROOT,
            env={**os.environ, "SANDBOX_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self) -> int:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        print(json.dumps(self._options), file=self._nursery.stdin, flush=True)
        self._ids.append(int(self._nursery.stdout.readline()))
        return self._ids[-1]

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self._ids.remove(pid)

    def sent(self) -> list[tuple[str, str]]:
        """(address, text) of every call."""
        lines = [line.split("\t") for line in self._ledger.read_text().splitlines()]
        assert not [part for address, part in lines if address == "failed"]
        return [(address, text) for address, text in lines]

    def close(self) -> None:
        for pid in list(self._ids):
            os.kill(pid, signal.SIGCONT)
            self.kill(pid)
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.wait(timeout=20)
        self._nursery.stdout.close()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Callable[..., Workers]]:
    hired: list[Workers] = []

    def hire(**options: float) -> Workers:
        hired.append(Workers(tmp_path / "ledger", **options))
        return hired[-1]

    yield hire
    for each in hired:
        each.close()


def waiting(step: str) -> int:
    return Message.objects.filter(step_key=step, state__in=OPEN).count()


def finish(step: str) -> None:
    """Wait until no message of the step is open any more."""
    patience = time.monotonic() + 60
    while waiting(step):
        assert time.monotonic() < patience, f"{waiting(step)} messages are still open"
        time.sleep(0.05)


def killed_at_random(crew: Workers, step: str) -> int:
    """Two workers; one of them at a time is killed and replaced. Returns how many were killed."""
    chance = random.Random(11)
    team = [crew.start(), crew.start()]
    kills = 0
    while waiting(step) > 60 and kills < 40:
        time.sleep(chance.uniform(0.02, 0.3))
        victim = chance.choice(team)
        crew.kill(victim)
        kills += 1
        team[team.index(victim)] = crew.start()
    finish(step)
    return kills


@pytest.mark.rule(51)
@pytest.mark.rule(53)
def test_workers_killed_at_random_send_nothing_twice_and_lose_nothing(
    workers: Callable[..., Workers],
) -> None:
    write_words(Pair)
    people = make_contacts(350)
    enrol_all(people, Pair, anchor=datetime.now(UTC) - HOUR)
    crew = workers(lease=1, batch=60, call=0.002)
    kills = killed_at_random(crew, "first")
    assert kills >= 5, "the work was done before anybody could be killed"

    calls = Counter(address for address, _ in crew.sent())
    assert set(calls.values()) == {1}
    messages = Message.objects.filter(step_key="first").select_related("point")
    sent = {message.point.address for message in messages if message.state == State.SENT}
    doubted = {message.point.address for message in messages if message.state == State.UNKNOWN}
    assert sent | doubted == {f"person{person.pk}@example.com" for person in people}
    assert sent <= set(calls)
    assert len(doubted) <= 25 * kills  # one chunk for each kill
    assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 350


@pytest.mark.rule(53)
def test_after_kills_no_message_is_without_a_valid_code_and_none_has_two(
    workers: Callable[..., Workers],
) -> None:
    make_offer()
    write_words(Coupon, text="{{ voucher.code }}")
    enrol_all(make_contacts(250), Coupon, anchor=datetime.now(UTC) - HOUR)
    crew = workers(lease=1, batch=60, call=0.002)
    assert killed_at_random(crew, "only") >= 5

    told = crew.sent()
    assert len({address for address, _ in told}) == len(told)
    vouchers = {voucher.code: voucher for voucher in Voucher.objects.all()}
    assert len({code for _, code in told}) == len(told)
    for _, code in told:
        assert vouchers[code].is_active(datetime.now(UTC))
    granted = dict(VoucherGrant.objects.values_list("message_id", "code"))
    handed_over = set(Attempt.objects.values_list("message_id", flat=True))
    assert set(granted) == handed_over
    assert set(granted.values()) == set(vouchers)


@pytest.mark.rule(53)
def test_a_worker_frozen_beyond_its_lease_sends_nothing_twice(workers: Callable[..., Workers]) -> None:
    write_words(Pair)
    enrol_all(make_contacts(400), Pair, anchor=datetime.now(UTC) - HOUR)
    crew = workers(lease=0.6, batch=50, call=0.01)
    chance = random.Random(5)
    team = [crew.start(), crew.start()]
    freezes = 0
    while waiting("first") > 40 and freezes < 12:
        time.sleep(chance.uniform(0.05, 0.2))
        victim = chance.choice(team)
        os.kill(victim, signal.SIGSTOP)
        time.sleep(0.8)
        os.kill(victim, signal.SIGCONT)
        freezes += 1
    finish("first")
    time.sleep(0.5)  # a thawed worker reports what it did
    assert freezes >= 2

    calls = Counter(address for address, _ in crew.sent())
    assert set(calls.values()) == {1}
    first = Message.objects.filter(step_key="first").select_related("point")
    for message in first:
        if message.state == State.SENT:
            assert calls[message.point.address] == 1
    # what was not sent was given back by who knew it, unless its run had gone on meanwhile
    assert set(first.values_list("state", flat=True)) <= {State.SENT, State.UNKNOWN, State.DROPPED}
    assert set(first.filter(state=State.DROPPED).values_list("reason", flat=True)) <= {Reason.EXPIRED}
    assert Message.objects.filter(step_key="second", state=State.PLANNED).count() == 400
