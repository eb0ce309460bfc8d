"""Merchants' words: where the words of each message come from, what is wrong with new ones, and keeping them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import global_settings, settings as django_settings
from django.utils import translation
from django.utils.translation import gettext as _

from ..channels.loading import channel
from ..conf import settings
from ..core import tokens
from ..core.facts import SMS, Purpose
from ..core.outbound import ChannelError, Refused
from ..core.plan import Context, Plan, Step
from ..models import Copy, Flow
from . import composing, copy_language, flow_versions, limits, promotion, rendering, tuning
from .plans import PlannedFlow, tuning_of
from .rendering import CopyKey

#: The parts of copy that rows may hold, in the order in which people read them.
PARTS = ("subject", "text", "html")

#: Signs links and codes of examples. They look as the real ones do, and lead nowhere.
NOBODYS_KEY = b"an example: nothing is behind it"
#: The links of a shop's first 16 million messages are no longer than this one's.
_EXAMPLE_ID = 12_345_678


class Source(StrEnum):
    """Where the words of a part come from."""

    OWN = "own"  #: the merchant wrote them
    BASE = "base"  #: the merchant wrote them for the language without its region
    SHOP = "shop"  #: the merchant wrote them for the shop's own language, and none come with the flow
    FILE = "file"  #: they come with the flow
    EMPTY = "empty"  #: the merchant left the part out
    NONE = "none"  #: there are none


@dataclass(frozen=True, slots=True)
class Problem:
    """Why words cannot be kept. Without a part it is about the message as a whole."""

    sentence: str
    part: str = ""
    line: int = 0
    #: key of the row of rules under which alone it is wrong: there nobody can reply to a text
    place: str = ""
    is_promotion: bool = False  #: staff who may override the purpose of messages may keep it nevertheless


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one message in one language, and where each part comes from."""

    key: CopyKey
    step: Step
    sources: Mapping[str, Source]
    in_use: bool  #: the step has this channel

    @property
    def complete(self) -> bool:
        """Whether the message could be put together; HTML may be missing."""
        return all(self.sources[part] in _THERE for part in self.sources if part != "html")


_THERE = {Source.OWN, Source.BASE, Source.SHOP, Source.FILE}


def languages() -> dict[str, str]:
    """The languages that people are written to in: code → name, the shop's own first.

    A project that did not say which it speaks would have all of Django's: then it is the one.
    """
    named = dict(django_settings.LANGUAGES)
    own = django_settings.LANGUAGE_CODE
    if django_settings.LANGUAGES == global_settings.LANGUAGES:
        return {own: named.get(own, own)}
    return {own: named.get(own, own), **named}


def parts_of(channel_key: str) -> list[str]:
    """The parts of copy that a channel needs and a row may hold."""
    needed = channel(channel_key).parts
    return [part for part in PARTS if part in needed]


def steps(planned: PlannedFlow) -> dict[str, Step]:
    """Every step that words may be written for, by key: those that are switched off, too. Two statements."""
    row = Flow.objects.prefetch_related("steps").get(pk=planned.flow_id)
    every = tuning.restored(planned.declared, tuning_of(row)).steps
    return {step.key: step for step in every}


def of_flow(planned: PlannedFlow) -> list[Words]:
    """The words of every step, channel and language. Three statements."""
    rows = {
        (row.step_key, row.channel, row.language): row
        for row in Copy.objects.filter(flow_id=planned.flow_id, variant="")
    }
    return [
        _words(planned, step, channel_key, language, rows)
        for step in steps(planned).values()
        for channel_key in (*step.channels, *(key for key in settings.CHANNELS if key not in step.channels))
        for language in languages()
    ]


def of_message(planned: PlannedFlow, step: Step, channel_key: str, language: str) -> Words:
    """The words of one message. One statement."""
    rows = {
        (row.step_key, row.channel, row.language): row
        for row in Copy.objects.filter(flow_id=planned.flow_id, step_key=step.key, variant="")
    }
    return _words(planned, step, channel_key, language, rows)


def _words(
    planned: PlannedFlow,
    step: Step,
    channel_key: str,
    language: str,
    rows: Mapping[tuple[str, str, str], Copy],
) -> Words:
    key = CopyKey(planned.flow_id, planned.plan.key, step.key, channel_key, language)
    row = _in_force(key, rows)
    sources = {part: _source(key, part, row) for part in parts_of(channel_key)}
    return Words(key, step, sources, channel_key in step.channels)


