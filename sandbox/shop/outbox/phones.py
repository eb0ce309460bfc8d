"""Everybody's phone. The phone company is Twilio's counterpart, in this process, so the real SDK, signed
reports of delivery and signed webhooks play; what it took is kept in a file.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import requests
from django.conf import settings
from django.test import override_settings
from django.urls import reverse
from django.utils.html import urlize
from django.utils.safestring import SafeString, mark_safe

from oscar_crosschannel.core.sms import Segments, segments
from oscar_crosschannel.models import InboxEvent
from oscar_crosschannel.testing.sms_counterpart import (
    TWILIO_BACKEND,
    Post,
    SmsCounterpart,
    Text,
    post_by_http,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bubble:
    """One text on a phone's screen."""

    at: datetime
    body: str
    is_ours: bool  #: the shop wrote it
    status: str = ""

    @property
    def size(self) -> Segments:
        return segments(self.body)

    @property
    def linked(self) -> SafeString:
        """The words, escaped, with links that open beside this page."""
        return mark_safe(urlize(self.body, autoescape=True).replace("<a ", '<a target="_blank" '))


class Phones:
    """The phone company and what phones got. `run` connects the shop to it."""

    def __init__(self, company: SmsCounterpart, kept: Path) -> None:
        self._company = company
        self._kept = kept
        self._company.messages.extend(_load(kept))
        self._reported = {text.sid for text in self._company.messages}
        self._lock = threading.Lock()

    def received(self) -> list[Text]:
        """What all phones got, oldest first."""
        return list(self._company.messages)

    def reply(self, phone: str, words: str) -> bool:
        """Somebody texts the shop: a webhook, signed. Whether the shop took it."""
        url = settings.CROSSCHANNEL_BASE_URL + reverse("oscar_crosschannel:twilio_inbound")
        answer = self._company.inbound(phone, words, url)
        self.save()
        return answer.status == 200

    def report_deliveries(self) -> bool:
        """Tell the shop, once per text, that the phone has it. Whether there was anything to tell."""
        with self._lock:
            new = [text for text in self._company.messages if text.sid not in self._reported]
            for text in new:
                try:
                    if text.status_callback:
                        self._company.callback(text.sid, "delivered")
                except requests.RequestException:
                    logger.info("The shop does not answer yet; it hears of text %s later.", text.sid)
                    return False
                self._reported.add(text.sid)
        if new:
            self.save()
        return bool(new)

    def save(self) -> None:
        """Keep everything, for the next start."""
        rows = [{**asdict(text), "at": text.at.isoformat()} for text in self._company.messages]
        draft = self._kept.with_suffix(".draft")
        draft.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
        draft.replace(self._kept)

    def forget(self) -> None:
        """Empty all phones."""
        self._company.messages.clear()
        self.save()


#: The phones of this process, while `run` lasts.
_running: list[Phones] = []


def here() -> Phones | None:
    """The phones that this process runs; None: texts go elsewhere."""
    return _running[-1] if _running else None


@contextmanager
def run(kept: Path, *, post: Post = post_by_http) -> Iterator[Phones]:
    """Let this process be the phone company, and let the shop's texts go there."""
    # What phones show should be the app's doing, so the company leaves STOP and its answer to the app.
    with SmsCounterpart(post=post, carrier_managed=False) as company:
        phones = Phones(company, kept)
        _running.append(phones)
        try:
            with override_settings(
                SETTINGS_MODULE=settings.SETTINGS_MODULE,  # an override has none, and `runserver` prints it
                CROSSCHANNEL_SMS_BACKEND=TWILIO_BACKEND,
                CROSSCHANNEL_TWILIO=company.settings(),
                CROSSCHANNEL_SMS_OPT_OUT_REPLIES="app_managed",
            ):
                yield phones
        finally:
            _running.remove(phones)


def screen(number: str) -> list[Bubble]:
    """One phone's conversation with the shop, oldest first."""
    phones = here()
    got = [text for text in phones.received() if text.to == number] if phones else []
    said = InboxEvent.objects.filter(name="sms.received", phone=number)
    bubbles = [
        *(Bubble(text.at, text.body, is_ours=True, status=text.status) for text in got),
        *(Bubble(event.occurred_at, event.data["body"], is_ours=False) for event in said),
    ]
    return sorted(bubbles, key=lambda bubble: bubble.at)


def _load(kept: Path) -> list[Text]:
    if not kept.exists():
        return []
    rows = json.loads(kept.read_text(encoding="utf-8"))
    return [Text(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in rows]
