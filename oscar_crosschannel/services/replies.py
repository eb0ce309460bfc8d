"""What a customer texts back: stop, help, start, yes. Everything else waits for a person to read it."""

from __future__ import annotations

from datetime import datetime, timedelta
from string import punctuation, whitespace

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import translation
from django.utils.translation import gettext as _

from ..conf import settings
from ..core import phones
from ..core.events import Event
from ..core.facts import SMS
from ..core.keywords import Keyword, classify
from ..models import ConsentEvent, ContactPoint, InboxEvent, Message
from . import answers, confirmations, consents, contacts, doubts, inbox, keyword_sign_up, suppressions

#: A number gets one answer to HELP in this time, so that two machines do not talk for ever.
HELP_PAUSE = timedelta(hours=1)
#: A number given up goes to nobody else for so long in the United States (47 CFR 52.15(f)(1)(ii)).
SAME_OWNER = timedelta(days=45)
#: Note in the inbox that HELP was answered.
HELPED = "sms.helped"
#: What Twilio acts upon and answers by itself (its help article 223134027).
PROVIDERS_WORDS = frozenset(
    ["STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL", "HELP", "INFO"]
)


@transaction.atomic
def take_inbound(*, sid: str, phone: str, to: str, body: str, opt_out_type: str = "", now: datetime) -> str:
    """Take one inbound text: the record and what follows from it commit together (rule 16).

    `phone` is the sender, `opt_out_type` what the provider itself understood (STOP, START, HELP).
    Returns the reply, or "" for none. A doubled delivery changes nothing and gets none.
    """
    meaning = _meaning(body, opt_out_type)
    event = Event(
        name="sms.received",
        key=sid[:160],
        occurred_at=now,
        phone=phone,
        data={"to": to, "body": body.replace("\x00", ""), "meaning": meaning, "opt_out_type": opt_out_type},
    )
    if not inbox.record(event, now=now):
        return ""
    is_answered = _provider_answers(body, opt_out_type)
    with translation.override(_language(phone)):
        match meaning:
            case Keyword.STOP:
                stopped = _stop(sid=sid, phone=phone, body=body, now=now)
                return _goodbye() if stopped and not is_answered and not _is_toll_free(to) else ""
            case Keyword.REVIEW_STOP:
                doubts.raise_doubt(SMS, phone, event, now=now)
            case Keyword.ORDERS:
                _keep_orders(event, now)
            case Keyword.HELP:
                return _help(phone, now) if not is_answered and _may_help(phone, now) else ""
            case Keyword.JOIN:
                return keyword_sign_up.take(phone, body=body, sid=sid, now=now)
            case Keyword.YES:
                return _yes(event, body, now)
            case Keyword.START:
                suppressions.unblock_carrier(SMS, phone, now=now)
            case Keyword.NONE:
                answers.keep(event)
    return ""


def _meaning(body: str, opt_out_type: str) -> Keyword:
    """The provider may know more words for STOP than we do; it never unsays ours (rule 18)."""
    ours = classify(body, join=keyword_sign_up.words())
    if opt_out_type == "STOP":
        return Keyword.STOP
    if ours is not Keyword.NONE:
        return ours
    return {"START": Keyword.START, "HELP": Keyword.HELP}.get(opt_out_type, Keyword.NONE)


def _stop(*, sid: str, phone: str, body: str, now: datetime) -> bool:
    return consents.revoke(
        SMS,
        phone,
        topics=None,
        source="keyword",
        mechanism="keyword",
        verbatim=body,
        provider_id=sid,
        now=now,
    )


def _keep_orders(event: Event, now: datetime) -> None:
    """What it means if we have not asked, a person may know. There is no answer to it: the STOP had its one."""
    if not _was_kept(event.phone, now):
        answers.keep(event)


def _was_kept(phone: str, now: datetime) -> bool:
    """The answer to our question, if it was asked, and in time."""
    if not _asks_scope() or settings.STOP_SCOPE_QUESTION is None:
        return False
    said = ConsentEvent.objects.filter(
        channel=SMS, address=contacts.known_as(SMS, phone), action=ConsentEvent.Action.REVOKE
    )
    last = said.order_by("-pk").first()
    if last is not None and last.mechanism == "keyword" and last.at > now - settings.STOP_SCOPE_QUESTION:
        suppressions.keep_orders(SMS, phone)
        return True
    return False


