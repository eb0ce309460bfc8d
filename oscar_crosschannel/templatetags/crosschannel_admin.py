"""`{% load crosschannel_admin %}`: what an operator must see on every page of the app's admin."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django import template
from django.core.checks import run_checks
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext

from ..conf import settings
from ..core.outbound import Content
from ..core.plan import Step
from ..models import BrokenWords, ChannelRest, Guard, OrdinaryReply, UnreadReply
from ..models.contacts import ChannelKey
from ..services import fitting, limits, sms_budget
from ..services.plans import PlannedFlow
from ..services.previews import Preview, Weight, in_new_windows

register = template.Library()

#: Of the characters that make a text expensive so many are named: of a text in another script, all are.
_NAMED = 5


@register.inclusion_tag("oscar_crosschannel/admin/warnings.html")
def crosschannel_warnings() -> dict[str, Any]:
    """Channels whose provider is broken, and what the system checks find in the settings."""
    found = run_checks(tags=["oscar_crosschannel"])
    names = dict(ChannelKey.choices)
    return {
        "rests": [
            (names.get(rest.channel, rest.channel), rest) for rest in ChannelRest.objects.order_by("since")
        ],
        "problems": [problem for problem in found if not problem.is_silenced()],
    }


@register.inclusion_tag("oscar_crosschannel/admin/guards.html")
def crosschannel_guards() -> dict[str, Any]:
    """What has paused marketing by itself, or soon will; and how many rules of places have grown old."""
    names = dict(ChannelKey.choices)
    today, after = timezone.localdate(), settings.REVIEW_RULES_AFTER
    return {
        "old_rules": len(limits.load().book.stale(today, after)),
        "days": after.days,
        "guards": [
            (guard, names.get(guard.channel, guard.channel))
            for guard in Guard.objects.filter(ended_at=None).order_by("since")
        ],
    }


@register.inclusion_tag("oscar_crosschannel/admin/stopped.html")
def crosschannel_stopped() -> dict[str, Any]:
    """What keeps messages from going out as they should: a budget that is used up, words that are broken."""
    names = dict(ChannelKey.choices)
    return {
        "budgets": [
            stands
            for stands in sms_budget.standings(timezone.now())
            if stands.percent >= sms_budget.ALERTS[0]
        ],
        "broken": [
            (
                row,
                reverse("admin:oscar_crosschannel_flow_words_list", args=[row.flow_id]),
                names.get(row.channel, row.channel),
            )
            for row in BrokenWords.objects.select_related("flow").order_by("since", "pk")
        ],
    }


@register.inclusion_tag("oscar_crosschannel/admin/unread.html")
def crosschannel_unread_replies() -> dict[str, Any]:
    """That somebody waits for their reply to be read."""
    return {
        "waits": UnreadReply.objects.exists(),
        "answers": OrdinaryReply.objects.filter(unread=True).exists(),
    }


@register.inclusion_tag("oscar_crosschannel/admin/channel_fit.html")
def channel_fit(
    planned: PlannedFlow, step: Step, content: Content | None = None, channel: str = ""
) -> dict[str, Any]:
    """Hints which channel suits a step; with `content` its words count, and `channel` is the one it is for."""
    names = dict(ChannelKey.choices)
    return {
        "hints": [
            (
                hint.why.value,
                ", ".join(str(names.get(key, key)) for key in hint.channels),
                not channel or channel in hint.channels,
            )
            for hint in fitting.of_step(planned, step, content)
        ]
    }


@register.simple_tag
def phone_text(preview: Preview) -> SafeString | str:
    """A text as a phone shows it, the characters that make it expensive marked."""
    if preview.content is None:
        return ""
    text = preview.content.text
    dear = preview.weight.segments.forced_by if preview.weight else ""
    runs = [(is_dear, "".join(run)) for is_dear, run in groupby(text, key=dear.__contains__)]
    return format_html_join("", "{}", ((_marked(run) if is_dear else run,) for is_dear, run in runs))


def _marked(words: str) -> SafeString:
    return format_html("<mark>{}</mark>", words)


@register.simple_tag
def why_dear(weight: Weight) -> str:
    """Which characters make a text expensive, and what could stand there; empty for a text that is not."""
    if not weight.culprits:
        return ""
    named = [
        gettext("“%(character)s” (%(name)s)") % {"character": character, "name": name}
        for character, name in list(weight.culprits.items())[:_NAMED]
    ]
    if others := len(weight.culprits) - len(named):
        named.append(ngettext("%(count)d other", "%(count)d others", others) % {"count": others})
    told = ngettext(
        "%(characters)s makes every character of this text take more room: 70 fit into the first segment "
        "instead of 160.",
        "%(characters)s make every character of this text take more room: 70 fit into the first segment "
        "instead of 160.",
        len(named),
    ) % {"characters": get_text_list(named, gettext("and"))}
    if not weight.instead:
        return told
    plain = [gettext("“%(instead)s”") % {"instead": each} for each in weight.instead]
    return f"{told} {gettext('%(instead)s would do.') % {'instead': get_text_list(plain, gettext('and'))}}"


@register.simple_tag
def inert_html(preview: Preview) -> str:
    """An email's HTML for a sandboxed frame: its links would open a window, which the sandbox forbids."""
    return "" if preview.content is None else in_new_windows(preview.content.html)