def _in_force(key: CopyKey, rows: Mapping[tuple[str, str, str], Copy]) -> Copy | None:
    """The merchant's row of which the message takes its parts."""
    found = (rows.get((key.step_key, key.channel, spoken)) for spoken in rendering.languages_of(key))
    return next(filter(None, found), None)


def _source(key: CopyKey, part: str, row: Copy | None) -> Source:
    words = getattr(row, part) if row is not None else None
    if row is None or words is None:
        return Source.FILE if rendering.has_file(key, part) else Source.NONE
    if not words:
        return Source.EMPTY
    if row.language == key.language:
        return Source.OWN
    return Source.BASE if row.language == key.language.partition("-")[0] else Source.SHOP


def source(planned: PlannedFlow, step: Step, channel_key: str, language: str, part: str) -> str:
    """The words of a part as they are written, by the merchant or in the file; empty if there are none."""
    key = CopyKey(planned.flow_id, planned.plan.key, step.key, channel_key, language)
    copy = rendering.load_copies([key]).get(key)
    own = getattr(copy, part) if copy is not None else None
    return own if own is not None else rendering.source_of(rendering.file_of(key, part))


@dataclass(frozen=True, slots=True)
class Lack:
    """A channel on which a step has nothing to say in some languages.

    Where the shop’s own is among them, it is the one: its words serve the others.
    """

    step_key: str
    channel: str
    languages: tuple[str, ...]  #: names of those to be written in


def lacking(planned: PlannedFlow, plan: Plan, words: Iterable[Copy] | None = None) -> Iterator[Lack]:
    """Where a flow that ran by this plan would have no words, with those that are kept or, if given, with these.

    One statement at most.
    """
    if words is None:
        words = Copy.objects.filter(flow_id=planned.flow_id)
    rows = {(row.step_key, row.channel, row.language): row for row in words if not row.variant}
    for step in plan.steps:
        for channel_key in step.channels:
            without = {
                code: name
                for code, name in languages().items()
                if not _words(planned, step, channel_key, code, rows).complete
            }
            if without:
                own = without.get(django_settings.LANGUAGE_CODE)
                yield Lack(step.key, channel_key, (own,) if own else tuple(without.values()))


@dataclass(frozen=True, slots=True)
class Promise:
    """A part of the words in force that says a code, of a step that gives none."""

    step_key: str
    channel: str
    part: str
    language: str


def empty_promises(planned: PlannedFlow, plan: Plan, words: Iterable[Copy]) -> Iterator[Promise]:
    """Where a flow that ran by this plan, with these words, would say a code that it does not give."""
    kept = list(words)
    for step in plan.steps:
        for key, part, own in () if step.voucher else _own_words(planned, step, kept):
            shipped = promotion.promises_code_in_file(key, part)
            for language, written in own.items():
                if shipped if written is None else promotion.promises_code(written):
                    yield Promise(step.key, key.channel, part, language)


def says_code(planned: PlannedFlow, step: Step, words: Iterable[Copy]) -> bool:
    """Whether a step, with these words, says a code in any language, on any of its channels."""
    return any(
        promotion.says_code_in_file(key, part) if written is None else promotion.says_code(written)
        for key, part, own in _own_words(planned, step, words)
        for written in own.values()
    )


def _own_words(
    planned: PlannedFlow, step: Step, words: Iterable[Copy]
) -> Iterator[tuple[CopyKey, str, Mapping[str, str | None]]]:
    """By channel and part, what the merchant wrote in each language; None where the shipped words speak."""
    rows = {(row.step_key, row.channel, row.language): row for row in words if not row.variant}
    for channel_key in step.channels:
        key = CopyKey(planned.flow_id, planned.plan.key, step.key, channel_key, "")
        found = {language: _in_force(replace(key, language=language), rows) for language in languages()}
        for part in parts_of(channel_key):
            own = {language: getattr(row, part, None) for language, row in found.items()}
            yield key, part, own


def find(key: CopyKey) -> Copy | None:
    """The merchant's row for exactly this message."""
    row: Copy | None = Copy.objects.filter(
        flow_id=key.flow_id, step_key=key.step_key, channel=key.channel, language=key.language, variant=""
    ).first()
    return row


def draft(key: CopyKey, words: Mapping[str, str | None]) -> Copy:
    """Words nobody kept yet, as a row that is not saved. None takes the file, '' leaves the part out."""
    return Copy(
        flow_id=key.flow_id,
        step_key=key.step_key,
        channel=key.channel,
        language=key.language,
        **{part: words.get(part) for part in PARTS},
    )


