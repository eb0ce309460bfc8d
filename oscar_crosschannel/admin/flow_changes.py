"""What is different between two standings of a flow, in sentences: for its log, its versions, and before saving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext, gettext_lazy as _, ngettext, ngettext_lazy
from oscar.core.loading import get_model

from ..conf import settings
from ..core.facts import Purpose
from ..core.plan import Plan, Step, StepTuning, Tuning
from ..models import Topic
from ..services import copies
from ..services.flow_versions import Outline, Parts, Place, Standing
from ..services.tuning import Effect
from . import sentences, titles

ConditionalOffer = get_model("offer", "ConditionalOffer")

PARTS = {"subject": _("Subject"), "text": _("Text"), "html": _("HTML")}

#: What a select says for "as it is declared".
INHERITED = ""

#: How important a merchant's own flow may be, where several messages compete for one person.
PRIORITIES: Mapping[int, sentences.Words] = {
    20: _("More important than reminders of baskets"),
    50: _("As important as most flows"),
    80: _("Less important than other flows"),
}

#: On, off or between, as forms name it: whether the flow runs, and whether it only pretends.
STATES: Mapping[str, tuple[bool, bool]] = {"on": (True, False), "shadow": (True, True), "off": (False, False)}
STATE_WORDS: Mapping[str, sentences.Words] = {"on": _("on"), "shadow": _("in shadow mode"), "off": _("off")}


def state(plan: Plan) -> str:
    """Whether a flow is on, off, or in shadow mode, as `STATES` names it."""
    return "off" if not plan.enabled else "shadow" if plan.shadow else "on"


def offer_names() -> dict[int, str]:
    """The shop's offers that codes may give, by id."""
    vouchers = ConditionalOffer.objects.filter(offer_type=ConditionalOffer.VOUCHER)
    return dict(vouchers.values_list("pk", "name"))


def differences(
    declared: Plan, before: Standing, after: Standing, offers: Mapping[int, str], *, with_words: bool = True
) -> list[str]:
    """What changed, a sentence each: "Delay of Code: 24 hours → 30 hours". `offers`: names by id."""
    found = [*_state_changes(declared, before.tuning, after.tuning)]
    found += _outline_changes(before.outline, after.outline)
    keys = dict.fromkeys([*(step.key for step in declared.steps), *before.tuning.steps, *after.tuning.steps])
    for key in keys:
        step = declared.step(key)
        found += _step_changes(key, step, before.tuning.steps.get(key), after.tuning.steps.get(key), offers)
    if with_words:
        found += [
            gettext("Words of %(place)s: %(part)s") % {"place": place_words(place, after), "part": name}
            for place, name, _old, _new in words_changed(before, after)
        ]
    return found


# ---------------------------------------------------------------------------------------- on, off, outline


def _state_changes(declared: Plan, before: Tuning, after: Tuning) -> Iterator[str]:
    if (then := _state_words(declared, before)) != (now := _state_words(declared, after)):
        yield gettext("Flow: %(before)s → %(after)s") % {"before": then, "after": now}
    if before.holdout != after.holdout:
        words = {"before": _share(declared, before), "after": _share(declared, after)}
        yield gettext("Control group: %(before)s → %(after)s") % words


def _state_words(declared: Plan, tuning: Tuning) -> str:
    word = str(STATE_WORDS[state(declared.tuned(Tuning(enabled=tuning.enabled, shadow=tuning.shadow)))])
    return as_declared(word) if tuning.enabled is None and tuning.shadow is None else word


def _share(declared: Plan, tuning: Tuning) -> str:
    share = declared.holdout if tuning.holdout is None else tuning.holdout
    word = share_words(share)
    return as_declared(word) if tuning.holdout is None else word


def share_words(share: float) -> str:
    """How large a control group is."""
    return f"{share:.0%}" if share else gettext("none")


def _outline_changes(before: Outline, after: Outline) -> Iterator[str]:
    then, now = outline_words(before), outline_words(after)
    for name, words in now.items():
        if then[name] != words:
            yield gettext("%(name)s: %(before)s → %(after)s") % {
                "name": name,
                "before": then[name],
                "after": words,
            }


def outline_words(outline: Outline) -> dict[str, str]:
    """What a flow of the merchant's own says, in words, by what it is called."""
    rest = outline.again_after
    priority = PRIORITIES.get(outline.priority, outline.priority)
    return {
        gettext("Title"): outline.title,
        gettext("Topic"): topic_name(outline.topic),
        gettext("Ends when"): ", ".join(map(titles.event, outline.stops)) or gettext("nothing ends it"),
        gettext("Once per person, ever"): gettext("yes") if outline.once else gettext("no"),
        gettext("Rest before the next run"): gettext("as usual") if rest is None else sentences.length(rest),
        gettext("Importance"): str(priority),
    }


