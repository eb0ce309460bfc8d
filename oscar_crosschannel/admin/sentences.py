"""Codes in words: the one place where a stored code becomes something a merchant can read.

Pieces of sentences begin in lower case; whoever puts one first gives it its capital.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..core.decision import Finding, Objection, Outcome
from ..core.facts import Answer, Purpose
from ..core.lifecycle import State, Status
from ..core.rulings import Reason

Words = str | Promise

CHANNELS: Mapping[str, Words] = {"email": _("email"), "sms": _("SMS")}

STATES: Mapping[State, Words] = {
    State.PLANNED: _("waiting"),
    State.CLAIMED: _("about to go"),
    State.SENDING: _("going out"),
    State.SENT: _("sent"),
    State.UNKNOWN: _("perhaps sent"),
    State.DROPPED: _("not sent"),
    State.CANCELLED: _("called off"),
    State.FAILED: _("failed"),
}

#: Which colour a state gets; see admin.css.
TONES: Mapping[State, str] = {
    State.PLANNED: "open",
    State.CLAIMED: "open",
    State.SENDING: "open",
    State.SENT: "good",
    State.UNKNOWN: "doubt",
    State.DROPPED: "quiet",
    State.CANCELLED: "quiet",
    State.FAILED: "bad",
}

STATUSES: Mapping[Status, Words] = {
    Status.INTENDED: _("the call was begun; no answer is known"),
    Status.NOT_SENT: _("not accepted by the provider"),
    Status.QUEUED: _("accepted by the provider"),
    Status.SENDING: _("the provider is sending it"),
    Status.SENT: _("sent by the provider"),
    Status.DEFERRED: _("delayed by the recipient's side"),
    Status.FAILED: _("failed at the provider"),
    Status.UNDELIVERED: _("could not be delivered"),
    Status.DELIVERED: _("delivered"),
    Status.READ: _("read"),
}

#: `channel` names one channel or several.
REASONS: Mapping[Reason, Words] = {
    Reason.NO_POINT: _("no address is known for %(channel)s"),
    Reason.NO_PROVIDER: _("the shop has no provider for %(channel)s"),
    Reason.NO_CONSENT: _("no consent for %(channel)s"),
    Reason.WEAK_CONSENT: _("where the recipient lives, this kind of consent is not enough for %(channel)s"),
    Reason.NO_AGE_PROOF: _("the recipient has not proven to be old enough for this topic"),
    Reason.AWAITING_OPT_IN: _("consent for %(channel)s has yet to be confirmed by the owner of the address"),
    Reason.SUPPRESSED: _("the address is on the suppression list for %(channel)s"),
    Reason.NOT_WANTED: _("there is no occasion for it any more (bought, taken back, or done already)"),
    Reason.CONDITION: _("the step's condition is not met"),
    Reason.DUPLICATE: _("the same was said before"),
    Reason.OUTSIDE_HOURS: _("quiet hours for %(channel)s where the recipient is"),
    Reason.NO_OPEN_HOURS: _("the places where the recipient may be share no hour open for %(channel)s"),
    Reason.PAUSED: _("the recipient asked for a pause"),
    Reason.GUARDED: _("marketing by %(channel)s is paused because of complaints or bounces"),
    Reason.CAPPED: _("enough messages for now (frequency limit for %(channel)s)"),
    Reason.SLOT_RESERVED: _("a more important message needs the place"),
    Reason.HELD_OUT: _("belongs to the control group that gets nothing"),
    Reason.VOUCHER_TOO_SOON: _("had an exclusive code not long ago"),
    Reason.CHANNEL_CLOSED: _("the provider for %(channel)s does not work at the moment"),
    Reason.OVER_BUDGET: _("the budget for texts is used up"),
    Reason.SHADOW: _("it would have gone out, but the flow is in shadow mode"),
    Reason.NO_WORDS: _("its words are broken, and there are no others to take"),
    Reason.PACED: _("it waits for its turn: the sender may send only so many a second"),
    Reason.REFUSED: _("the provider for %(channel)s refused it for good"),
    Reason.EXPIRED: _("its time was over before it could go out"),
    Reason.NO_OPEN_TIME: _("no time was found at which all rules allow %(channel)s"),
    Reason.PURCHASED: _("the customer has bought"),
    Reason.OPTED_OUT: _("the customer said stop"),
    Reason.ERASED: _("the customer’s data were erased"),
    Reason.REPLACED: _("a newer run, or a merged contact, took its place"),
    Reason.FLOW_OFF: _("the flow is switched off"),
    Reason.STEP_REMOVED: _("the step was removed from the flow"),
    Reason.STAFF: _("by the shop’s staff"),
    Reason.VOUCHER_UNAVAILABLE: _("no exclusive code was to be had (budget spent, or offer closed)"),
    Reason.CONTEXT_ERROR: _("the shop could not say what belongs into it (see the log)"),
    Reason.NOT_PREPARED: _("something failed just before it was to go out; it is tried again (see the log)"),
    Reason.RENDER_ERROR: _("its words could not be put together (see the log)"),
    Reason.TOO_LONG: _("the text was too long"),
    Reason.PROVIDER_REFUSED: _("the provider refused it"),
    Reason.GAVE_UP: _("it could not be sent, however often it was tried"),
    Reason.POISON: _("the worker broke off each time it tried (see the log)"),
    Reason.NO_ANSWER: _("the provider did not report back"),
}

#: Rules by the name of their policy; a store's own policy is shown by its name.
POLICIES: Mapping[str, Words] = {
    "reachable": _("Address"),
    "consented": _("Consent"),
    "old_enough": _("Minimum age"),
    "not_suppressed": _("Suppression list"),
    "still_wanted": _("Still wanted"),
    "not_duplicate": _("Never twice"),
    "not_held_out": _("Control group"),
    "voucher_gap": _("Codes stay rare"),
    "not_paused": _("Pause"),
    "not_guarded": _("Reputation"),
    "within_budget": _("Budget"),
    "channel_open": _("Provider"),
    "inside_hours": _("Hours"),
    "held_until_morning": _("Night"),
    "within_caps": _("Frequency"),
    "slot_free": _("Important things first"),
    "decide": _("All rules together"),
}

PURPOSES: Mapping[Purpose, Words] = {
    Purpose.MARKETING: _("marketing"),
    Purpose.REQUESTED: _("asked for by the recipient"),
    Purpose.TRANSACTIONAL: _("part of an order or account"),
    Purpose.CRITICAL: _("critical"),
}

ANSWERS: Mapping[Answer, Words] = {
    Answer.GRANTED: _("agreed"),
    Answer.PENDING: _("to be confirmed"),
    Answer.REVOKED: _("withdrawn"),
}

ANSWER_TONES: Mapping[Answer, str] = {
    Answer.GRANTED: "good",
    Answer.PENDING: "doubt",
    Answer.REVOKED: "bad",
}

#: Signs that no person made a click, as `core.clicks` names them.
SUSPICIONS: Mapping[str, Words] = {
    "method": _("asked only for the head of the page"),
    "agent": _("calls itself a machine"),
    "too_soon": _("came within seconds of the delivery"),
    "many_links": _("followed several links at once"),
    "trap": _("followed a link that people cannot see"),
}

EVENTS: Mapping[str, Words] = {
    "basket.active": _("something changes in a basket"),
    "checkout.started": _("a checkout begins"),
    "order.placed": _("an order is placed"),
    "user.registered": _("an account is made"),
    "consent.requested": _("a consent waits for its confirmation"),
    "basket.recovered": _("a basket is restored from a link"),
    "account.changed": _("email address or password of an account is changed"),
    "account.email_left": _("an account gets another email address"),
    "text.written": _("Oscar has a text to send"),
    "event.announced": _("people are invited to an event"),
    "event.relinked": _("a booked event gets another link to join"),
}

#: How a text that came back was understood, as `core.keywords` names it.
REPLIES: Mapping[str, Words] = {
    "stop": _("a stop"),
    "review_stop": _("sounds like a stop; marketing waits until somebody has read it"),
    "help": _("asked for help"),
    "start": _("allowed texts again at the carrier; that is no consent"),
    "yes": _("a yes"),
    "orders": _("wants texts about orders all the same"),
    "join": _("a sign-up"),
    "none": "",
}

#: How a person told staff, as the ledger of consents keeps it.
WAYS: Mapping[str, Words] = {
    "phone_call": _("on the phone"),
    "conversation": _("face to face"),
    "letter": _("by letter"),
    "mail_to_staff": _("in an email to the shop"),
    "message_to_staff": _("in a chat or another message to the shop"),
    # why somebody was not asked whether a ticked box was meant
    "asked_lately": _("the number was asked lately and did not say yes"),
    "many_numbers": _("too many numbers in a day"),
    "many_texts": _("the shop’s hourly limit of questions was reached"),
    "many_from_ip": _("too many questions from one place on the internet"),
    "no_open_hours": _("no hour is open wherever the number may ring"),
    "no_mailbox": _("no email address is known to confirm it"),
    "mailbox_blocked": _("its mailbox gets nothing"),
}

CONDITIONS: Mapping[str, Words] = {
    "purchased": _("bought since the run began"),
    "voucher_used": _("the code of this run was used"),
    "texts_possible": _("the shop can send texts"),
}


def channels(keys: Iterable[str]) -> str:
    """The channels, joined: "email and SMS"."""
    return get_text_list([str(CHANNELS.get(key, key)) for key in keys], gettext("and"))


def channel_order(keys: Iterable[str]) -> str:
    """The channels of a step, the best first: "email, else SMS"."""
    return gettext(", else ").join(channels([key]) for key in keys) or gettext("none")


def reason(code: str, keys: Iterable[str] = ()) -> str:
    """Why, about these channels; a code that nobody knows any more is shown as it is."""
    if code not in REASONS:
        return code
    return str(REASONS[Reason(code)]) % {"channel": channels(keys) or gettext("the channel")}


def objection(against: Objection, channel: str) -> str:
    """One rule's no."""
    return gettext("%(rule)s: %(why)s") % {
        "rule": POLICIES.get(against.policy, against.policy),
        "why": reason(against.reason, [channel]),
    }