def example(
    planned: PlannedFlow, step: Step, channel_key: str, *, now: datetime, name: str = "Ada"
) -> dict[str, Any]:
    """What the words of a message may say, made up by the blueprint. In the active language."""
    said = planned.about.example() or Context()
    return context_of(planned, step, channel_key, said, now=now, name=name)


def context_of(
    planned: PlannedFlow, step: Step, channel_key: str, said: Context, *, now: datetime, name: str
) -> dict[str, Any]:
    """As the sender puts it together, but no link leads anywhere and no code gives anything."""
    code = tokens.code(settings.VOUCHER_PREFIX, _EXAMPLE_ID, key=NOBODYS_KEY)
    valid_for = step.voucher_valid or settings.VOUCHER_VALID_FOR
    return composing.words_context(
        said,
        channel_key=channel_key,
        purpose=planned.purpose,
        name=name,
        message_id=_EXAMPLE_ID,
        topic=planned.topic.name(translation.get_language()),
        key=NOBODYS_KEY,
        voucher={"code": code, "valid_until": now + valid_for} if step.voucher else None,
    )


def are_names_known(planned: PlannedFlow) -> bool:
    """Whether the blueprint tells what else its messages may say than what all messages can."""
    return planned.about.example() is not None


def known_names(planned: PlannedFlow, step: Step, channel_key: str, *, now: datetime) -> dict[str, Any]:
    """The names that copy may use, each with an example; where the blueprint tells none, those of all messages."""
    names = example(planned, step, channel_key, now=now)
    if not step.voucher:
        del names["voucher"]  # it would always be empty
    return names


def problems(
    planned: PlannedFlow, step: Step, words: Copy, *, now: datetime, may_promote: bool = False
) -> list[Problem]:
    """Why these words cannot be kept; nothing, if they can.

    First each part is read; if all make sense, the message is put together as for sending. What
    belongs to an order or an account must not promote (rule 39), unless `may_promote` says otherwise.
    """
    key = key_of(planned, words)
    if all(getattr(words, part) is None for part in parts_of(key.channel)):
        if _is_needed(planned, step, key):
            return [Problem(no_words())]
        return [] if any(_fallbacks(key)) else list(_shipped_promises(planned, step, words))
    with translation.override(key.language):
        is_known = are_names_known(planned)
        names = known_names(planned, step, key.channel, now=now) if is_known else None
        context = example(planned, step, key.channel, now=now)
    found = [*_flaws(words, names), *(Problem(no_words(), part) for part in absent(key, words))]
    found += _shipped_promises(planned, step, words)
    found = found or list(_refusals(key, planned, words, context))
    if promotion.is_barred(planned.purpose, planned.plan.topic) and not may_promote:
        found += _promotions(words)
    return found


def key_of(planned: PlannedFlow, words: Copy) -> CopyKey:
    """Where these words belong."""
    return CopyKey(planned.flow_id, planned.plan.key, words.step_key, words.channel, words.language)


def no_words() -> str:
    """Why a message without words does not go out."""
    return _("No words come with this message, so it needs some of yours.")


def absent(key: CopyKey, words: Copy) -> list[str]:
    """The parts that are neither in a row nor in a file, and that no message can do without."""
    parts = [part for part in parts_of(key.channel) if part != "html" and getattr(words, part) is None]
    return [part for part in parts if not rendering.has_file(key, part)]


def _is_needed(planned: PlannedFlow, step: Step, key: CopyKey) -> bool:
    """Whether a step that speaks on this channel, now or as declared, has nothing to say without this row."""
    declared = planned.declared.step(step.key)
    if declared is None and planned.plan.step(step.key) is None:
        return False  # of the merchant's own, and switched off
    if key.channel not in step.channels and (declared is None or key.channel not in declared.channels):
        return False
    rows = {(step.key, key.channel, row.language): row for row in _fallbacks(key)}
    return not _words(planned, step, key.channel, key.language, rows).complete


def _fallbacks(key: CopyKey) -> Iterator[Copy]:
    """The merchant's rows that the message has words from where this one has no row."""
    for spoken in rendering.languages_of(key):
        if spoken != key.language and (row := find(replace(key, language=spoken))) is not None:
            yield row


def _shipped_promises(planned: PlannedFlow, step: Step, words: Copy) -> Iterator[Problem]:
    """The shipped parts that would be sent beside these, and say a code that the merchant switched off."""
    declared = planned.declared.step(step.key)
    if step.voucher or declared is None or not declared.voucher or not _is_sent(planned.plan, words):
        return
    key = key_of(planned, words)
    for part in parts_of(words.channel):
        if getattr(words, part) is None and promotion.promises_code_in_file(key, part):
            yield Problem(_("The shipped words say a code, and this step gives none."), part)