def topic_name(key: str) -> str:
    """What a topic is called; its key once it is gone."""
    topic = Topic.objects.filter(key=key).prefetch_related("words").first()
    return titles.topic(topic) if topic is not None else key


# ---------------------------------------------------------------------------------------------------- steps


def _step_changes(
    key: str,
    step: Step | None,
    before: StepTuning | None,
    after: StepTuning | None,
    offers: Mapping[int, str],
) -> Iterator[str]:
    if step is None and (before is None or after is None):
        yield from _come_or_gone(key, before, after, offers)
        return
    then, now = before or StepTuning(), after or StepTuning()
    name = titles.step(key, now.title or (step.title if step else ""))
    if then.removed != now.removed:
        switched = gettext("%(step)s: switched off") if now.removed else gettext("%(step)s: switched on")
        yield switched % {"step": name}
    was, will_be = told(key, step, then, offers), told(key, step, now, offers)
    for field, sentence in _CHANGED.items():
        if was[field] != will_be[field]:
            yield str(sentence) % {"step": name, "before": was[field], "after": will_be[field]}


def _come_or_gone(
    key: str, before: StepTuning | None, after: StepTuning | None, offers: Mapping[int, str]
) -> Iterator[str]:
    """A step of the merchant's own, of which one side knows nothing."""
    if (known := after or before) is None:
        return
    words = told(key, None, known, offers)
    sentence = _ADDED if after is not None else _NOT_YET
    yield str(sentence) % {"step": words["title"], "when": words["delay"], "channels": words["channels"]}


_ADDED = _("%(step)s: added (%(when)s, %(channels)s)")
_NOT_YET = _("%(step)s: did not exist")

_CHANGED = {
    "title": _("Title of %(step)s: %(before)s → %(after)s"),
    "delay": _("Delay of %(step)s: %(before)s → %(after)s"),
    "expires": _("%(step)s is worth sending: %(before)s → %(after)s"),
    "channels": _("Channels of %(step)s: %(before)s → %(after)s"),
    "patience": _("Patience of %(step)s: %(before)s → %(after)s"),
    "only_if": _("%(step)s only if: %(before)s → %(after)s"),
    "unless": _("%(step)s not if: %(before)s → %(after)s"),
    "voucher": _("Code with %(step)s: %(before)s → %(after)s"),
    "voucher_valid": _("Code of %(step)s is good for: %(before)s → %(after)s"),
    "offer": _("Offer of %(step)s: %(before)s → %(after)s"),
}


def told(key: str, step: Step | None, tuning: StepTuning, offers: Mapping[int, str]) -> dict[str, str]:
    """The values of a step in words, by field; what is inherited is marked so."""
    own = {
        "title": tuning.title,
        "delay": None if tuning.delay is None else sentences.from_anchor(tuning.delay),
        "expires": None if tuning.expires is None else _until_words(tuning.expires),
        "channels": None if tuning.channels is None else sentences.channel_order(tuning.channels),
        "patience": None if tuning.patience is None else patience_words(tuning.patience),
        "only_if": None if tuning.only_if is None else condition_words(tuning.only_if),
        "unless": None if tuning.unless is None else condition_words(tuning.unless),
        "voucher": None if tuning.voucher is None else yes_or_no(tuning.voucher),
        "voucher_valid": None if tuning.voucher_valid is None else sentences.length(tuning.voucher_valid),
        "offer": None if tuning.offer_id is None else offers.get(tuning.offer_id, f"#{tuning.offer_id}"),
    }
    otherwise = inherited(step or Step(key=key, channels=(), delay=timedelta(0)))
    return {
        name: (as_declared(otherwise[name]) if step is not None else otherwise[name])
        if words is None
        else words
        for name, words in own.items()
    }


def inherited(step: Step) -> dict[str, str]:
    """What a step was declared as, in words, by field."""
    return {
        "title": titles.step(step.key, step.title),
        "delay": sentences.from_anchor(step.delay),
        "expires": _until_words(step.expires),
        "channels": sentences.channel_order(step.channels),
        "patience": patience_words(step.patience),
        "only_if": condition_words(step.only_if),
        "unless": condition_words(step.unless),
        "voucher": yes_or_no(step.voucher),
        "voucher_valid": sentences.length(step.voucher_valid or settings.VOUCHER_VALID_FOR),
        "offer": settings.VOUCHER_OFFER or gettext("none"),
    }


def as_declared(value: str) -> str:
    """How an inherited value is shown."""
    return gettext("%(value)s (as declared)") % {"value": value}


def patience_words(span: timedelta) -> str:
    return sentences.length(span) if span else gettext("none")


def condition_words(name: str) -> str:
    return sentences.condition(name) if name else gettext("no condition")