def finding(found: Finding, now: datetime) -> str:
    """What the rules together said of one channel."""
    when = {"when": moment(found.at, now)}
    if found.outcome is Outcome.DENIED:
        return gettext("not possible")
    if found.outcome is Outcome.HELD:
        return gettext("waits for a confirmation, until %(when)s at the latest") % when
    if found.outcome is Outcome.LATE:
        return gettext("free from %(when)s, which is too late for this message") % when
    return gettext("free from %(when)s") % when if found.objections else gettext("nothing spoke against it")


def event(name: str) -> str:
    """What starts or stops a flow."""
    return str(EVENTS.get(name, name))


def condition(name: str) -> str:
    """What a step may depend on."""
    return str(CONDITIONS.get(name, name))


def moment(at: datetime, now: datetime) -> str:
    """An instant on the merchant's clock; today's without the date."""
    local = timezone.localtime(at)
    same_day = local.date() == timezone.localtime(now).date()
    return formats.date_format(local, "TIME_FORMAT" if same_day else "DATETIME_FORMAT")


def from_anchor(delay: timedelta) -> str:
    """When a step falls due: "1 hour after", "10 minutes before", "at once"."""
    if not delay:
        return gettext("at once")
    words = {"time": length(abs(delay))}
    return gettext("%(time)s before") % words if delay < timedelta(0) else gettext("%(time)s after") % words


def length(span: timedelta) -> str:
    """A length of time in days, hours and minutes: "1 day 6 hours"."""
    minutes = round(span.total_seconds() / 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    return " ".join(_parts(days, hours, minutes)) or gettext("less than a minute")


def _parts(days: int, hours: int, minutes: int) -> Iterable[str]:
    if days:
        yield ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    if hours:
        yield ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    if minutes:
        yield ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
