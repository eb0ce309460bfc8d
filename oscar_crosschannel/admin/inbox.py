"""The inbox: what happened in the shop, and whether it was worked off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy as _

from ..models import InboxEvent
from ..services import intake
from .acting import Act, ActingAdmin, Done, back_to
from .filters import ChoiceFilter
from .longlists import LongListed
from .reading import ReadingAdmin, badge


class TryAgain(Act):
    """Of an event that was set aside, what could not be done."""

    key, of, permission = "again", InboxEvent, "repeat_inboxevent"
    title = _("Try it again")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return InboxEvent.objects.filter(pk__in=ids[:1])

    @property
    def event(self) -> InboxEvent:
        event: InboxEvent = self.rows[0]
        return event

    def about(self) -> Iterable[str]:
        yield gettext("It failed because of this: %(error)s") % {"error": self.event.error[:200]}
        if self.event.left is not None:
            yield gettext("The next tick tries what could not be done; what was done stays as it is.")
        else:
            yield gettext("The next tick tries it as if it had just happened.")
        yield gettext("It happened %(when)s: what is too late by now is not sent.") % {
            "when": date_format(timezone.localtime(self.event.occurred_at), "DATETIME_FORMAT")
        }

    def objection(self) -> str:
        return (
            "" if is_set_aside(self.event) else gettext("It was not set aside: there is nothing to repeat.")
        )

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        if not intake.try_again([self.event.pk], now=self.now):
            return Done(gettext("It was taken up before; nothing has changed."), went_well=False)
        logged = gettext("tried again: %(note)s") % {"note": said["note"]}
        return Done(gettext("It is tried again with the next tick."), log=[(self.event, logged)])

    def page(self) -> str:
        return back_to(self.event)


def is_set_aside(event: InboxEvent) -> bool:
    """Whether it failed, and nobody tries any more."""
    return bool(event.error and event.processed_at)


_CONDITIONS = {
    "waiting": Q(processed_at=None),
    "failing": Q(processed_at=None) & ~Q(error=""),
    "aside": Q(processed_at__isnull=False) & ~Q(error=""),
}


class ConditionFilter(ChoiceFilter):
    title = _("condition")
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [
            ("waiting", _("Waiting")),
            ("failing", _("Failed, tried again")),
            ("aside", _("Failed, set aside")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        condition = self.choice()
        return queryset if condition is None else queryset.filter(_CONDITIONS[condition])


@admin.register(InboxEvent)
class InboxEventAdmin(ActingAdmin, LongListed, ReadingAdmin):
    acts = (TryAgain,)
    list_display = ("name", "key", "standing", "occurred_at", "processed_at")
    list_filter = (ConditionFilter, ("occurred_at", admin.DateFieldListFilter))
    search_fields = ("key", "name")
    search_uses_index = False
    fields = (
        "standing", "name", "key", "occurred_at", "not_before", "processed_at", "tries", "error",
        "user_id", "email", "phone", "subjects", "data", "answers",
    )  # fmt: skip
    readonly_fields = ("standing", "again")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_repeat = obj is not None and is_set_aside(obj) and TryAgain.is_allowed(request.user)
        return (self.fields[0], "again", *self.fields[1:]) if may_repeat else self.fields

    @admin.display(description=_("more"))
    def again(self, event: InboxEvent) -> SafeString:
        return format_html(
            '<a class="button cc-quiet-button" href="{}">{}</a>', TryAgain.url(event.pk), TryAgain.title
        )

    @admin.display(description=_("what became of it"))
    def standing(self, event: InboxEvent) -> SafeString:
        if is_set_aside(event):
            words = gettext("given up after %(tries)d tries: %(error)s")
            tone, state = "bad", gettext("set aside")
        elif event.error:
            words = gettext("tried %(tries)d times so far, and tried again: %(error)s")
            tone, state = "doubt", gettext("failing")
        elif event.processed_at:
            words, tone, state = "", "quiet", gettext("worked off")
        else:
            words, tone, state = "", "open", gettext("waiting")
        return format_html(
            "{} {}", badge(state, tone), words % {"tries": event.tries, "error": event.error[:200]}
        )