def _is_sent(plan: Plan, words: Copy) -> bool:
    """Whether a flow that ran by this plan would say these words to anybody."""
    step = plan.step(words.step_key)
    return plan.enabled and not plan.shadow and step is not None and words.channel in step.channels


def _flaws(words: Copy, names: Mapping[str, Any] | None) -> Iterator[Problem]:
    for part in parts_of(words.channel):
        written = getattr(words, part)
        for flaw in copy_language.flaws(written, names) if written else ():
            yield Problem(flaw.sentence, part, flaw.line)


def _promotions(words: Copy) -> Iterator[Problem]:
    for part in parts_of(words.channel):
        for found in promotion.mentions(getattr(words, part) or ""):
            sentence = _(
                "“%(name)s” promotes something, and this message belongs to an order or account: it goes out "
                "without consent and at any hour."
            )
            yield Problem(sentence % {"name": found.name}, part, found.line, is_promotion=True)


@dataclass(frozen=True, slots=True)
class Promotion:
    """Where a flow promotes: a step that gives a code, or one line of its words."""

    step_key: str
    channel: str = ""
    language: str = ""  #: empty: in the words that ship with the flow
    name: str = ""  #: what the words use
    line: int = 0


def promotions(planned: PlannedFlow, words: Iterable[Copy] | None = None) -> Iterator[Promotion]:
    """Where a flow promotes, step by step, with the words that are kept or, if given, with these. One statement."""
    if words is None:
        words = Copy.objects.filter(flow_id=planned.flow_id).order_by("channel", "language")
    rows = [row for row in words if not row.variant]
    for step in planned.plan.steps:
        if step.voucher:
            yield Promotion(step.key)
        for channel_key in step.channels:
            key = CopyKey(planned.flow_id, planned.plan.key, step.key, channel_key, "")
            for part in parts_of(channel_key):
                for found in promotion.mentions_in_file(key, part):
                    yield Promotion(step.key, channel_key, "", found.name, found.line)
        for row in rows:
            if row.step_key == step.key:
                yield from _mentions(row)


def _mentions(row: Copy) -> Iterator[Promotion]:
    for part in parts_of(row.channel):
        for found in promotion.mentions(getattr(row, part) or ""):
            yield Promotion(row.step_key, row.channel, row.language, found.name, found.line)


def _refusals(
    key: CopyKey, planned: PlannedFlow, words: Copy, context: Mapping[str, Any]
) -> Iterator[Problem]:
    why = _refusal(key, planned, words, context)
    if why:
        yield Problem(why)
    elif key.channel == SMS and planned.purpose is Purpose.MARKETING:
        rule = limits.one_way_place()  # what is added is the same in all of them
        why = _refusal(key, planned, words, context, one_way=True) if rule is not None else ""
        if rule is not None and why:
            yield Problem(why, place=rule.key)


def _refusal(
    key: CopyKey, planned: PlannedFlow, words: Copy, context: Mapping[str, Any], *, one_way: bool = False
) -> str:
    """Why the message cannot be put together; empty, if it can."""
    try:
        composing.compose(key, words, context, purpose=planned.purpose, one_way=one_way)
    except Refused as refusal:
        return refusal.detail
    except ChannelError:
        return ""  # the provider is broken; that is no fault of the words
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


@dataclass(frozen=True, slots=True)
class Kept:
    """Words before and after they were kept, by part."""

    before: Mapping[str, str | None]
    after: Mapping[str, str | None]

    @property
    def changed(self) -> Sequence[str]:
        return [part for part in self.after if self.before[part] != self.after[part]]


def keep(flow: Flow, words: Copy, *, now: datetime, author: int | None = None) -> Kept:
    """Keep the words of one message of a locked flow; words that say nothing are forgotten.

    What is planned already is said in them, because words are read when a message goes out. `author` is
    the id of a user.
    """
    parts = parts_of(words.channel)
    place = {name: getattr(words, name) for name in ("flow_id", "step_key", "channel", "language", "variant")}
    row = Copy.objects.filter(**place).first()
    kept = Kept(
        {part: getattr(row, part) if row is not None else None for part in parts},
        {part: getattr(words, part) for part in parts},
    )
    if not kept.changed:
        return kept
    flow_versions.begin(flow, now=now)
    if all(written is None for written in kept.after.values()):
        Copy.objects.filter(**place).delete()
    else:
        Copy.objects.update_or_create(**place, defaults=dict(kept.after))
    flow_versions.raise_version(flow, author=author, now=now)
    return kept
