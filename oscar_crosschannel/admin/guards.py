"""Guards of the sender's reputation: what stopped marketing by itself, and letting it go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..models import Guard
from ..services import guards
from . import acting, counting, sentences
from .acting import Act, ActingAdmin, Done, back_to
from .filters import ChannelFilter, EmptyFilter
from .longlists import LongListed
from .reading import StoryAdmin, badge

Level = Guard.Level


class EndGuard(Act):
    key, of, permission = "end", Guard, "end_guard"
    title = _("Let marketing go on")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return Guard.objects.filter(pk__in=ids[:1])

    @property
    def guard(self) -> Guard:
        guard: Guard = self.rows[0]
        return guard

    def about(self) -> Iterable[str]:
        yield capfirst(found(self.guard))
        waiting = counting.counted(guards.waiting(self.guard))
        if self.guard.level == Level.PAUSED and waiting:
            number = min(waiting, counting.MOST)
            words = ngettext(
                "%(count)d message that waits is judged at once.",
                "%(count)d messages that wait are judged at once.",
                number,
            ) % {"count": number}
            more = gettext("More than %(number)s messages that wait are judged at once.")
            yield words if waiting <= counting.MOST else more % {"number": counting.written(counting.MOST)}
        yield gettext("What was counted so far is not held against the shop again; what comes anew is.")
        yield gettext(
            "Mailbox providers judge for themselves: find out first what people complained about, or which "
            "addresses bounced."
        )

    def objection(self) -> str:
        return gettext("It has ended already.") if self.guard.ended_at else ""

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        if not guards.end(self.guard, by=actor, note=said["note"], now=self.now):
            return Done(gettext("It had ended before; nothing has changed."), went_well=False)
        logged = gettext("let marketing go on: %(note)s") % {"note": said["note"]}
        others = Guard.objects.filter(channel=self.guard.channel, ended_at=None, level=Level.PAUSED)
        if others.exists():
            told = gettext("Ended. Another guard still keeps marketing on this channel paused.")
            return Done(told, went_well=False, log=[(self.guard, logged)])
        return Done(gettext("Ended. Marketing goes on."), log=[(self.guard, logged)])

    def page(self) -> str:
        return back_to(self.guard)


def found(guard: Guard) -> str:
    """What was counted: "email: 12 complaints about 2,400 messages (0.5 %)"."""
    share = guard.bad / guard.sent if guard.sent else 0
    return gettext("%(channel)s: %(bad)d %(measure)s from %(sent)d messages (%(share)s)") % {
        "channel": sentences.channels([guard.channel]),
        "bad": guard.bad,
        "measure": guard.get_measure_display(),
        "sent": guard.sent,
        "share": f"{share:.2%}",
    }


class EndedFilter(EmptyFilter):
    title = _("state")
    parameter_name = "open"
    field = "ended_at"
    filled, empty = _("Ended"), _("Open")


@admin.register(Guard)
class GuardAdmin(ActingAdmin, LongListed, StoryAdmin):
    acts = (EndGuard,)
    list_display = ("what", "state", "since", "ended_at")
    list_filter = (EndedFilter, ChannelFilter, "measure")

    @admin.display(description=_("what was counted"))
    def what(self, guard: Guard) -> str:
        return capfirst(found(guard))

    @admin.display(description=_("state"))
    def state(self, guard: Guard) -> SafeString:
        return _badge(guard)

    def heading(self, row: Guard) -> str:
        words = {"channel": sentences.channels([row.channel]), "measure": row.get_measure_display()}
        return capfirst(gettext("%(measure)s by %(channel)s") % words)

    def story(self, row: Guard, now: datetime) -> Mapping[str, Any]:
        facts = [
            (gettext("Counted"), found(row)),
            (gettext("Since"), row.since),
            (gettext("Ended"), row.ended_at),
            (gettext("Ended by"), row.ended_by),
            (gettext("Why"), row.note),
        ]
        return {
            "guard": row,
            "badge": _badge(row),
            "facts": [(name, value) for name, value in facts if value],
            "end_url": EndGuard.url(row.pk),
            "history": acting.history(row),
        }

    def earlier(self, request: Any, row: Guard) -> Mapping[str, Any]:
        return {"may_end": row.ended_at is None and EndGuard.is_allowed(request.user)}


def _badge(guard: Guard) -> SafeString:
    if guard.ended_at:
        return badge(_("ended"), "quiet")
    return badge(guard.get_level_display(), "bad" if guard.level == Level.PAUSED else "doubt")