def _asks_scope() -> bool:
    """Whether our confirmation asks: where the provider answers STOP it blocks everything (rule 21)."""
    is_asked = settings.STOP_SCOPE_QUESTION is not None and not settings.STOP_KEEPS_TRANSACTIONAL
    return is_asked and settings.SMS_OPT_OUT_REPLIES == "app_managed"


def _goodbye() -> str:
    if settings.STOP_KEEPS_TRANSACTIONAL:
        words = _("%(brand)s: You are unsubscribed. We will text you only about your orders.")
    elif _asks_scope():
        words = _(
            "%(brand)s: You are unsubscribed and will get no more texts from us. "
            "To keep texts about your orders, reply ORDERS within %(hours)d h."
        )
    else:
        words = _("%(brand)s: You are unsubscribed and will get no more texts from us.")
    return words % _words()


def _help(phone: str, now: datetime) -> str:
    words = (
        _(
            "%(brand)s: offers and basket reminders by text, up to %(frequency)s a month. "
            "Message and data rates may apply. Help: %(support)s. Reply STOP to cancel."
        )
        % _words()
    )
    return confirmations.with_choices(words, _asker(phone, now))


def _asker(phone: str, now: datetime) -> ContactPoint | None:
    """Whose choices a text from this number is about: whoever confirmed it, or was texted there, last.

    None when neither was lately: the number may be somebody else's by now.
    """
    since = now - SAME_OWNER
    used = ContactPoint.objects.filter(
        channel=SMS, address=contacts.known_as(SMS, phone), current=True, contact__merged_into=None
    )
    texts = Message.objects.filter(contact=OuterRef("contact"), point=OuterRef("pk"), attempted_at__gt=since)
    last = texts.order_by("-attempted_at").values("attempted_at")[:1]
    lately = [
        (max(moments), point.pk, point)
        for point in used.annotate(texted_at=Subquery(last))
        if (moments := [at for at in (point.verified_at, point.texted_at) if at is not None and at > since])
    ]
    return max(lately)[2] if lately else None


def _yes(event: Event, body: str, now: datetime) -> str:
    topics = consents.confirm_reply(event.phone, body=body, provider_id=event.key, now=now)
    if not topics:
        if _bare(body) == "YES":  # which the provider takes for START
            suppressions.unblock_carrier(SMS, event.phone, now=now)
        answers.keep(event)  # to what, a person may know
        return ""
    return confirmations.signed_up(topics, _asker(event.phone, now))


def _provider_answers(body: str, opt_out_type: str) -> bool:
    """Whether a second answer would be one too many (rules 20, 23).

    A provider that answers STOP and HELP knows single words, and those an operator taught it, which
    it reports. It does not know "HILFE" or "stop please".
    """
    if settings.SMS_OPT_OUT_REPLIES == "app_managed":
        return False
    return bool(opt_out_type) or _bare(body) in PROVIDERS_WORDS


def _bare(body: str) -> str:
    """A text as providers compare it with their words."""
    return body.strip(whitespace + punctuation).upper()


def _may_help(phone: str, now: datetime) -> bool:
    """The key is unique, so of two texts at once only one is answered."""
    number, hour = contacts.digest(SMS, contacts.known_as(SMS, phone)), int(now.timestamp() // 3600)
    recently = InboxEvent.objects.filter(
        name=HELPED, key=f"{number}:{hour - 1}", occurred_at__gt=now - HELP_PAUSE
    )
    if recently.exists():
        return False
    return inbox.record(Event(name=HELPED, key=f"{number}:{hour}", occurred_at=now), now=now)


def _is_toll_free(number: str) -> bool:
    """The network answers STOP to these by itself."""
    try:
        phones.parse(number)
    except phones.InvalidPhone as invalid:
        return invalid.problem is phones.PhoneProblem.TOLL_FREE
    return False


def _language(phone: str) -> str:
    known = (contact.language for contact in contacts.find_by_address(SMS, phone))
    return next(filter(None, known), django_settings.LANGUAGE_CODE)


def _words() -> dict[str, str | int]:
    return {
        "brand": settings.BRAND,
        "frequency": settings.SMS_FREQUENCY,
        "support": settings.SUPPORT_CONTACT or settings.BASE_URL,
        "hours": int((settings.STOP_SCOPE_QUESTION or timedelta()) / timedelta(hours=1)),
    }
