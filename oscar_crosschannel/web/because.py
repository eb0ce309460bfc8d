"""How things stand and how they came about, in sentences for the person whom they concern."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext, gettext_lazy as _, pgettext_lazy

from ..core.consent import Unasked
from ..core.facts import SMS
from ..models import ConsentEvent, Suppression
from ..services import keyword_sign_up
from ..services.preferences import Choice, Reach, Standing

Words = str | Promise

#: With a context: bare, "Email" is the label of a field in Django's own catalogues.
CHANNELS: Mapping[str, Words] = {
    "email": pgettext_lazy("a channel", "Email"),
    "sms": pgettext_lazy("a channel", "Texts"),
}
#: What the words are about, by the kind of box that they stand beside.
KINDS: Mapping[str, Words] = {
    "email": _("When you switch on emails"),
    "sms": _("When you switch on texts"),
    "order_texts": _("When you switch on texts that do not advertise"),
}

#: Where somebody agreed, by the ledger's `source`.
_AGREED: Mapping[str, Words] = {
    "registration": _("You ticked the box when you registered."),
    "gateway": _("You ticked the box in the checkout."),
    "preview": _("You ticked the box in the checkout."),
    "checkout": _("You ticked the box in the checkout."),
    "thank_you": _("You ticked the box after your order."),
    "sign_up": _("You signed up with a form in the shop."),
    "account": _("You switched it on in your account."),
    "page": _("You switched it on on this page."),
    "invitation": _("You followed an invitation in one of our emails."),
    "keyword": _("You texted us the word that signs up."),
    "staff": _("The shop’s staff noted that you agreed."),
    "import": _("The shop took your consent over from an earlier system."),
}
#: How the owner of the address said that it was them, by the ledger's `mechanism`.
_CONFIRMED: Mapping[str, Words] = {
    "reply": _("You confirmed it by answering YES."),
    "link": _("You confirmed it by email."),
}
#: How somebody stopped it, by the ledger's `source`.
_STOPPED: Mapping[str, Words] = {
    "one_click": _("You unsubscribed in your mail program."),
    "page": _("You switched it off on a page behind a link of ours."),
    "account": _("You switched it off in your account."),
    "keyword": _("You answered STOP."),
    "reply": _("You wrote to us that you do not want it."),
    "email_reply": _("You wrote to us that you do not want it."),
    "mailto": _("You unsubscribed by email."),
    "staff": _("You told the shop’s staff."),
    "provider": _("Your provider told us that you do not want it."),
}


def day(at: datetime) -> str:
    """The date of an instant, on the clock of the time zone in force."""
    return date_format(localtime(at), "DATE_FORMAT")


def agreed(event: ConsentEvent) -> str:
    """How somebody agreed, and how the owner of the address confirmed it; empty when neither is known."""
    confirmed = _CONFIRMED.get(event.mechanism) if event.request_id is not None else None
    return " ".join(str(words) for words in (_AGREED.get(event.source), confirmed) if words)


def stopped(event: ConsentEvent) -> str:
    """How somebody stopped it; empty when that is not known."""
    return str(_STOPPED.get(event.source, ""))


def standing(choice: Choice) -> str:
    """How things are with one topic on one channel, since when and why."""
    event = choice.event
    match choice.standing:
        case Standing.ALWAYS:
            return gettext("Always on, because it belongs to your orders.")
        case Standing.WHEN_ASKED:
            return gettext("On: you get it only when you asked for it.")
        case Standing.WITH_ORDERS:
            return gettext("On: for orders with your phone number.")
        case Standing.PENDING:
            return _pending(choice)
        case Standing.LAPSED:
            return _lapsed(choice)
        case Standing.ON if event is not None:
            return _on(choice, event)
        case Standing.OFF if event is not None:
            words = {"day": day(event.at), "how": stopped(event)}
            return (gettext("Off since %(day)s. %(how)s") % words).strip()
        case _:
            return gettext("Off.")


def blocked(reach: Reach) -> str:
    """Why nothing, or no marketing, goes to an address; empty when nothing is against it."""
    block = reach.block
    if block is None:
        return ""
    stops_texts = reach.channel == SMS and block.scope == Suppression.Scope.EVERYTHING
    if stops_texts and block.cause == Suppression.Cause.REVOKED:
        words = gettext(
            "You stopped all texts on %(day)s. To have them again, text START from your phone to the number "
            "our texts came from; then switch on here what you want."
        )
        return words % {"day": day(block.since)}
    if stops_texts and block.cause == Suppression.Cause.CARRIER_BLOCK:
        return gettext(
            "This number is blocked for our texts. If that was you, text START to the number our texts came "
            "from; then you can switch on here what you want."
        )
    why = _BLOCKED.get(Suppression.Cause(block.cause), _("The shop stopped it on %(day)s."))
    return str(why) % {"day": day(block.since)}


def not_asked(why: Unasked) -> str:
    """Why nobody could be asked to confirm what was switched on, and what else to do."""
    match why:
        case Unasked.MANY_NUMBERS:
            return gettext("Those were many numbers for one day. Please try again tomorrow.")
        case Unasked.NO_MAILBOX:
            problem = gettext("To confirm another number we would have to email you, and know no address.")
        case Unasked.MAILBOX_BLOCKED:
            return gettext(
                "This takes a confirmation by email, and our emails do not reach you. Please give the shop "
                "another email address first."
            )
        case _:
            # whoever else may have had the number asked is nobody's business
            problem = gettext("We cannot ask this number for its YES now. Please try again in a week.")
    word = keyword_sign_up.word(get_language() or "")
    if not word:
        return problem
    way = gettext("You can also text %(word)s from it to the number that our texts come from.")
    return f"{problem} {way % {'word': word}}"


_BLOCKED: Mapping[Suppression.Cause, Words] = {
    Suppression.Cause.HARD_BOUNCE: _("Messages to this address came back, so we send none there."),
    Suppression.Cause.INVALID: _("Messages to this address came back, so we send none there."),
    Suppression.Cause.REVOKED: _("You stopped everything here on %(day)s."),
    Suppression.Cause.COMPLAINT: _("Your provider told us on %(day)s that you do not want our messages."),
    Suppression.Cause.REVIEW: _("You wrote to us, and we advertise nothing here until somebody has read it."),
}


def _on(choice: Choice, event: ConsentEvent) -> str:
    words = {"day": day(event.at), "how": agreed(event)}
    if choice.until is None:
        return (gettext("On since %(day)s. %(how)s") % words).strip()
    until = {**words, "end": day(choice.until)}
    return (gettext("On since %(day)s, until %(end)s. %(how)s") % until).strip()


def _pending(choice: Choice) -> str:
    words = {"day": day(choice.until) if choice.until is not None else ""}
    if choice.channel == SMS:
        return gettext("Not on yet: answer our text with YES, by %(day)s.") % words
    return gettext("Not on yet: press the button in our email, by %(day)s.") % words


def _lapsed(choice: Choice) -> str:
    if choice.event is not None and choice.event.action == ConsentEvent.Action.REQUEST:
        return gettext("Off. Our question whether you want it was not answered in time.")
    words = {"day": day(choice.until) if choice.until is not None else ""}
    return gettext("Off since %(day)s: it was for a limited time.") % words