def yes_or_no(value: bool) -> str:
    return gettext("yes") if value else gettext("no")


def _until_words(expires: timedelta | None) -> str:
    if expires is None:
        return gettext("until the next step")
    return gettext("until %(when)s") % {"when": sentences.from_anchor(expires)}


# ---------------------------------------------------------------------------------------------------- words


def words_changed(before: Standing, after: Standing) -> Iterator[tuple[Place, str, str, str]]:
    """Each part of the words that is not the same: where, its name, and what it said then and says now."""
    places = dict.fromkeys([*before.words, *after.words])
    for place in places:
        then, now = before.words.get(place, {}), after.words.get(place, {})
        for part, name in PARTS.items():
            if then.get(part) != now.get(part):
                yield place, str(name), _written(then, part), _written(now, part)


def _written(parts: Parts, part: str) -> str:
    words = parts.get(part)
    return gettext("(none of your own)") if words is None else words or gettext("(left out)")


def place_words(place: Place, stood: Standing) -> str:
    """Which message: "Code, SMS, English"."""
    key, channel, language, _variant = place
    step = stood.tuning.steps.get(key, StepTuning())
    spoken = copies.languages().get(language, language)
    return ", ".join([titles.step(key, step.title), sentences.channels([channel]), spoken])


# --------------------------------------------------------------------------------------------- people inside


def meaning(effect: Effect, before: Plan, after: Plan) -> Sequence[str]:
    """What a change means for the people inside, a sentence each; nothing, if it means nothing to them."""
    switched, is_about_another = state(before) != state(after), before.topic != after.topic
    if not effect.waiting or not (switched or is_about_another or effect.touched or effect.missing):
        return ()
    found = [
        ngettext(
            "%(count)d message is waiting for somebody inside.",
            "%(count)d messages are waiting for people inside.",
            effect.waiting,
        )
        % {"count": effect.waiting}
    ]
    found += [str(sentence % {"count": count}) for sentence, count in _effects(effect) if count]
    for key, count in effect.missing.items():
        step = after.step(key)
        words = {"step": titles.step(key, step.title if step else ""), "count": count}
        found.append(
            ngettext(
                "%(count)d person waits for a later step already, and does not get “%(step)s”.",
                "%(count)d people wait for a later step already, and do not get “%(step)s”.",
                count,
            )
            % words
        )
    if is_about_another:
        found.append(_judged_as(after.topic, effect.waiting))
    if switched:
        found.append(str(_SWITCHED[state(after)]))
    return found


def _judged_as(key: str, count: int) -> str:
    """What another topic means: marketing does not reach who has not agreed to it."""
    known = Topic.objects.filter(key=key).values_list("purpose", flat=True).first()
    purpose = Purpose(known or Purpose.MARKETING)  # of a topic that is gone nobody knows better
    sentence = _JUDGED_AS_MARKETING if purpose is Purpose.MARKETING else _JUDGED_AS
    words = {"count": count, "topic": topic_name(key), "purpose": sentences.PURPOSES[purpose]}
    return str(sentence % words)


def _effects(effect: Effect) -> Iterator[tuple[Any, int]]:
    yield _DUE_NOW, effect.due_now
    yield _LATE, effect.late
    yield _LOSING, effect.losing
    yield _FOLLOWING, effect.following


_DUE_NOW = ngettext_lazy("%(count)d becomes due now.", "%(count)d become due now.", "count")
_LATE = ngettext_lazy(
    "For %(count)d it is too late then: it is not sent.",
    "For %(count)d it is too late then: they are not sent.",
    "count",
)
_LOSING = ngettext_lazy(
    "%(count)d loses its step: it is not sent, and the next step is planned instead.",
    "%(count)d lose their step: they are not sent, and the next step is planned instead.",
    "count",
)
_FOLLOWING = ngettext_lazy(
    "%(count)d is planned anew, from the event that began the run.",
    "%(count)d are planned anew, from the events that began the runs.",
    "count",
)

_JUDGED_AS_MARKETING = ngettext_lazy(
    "%(count)d is judged as “%(topic)s” (%(purpose)s) from now on: without consent to that, it is not sent.",
    "%(count)d are judged as “%(topic)s” (%(purpose)s) from now on: who has not agreed to that does not get them.",
    "count",
)
_JUDGED_AS = ngettext_lazy(
    "%(count)d is judged as “%(topic)s” (%(purpose)s) from now on.",
    "%(count)d are judged as “%(topic)s” (%(purpose)s) from now on.",
    "count",
)

_SWITCHED: Mapping[str, sentences.Words] = {
    "on": _("From now on, what falls due is sent. What fell due before is not made up for."),
    "shadow": _("From now on, what falls due is decided and recorded, and not sent."),
    "off": _("From now on, what falls due is not sent, and not made up for later. People stay inside."),
}
