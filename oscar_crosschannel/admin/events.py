"""Events and webinars: when and where a product takes place, calling it off, and inviting people to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings as django_settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext, gettext_lazy as _, ngettext
from oscar.core.loading import get_model

from ..blueprints.events import EventCancellation, EventChange, EventInvitation, EventLink
from ..core.facts import EMAIL, SMS
from ..core.plan import Blueprint, Plan
from ..models import ScheduledEvent, Topic
from ..oscar import events
from ..services import schedules, texting
from ..services.plans import Plans, load_plans
from . import counting, titles
from .acting import Act, ActingAdmin, Done, back_to
from .editing import EditingAdmin, Sheet, SheetForm, differences
from .reading import badge

Product = get_model("catalogue", "Product")

#: How browsers send a date and a time of day.
_BROWSERS = "%Y-%m-%dT%H:%M"
#: Products to choose among when the words fit several.
_SUGGESTED = 5


class WallClock(forms.DateTimeField):
    """A date and a time of day as a clock on the wall shows them; where the wall is, another field says."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_BROWSERS)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            return datetime.fromisoformat(str(value)).replace(tzinfo=None, second=0, microsecond=0)
        except ValueError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None


class EventForm(SheetForm):
    """What a merchant says of an event."""

    product = forms.CharField(
        label=_("Product"),
        max_length=255,
        widget=forms.TextInput({"class": "vTextField"}),
        help_text=_("Its title, or its number (UPC). Who buys it, or a variant of it, books the event."),
    )
    starts_at = WallClock(label=_("Begins"))
    ends_at = WallClock(label=_("Ends"))
    zone = forms.ChoiceField(
        label=_("Time zone"),
        help_text=_("Whose clock begin and end are told in. People who join by a link read their own."),
    )
    place = forms.CharField(
        label=_("Place"), max_length=200, required=False, widget=forms.TextInput({"class": "vTextField"})
    )
    join_link = forms.CharField(
        label=_("Link to join"),
        max_length=500,
        required=False,
        widget=forms.URLInput({"class": "vTextField"}),
        help_text=_("Messages lead there by a link of the shop, which stays right when this one changes."),
    )
    agenda = forms.CharField(
        label=_("Agenda"), required=False, widget=forms.Textarea({"rows": 6, "class": "cc-words"})
    )

    def __init__(self, data: QueryDict | None, *, event: ScheduledEvent, now: datetime) -> None:
        self._event, self._now = event, now
        initial: dict[str, Any] = {
            name: getattr(event, name) for name in ("zone", "place", "join_link", "agenda")
        }
        if event.pk:
            initial |= {name: _on_the_wall(event, name) for name in ("starts_at", "ends_at")}
        super().__init__(data, title=_("The event"), initial=initial)
        if event.pk:
            del self.fields["product"]
        zone: Any = self.fields["zone"]
        zone.choices = [(each, each.replace("_", " ")) for each in _zones(event.zone)]

    def clean_product(self) -> Any:
        words = self.cleaned_data["product"].strip()
        found = list(Product.objects.filter(Q(upc=words) | Q(title__iexact=words))[:2])
        if len(found) == 1:
            return found[0]
        similar = Product.objects.filter(title__icontains=words).order_by("title")[:_SUGGESTED]
        names = [f"{each.get_title()} ({each.upc})" if each.upc else each.get_title() for each in similar]
        if found:
            raise ValidationError(gettext("Several products are called so. Give its number (UPC)."))
        if names:
            told = gettext("No product is called exactly so. Do you mean %(products)s?")
            raise ValidationError(told % {"products": get_text_list(names, gettext("or"))})
        raise ValidationError(gettext("The shop has no such product."))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if "zone" in said:
            for name in ("starts_at", "ends_at"):
                if said.get(name):
                    said[name] = self._instant(name, said[name], ZoneInfo(said["zone"]))
        if not self.errors:
            try:
                schedules.check(self.event(said), self._event if self._event.pk else None, now=self._now)
            except ValidationError as error:
                self.add_error(None, error)
        return said

    def event(self, said: Mapping[str, Any]) -> ScheduledEvent:
        """The event as the form says."""
        event = copy(self._event)
        for name in self.fields:
            setattr(event, name, said[name])
        return event

    def _instant(self, name: str, wall: datetime, zone: ZoneInfo) -> datetime:
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) != wall:
            self.add_error(name, gettext("This time does not exist there: clocks are put forward that day."))
        return instant


def _on_the_wall(event: ScheduledEvent, name: str) -> str:
    instant: datetime = getattr(event, name)
    return instant.astimezone(event.clock).strftime(_BROWSERS)


def _zones(present: str) -> list[str]:
    """Those that are called by a place, and the one in use."""
    places = {zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")}
    return sorted(places | {present, "UTC"})


class EventSheet(Sheet):
    """An event."""

    row: ScheduledEvent
    _followed = ""

    @staticmethod
    def find(key: str, *, lock: bool) -> ScheduledEvent | None:
        rows = ScheduledEvent.objects.select_related("product__parent")
        if lock:
            rows = rows.select_for_update(of=("self",), no_key=True)
        return rows.filter(pk=key).first() if key.isdecimal() else None

    @staticmethod
    def blank() -> ScheduledEvent:
        return ScheduledEvent(zone=django_settings.TIME_ZONE)

    def title(self) -> str:
        return _title(self.row) if self.row.pk else gettext("A new event")

    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        return [EventForm(data, event=self.row, now=self.now)]

    def told(self) -> Mapping[str, str]:
        return _in_words(self.row)

    def keep(self, sections: Sequence[EventForm]) -> str:
        (form,) = sections
        is_new = not self.row.pk
        wanted = form.event(form.cleaned_data)
        self._followed = self._who_is_told(wanted)
        self.row = wanted
        is_news = schedules.save(self.row, now=self.now)
        if not is_news or not (booked := events.seats(self.row)):
            return ""
        if is_new:
            return ngettext(
                "%(count)d seat was booked before: confirmed now by email, and reminded of",
                "%(count)d seats were booked before: confirmed now by email, and reminded of",
                booked,
            ) % {"count": booked}
        return ngettext(
            "whoever booked is told (%(count)d seat)", "those who booked are told (%(count)d seats)", booked
        ) % {"count": booked}

    def meaning(self, sections: Sequence[EventForm]) -> Sequence[str]:
        """Whoever has booked is told of a change, and nobody can take that back."""
        (form,) = sections
        flow = self._news_flow(form.event(form.cleaned_data))
        return _news(self.row, flow) if flow else ()

    def changes(self, sections: Sequence[EventForm]) -> Sequence[str]:
        (form,) = sections
        return differences(self.told(), _in_words(form.event(form.cleaned_data)))

    def followed(self) -> str:
        return self._followed

    def _news_flow(self, wanted: ScheduledEvent) -> type[Blueprint] | None:
        """Which flow tells of the change; None of what is told to nobody."""
        if not self.row.pk or not schedules.is_other(self.row, wanted, ScheduledEvent.TOLD):
            return None
        return EventChange if schedules.is_other(self.row, wanted, ScheduledEvent.URGENT) else EventLink

    def _who_is_told(self, wanted: ScheduledEvent) -> str:
        flow = self._news_flow(wanted)
        people = events.people(self.row) if flow else 0
        if flow is None or not people:
            return ""
        if _silence(flow, load_plans()):
            return gettext("Nobody is told.")
        told = ngettext("%(count)s person is told.", "%(count)s people are told.", people)
        return told % {"count": formats.number_format(people, force_grouping=True)}

    def facts(self) -> Sequence[tuple[str, Any]]:
        event = self.row
        if not event.pk:
            return ()
        does = [
            format_html('<a href="{}">{}</a>', act.url(event.pk), act.title)
            for act in ACTS
            if event.is_on(self.now) and act.is_allowed(self.user)
        ]
        facts: list[tuple[str, Any]] = [
            (gettext("Product"), titles.link(event.product, _title(event))),
            (gettext("State"), _badge(event, self.now)),
            (gettext("Seats booked"), events.seats(event)),
        ]
        if does:
            facts.append((gettext("You can also"), format_html_join(" · ", "{}", ((each,) for each in does))))
        return facts

    def lead(self) -> str:
        if not self.row.pk:
            return ""
        if self.row.cancelled_at:
            return gettext("It is cancelled: only its agenda can be changed.")
        if self.row.is_over(self.now):
            return gettext("It is over: only its agenda can be changed.")
        return gettext(
            "When begin, end or place change, everybody who booked is told at once, by email and, where we may, by "
            "text; of another link, by email."
        )


class CancelEvent(Act):
    key, of, permission = "cancel", ScheduledEvent, "cancel_scheduledevent"
    title = _("Cancel the event")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return ScheduledEvent.objects.select_related("product__parent").filter(pk__in=ids[:1])

    @property
    def event(self) -> ScheduledEvent:
        event: ScheduledEvent = self.rows[0]
        return event

    def heading(self) -> str:
        return gettext("Cancel “%(event)s”") % {"event": _title(self.event)}

    def about(self) -> Iterable[str]:
        yield from _news(self.event, EventCancellation) or [gettext("Nobody has booked.")]
        yield gettext("Its entry leaves their calendars, and they are reminded of nothing.")
        yield gettext("Orders and payments stay as they are: give back by hand what was paid.")
        yield gettext("Nobody can take this back.")

    def objection(self) -> str:
        return _objection(self.event, self.now)

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        if not schedules.cancel(self.event, now=self.now):
            return Done(
                gettext("There was nothing to cancel any more; nothing has changed."), went_well=False
            )
        logged = gettext("cancelled the event: %(note)s") % said
        return Done(gettext("The event is cancelled."), log=[(self.event, logged)])

    def page(self) -> str:
        return back_to(self.event)


class InviteToEvent(CancelEvent):
    key, permission = "invite", "invite_scheduledevent"
    title = _("Invite people to the event")

    def heading(self) -> str:
        return gettext("Invite people to “%(event)s”") % {"event": _title(self.event)}

    def about(self) -> Iterable[str]:
        count = counting.counted(events.agreed())
        topic = Topic.objects.filter(key=events.INVITED).first()
        if count > counting.MOST:
            told = gettext("More than %(count)s people agreed to emails about “%(topic)s” and are invited.")
        else:
            told = ngettext(
                "%(count)s person agreed to emails about “%(topic)s” and is invited.",
                "%(count)s people agreed to emails about “%(topic)s” and are invited.",
                count,
            )
        yield told % {
            "count": counting.written(min(count, counting.MOST)),
            "topic": titles.topic(topic) if topic else events.INVITED,
        }
        yield gettext("Who has booked, or was invited before, is not invited again.")
        yield gettext("Frequency limits hold: who got much lately gets the invitation later, or not at all.")

    def objection(self) -> str:
        return _silence(EventInvitation, load_plans()) or _objection(self.event, self.now)

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        schedules.announce(self.event, now=self.now)
        logged = gettext("invited people to the event: %(note)s") % said
        return Done(gettext("The invitations are on their way."), log=[(self.event, logged)])


ACTS: tuple[type[Act], ...] = (InviteToEvent, CancelEvent)


@admin.register(ScheduledEvent)
class ScheduledEventAdmin(ActingAdmin, EditingAdmin):
    sheet = EventSheet
    acts = ACTS
    list_display = ("what", "begins", "where", "state")
    list_select_related = ("product__parent",)
    ordering = ("-starts_at",)
    sortable_by = ()

    @admin.display(description=_("event"))
    def what(self, event: ScheduledEvent) -> str:
        return _title(event)

    @admin.display(description=_("begins"))
    def begins(self, event: ScheduledEvent) -> str:
        return _moment(event, event.starts_at)

    @admin.display(description=_("where"))
    def where(self, event: ScheduledEvent) -> str:
        return event.place or gettext("by a link")

    @admin.display(description=_("state"))
    def state(self, event: ScheduledEvent) -> SafeString:
        return _badge(event, timezone.now())

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As the user's permissions say; what somebody booked is cancelled instead."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        to_delete, counts, forbidden, _protected = super().get_deleted_objects(objs, request)
        booked = [event for event in objs if events.seats(event)]
        why = gettext("Somebody has booked “%(event)s”: cancel it, so that they are told.")
        return to_delete, counts, forbidden, [why % {"event": _title(event)} for event in booked]


def _news(event: ScheduledEvent, flow: type[Blueprint]) -> list[str]:
    """Who is told by a flow, and how; nothing if nobody has booked."""
    people = events.people(event)
    if not people:
        return []
    plans = load_plans()
    if silence := _silence(flow, plans):
        return [gettext("%(silence)s Nobody is told.") % {"silence": silence}]
    told = _told(_channels(flow, plans), people)
    return [told % {"count": formats.number_format(people, force_grouping=True)}]


def _told(channels: Collection[str], people: int) -> str:
    """Whom a flow with these channels tells how; who has said stop, or has no number, is not texted."""
    if SMS not in channels:
        return ngettext(
            "%(count)s person has booked, and gets an email now.",
            "%(count)s people have booked: they get an email now.",
            people,
        )
    if EMAIL not in channels:
        return ngettext(
            "%(count)s person has booked, and gets a text now if we have their number and may text it.",
            "%(count)s people have booked: they get a text now if we have their number and may text it.",
            people,
        )
    return ngettext(
        "%(count)s person has booked, and gets an email now and, if we have their number and may text it, a text.",
        "%(count)s people have booked: they get an email now and, if we have their number and may text it, a text.",
        people,
    )


def _silence(flow: type[Blueprint], plans: Plans) -> str:
    """Why a flow sends nothing; empty if it does."""
    plan, title = _running(flow, plans), {"flow": titles.plan(flow.plan())}
    if plan is None or not plan.enabled:
        return gettext("The flow “%(flow)s” is off.") % title
    if plan.shadow:
        return gettext("The flow “%(flow)s” is in shadow mode and sends nothing.") % title
    if not _channels(flow, plans):
        return gettext("The flow “%(flow)s” has no step by which anybody can be reached.") % title
    return ""


def _channels(flow: type[Blueprint], plans: Plans) -> set[str]:
    """By which a flow reaches people as it runs now."""
    plan = _running(flow, plans)
    used = {channel for step in plan.steps for channel in step.channels} if plan else set()
    return used if texting.is_possible() else used - {SMS}


def _running(flow: type[Blueprint], plans: Plans) -> Plan | None:
    return next((each.plan for each in plans if each.plan.key == flow.key), None)


def _in_words(event: ScheduledEvent) -> dict[str, str]:
    return {
        gettext("Product"): _title(event),
        gettext("Begins"): _moment(event, event.starts_at),
        gettext("Ends"): _moment(event, event.ends_at),
        gettext("Place"): event.place,
        gettext("Link to join"): event.join_link,
        gettext("Agenda"): event.agenda,
    }


def _title(event: ScheduledEvent) -> str:
    return str(event.product.get_title())


def _moment(event: ScheduledEvent, instant: datetime) -> str:
    """On the event's own clock, which the words name."""
    local = instant.astimezone(event.clock)
    return f"{formats.date_format(local, 'DATETIME_FORMAT')} ({event.zone.replace('_', ' ')})"


def _objection(event: ScheduledEvent, now: datetime) -> str:
    if event.cancelled_at is not None:
        return gettext("It is cancelled already.")
    return gettext("It is over.") if event.is_over(now) else ""


def _badge(event: ScheduledEvent, now: datetime) -> SafeString:
    if event.cancelled_at is not None:
        return badge(_("cancelled"), "bad")
    return badge(_("over"), "quiet") if event.is_over(now) else badge(_("to come"), "good")
