"""What staff may do by hand, and what each would do, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..core.lifecycle import OPEN, RECALLABLE, State
from ..models import Contact, ContactPoint, Enrolment, Message, Suppression
from ..services import consents, contacts as contact_services, interventions, suppressions, topics
from . import people, sentences, titles
from .acting import Act, Done, NoteForm, back_to
from .persons import Erase, Export

Scope = Suppression.Scope


# Putting an address on the suppression list


class SuppressForm(NoteForm):
    scope = forms.ChoiceField(
        label=_("Blocked from now on"),
        choices=[
            (Scope.EVERYTHING, _("everything, also news about orders")),
            (Scope.MARKETING, _("marketing only")),
        ],
        initial=Scope.EVERYTHING,
        widget=forms.RadioSelect,
    )
    field_order = ("scope", "note")


class Suppress(Act):
    key, of, permission = "suppress", Contact, "suppress_contact"
    title = _("Put this address on the suppression list")
    form_class = SuppressForm

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return ContactPoint.objects.select_related("contact").filter(pk__in=ids[:1])

    @property
    def point(self) -> ContactPoint:
        point: ContactPoint = self.rows[0]
        return point

    def about(self) -> Iterable[str]:
        users = _users_of([self.point])
        yield gettext("%(address)s gets nothing more by %(channel)s, whatever its owner agreed to.") % {
            "address": self.point.address,
            "channel": sentences.channels([self.point.channel]),
        }
        yield from _sharing(len(users))
        yield from _planned_for(users, [self.point.channel])
        yield gettext("Staff cannot take this back.")

    def objection(self) -> str:
        blocked = suppressions.in_force(self.point.channel, self.point.address)
        if blocked is None or blocked.scope == Scope.MARKETING:
            return ""
        why = {"why": blocked.get_cause_display()}
        return gettext("The address is on the suppression list already: %(why)s.") % why

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        point = self.point
        changed = suppressions.suppress(
            point.channel,
            point.address,
            cause=Suppression.Cause.MANUAL,
            scope=Scope(said["scope"]),
            note=f"{actor}: {said['note']}",
            now=self.now,
        )
        if not changed:
            return Done(gettext("The address was blocked before; nothing has changed."), went_well=False)
        words = {"channel": sentences.channels([point.channel]), "note": said["note"]}
        logged = gettext("put the address for %(channel)s on the suppression list: %(note)s") % words
        told = gettext("The address is on the suppression list.")
        block = suppressions.in_force(point.channel, point.address)
        return _done(
            told,
            _users_of([point]),
            [point.channel],
            [(row, logged) for row in (point.contact, block) if row],
        )

    def page(self) -> str:
        return back_to(self.point.contact)


# Noting that somebody told a member of staff to stop


class OptOutForm(forms.Form):
    points = forms.TypedMultipleChoiceField(
        label=_("Stops"),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one address.")},
    )
    topic = forms.ChoiceField(label=_("About"), required=False)
    words = forms.CharField(
        label=_("What the person said"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "cc-words"}),
        help_text=_("As close to their own words as you remember. Kept as proof."),
    )
    way = forms.ChoiceField(label=_("How"), choices=list(sentences.WAYS.items()))
    said_at = forms.DateTimeField(
        label=_("When"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("On the shop’s clock."),
    )

    def __init__(self, act: OptOut, data: Any = None) -> None:
        super().__init__(
            data,
            initial={
                "points": [point.pk for point in act.points if point.current],
                "said_at": timezone.localtime(act.now),
            },
        )
        self._now = act.now
        self.fields["points"].choices = [  # type: ignore[attr-defined] # of a ChoiceField
            (point.pk, f"{capfirst(sentences.channels([point.channel]))}: {point.address}")
            for point in act.points
        ]
        self.fields["topic"].choices = [  # type: ignore[attr-defined]
            ("", gettext("everything")),
            *((topic.key, titles.topic(topic)) for topic in topics.in_order()),
        ]

    def clean_said_at(self) -> Any:
        at = self.cleaned_data["said_at"]
        if at > self._now:
            # a form that was opened this minute, on a clock without seconds
            if at.replace(second=0, microsecond=0) <= self._now:
                return self._now
            raise forms.ValidationError(gettext("This lies in the future."))
        return at


class OptOut(Act):
    key, of, permission = "opt-out", Contact, "optout_contact"
    title = _("Record that this person told you to stop")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return Contact.objects.prefetch_related("points").filter(pk__in=ids[:1], merged_into=None)

    @property
    def contact(self) -> Contact:
        contact: Contact = self.rows[0]
        return contact

    @property
    def points(self) -> list[ContactPoint]:
        """Addresses, those in use first."""
        return sorted(
            self.contact.points.all(), key=lambda point: (not point.current, point.channel, point.pk)
        )

    def about(self) -> Iterable[str]:
        if not self.points:
            return
        yield gettext("It counts at once, for everybody who uses the addresses, and is kept as proof.")
        yield from _planned_for(_users_of(self.points), [point.channel for point in self.points])
        yield gettext("Only the person can agree again; staff cannot take this back.")

    def objection(self) -> str:
        return "" if self.points else gettext("No address of this person is known.")

    def form(self, data: Any = None) -> forms.Form:
        return OptOutForm(self, data)

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        chosen = [point for point in self.points if point.pk in said["points"]]
        users = _users_of(chosen)
        contact_services.lock(users)  # of all addresses at once: one after the other could deadlock
        changed = [point for point in chosen if self._revoke(point, said, actor)]
        if not changed:
            return Done(gettext("They had said so before; nothing has changed."), went_well=False)
        channels = [point.channel for point in changed]
        logged = gettext("recorded that the person said stop for %(channel)s (%(about)s)") % {
            "channel": sentences.channels(dict.fromkeys(channels)),
            "about": said["topic"] or gettext("everything"),
        }
        return _done(gettext("Recorded. It counts from now on."), users, channels, [(self.contact, logged)])

    def _revoke(self, point: ContactPoint, said: Mapping[str, Any], actor: str) -> bool:
        return consents.revoke(
            point.channel,
            point.address,
            topics=[said["topic"]] if said["topic"] else None,
            source="staff",
            mechanism=said["way"],
            verbatim=said["words"],
            actor=actor,
            received_at=said["said_at"],
            now=self.now,
        )

    def page(self) -> str:
        return back_to(self.contact)


# Taking an address off the suppression list

_STILL_UNREAD = _("Marketing there still waits until somebody has read what the person wrote.")


class Lift(Act):
    key, of, permission = "lift", Suppression, "lift_suppression"
    title = _("Take this address off the suppression list")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return Suppression.objects.filter(pk__in=ids[:1])

    @property
    def row(self) -> Suppression:
        row: Suppression = self.rows[0]
        return row

    def about(self) -> Iterable[str]:
        words = {"channel": sentences.channels([self.row.channel]), "why": self.row.get_cause_display()}
        yield gettext("It was blocked for %(channel)s because of this: %(why)s.") % words
        yield gettext("Messages go there again, as far as the owner of the address has agreed to them.")
        yield gettext("If it still does not work, the provider will report that and it is blocked again.")
        if self.row.reply_id:
            yield str(_STILL_UNREAD)

    def objection(self) -> str:
        if self.row.lifted_at:
            return gettext("It was taken off the list before.")
        if self.row.cause in suppressions.STAFF_MAY_LIFT:
            return ""
        if self.row.cause == Suppression.Cause.REVIEW:
            return gettext("Somebody has to read what the person wrote: see “Replies to read”.")
        words = {"why": self.row.get_cause_display()}
        if self.row.cause in suppressions.OWN_WISH:
            return gettext("Only the person can lift this, by agreeing anew (%(why)s).") % words
        return gettext("Staff may not lift this (%(why)s).") % words

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        note = f"{actor}: {said['note']}"
        if not suppressions.lift_by_staff(self.row.channel, self.row.digest, note=note, now=self.now):
            return Done(
                gettext("It was not lifted: staff may not, or it was lifted before."), went_well=False
            )
        words = {"channel": sentences.channels([self.row.channel]), "note": said["note"]}
        logged = gettext("took the address for %(channel)s off the suppression list: %(note)s") % words
        users = Contact.objects.filter(
            points__channel=self.row.channel, points__digest=self.row.digest
        ).order_by("pk")
        told = _STILL_UNREAD if self.row.reply_id else gettext("The address is no longer blocked.")
        return Done(str(told), log=[(each, logged) for each in (self.row, *users)])

    def page(self) -> str:
        return back_to(self.row)


# Calling off messages


class CallOff(Act):
    key, of, permission = "call-off", Message, "cancel_message"
    title = _("Call off what was not sent yet")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        rows = Message.objects.select_related("contact", "flow", "enrolment").filter(pk__in=ids)
        return rows.prefetch_related("contact__points", "flow__steps").order_by("-pk")

    def about(self) -> Iterable[str]:
        waiting = [message for message in self.rows if message.state in RECALLABLE]
        for message in waiting:
            yield f"{_name(message)} ({people.label(message.contact)})"
        if past := len(self.rows) - len(waiting):
            yield ngettext(
                "%(count)d more message was chosen that is settled, or on its way, and stays as it is.",
                "%(count)d more messages were chosen that are settled, or on their way, and stay as they are.",
                past,
            ) % {"count": past}
        if any(message.enrolment_id for message in waiting):
            yield gettext("Their runs go on: the next step is planned for its own time.")

    def objection(self) -> str:
        if any(message.state in RECALLABLE for message in self.rows):
            return ""
        return gettext("Nothing here can be called off any more: it is settled, or on its way.")

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        called_off = interventions.call_off([message.pk for message in self.rows], now=self.now)
        logged = gettext("called off “%(message)s”: %(note)s")
        log: list[tuple[Any, str]] = []
        for message in self.rows:
            if message.pk in called_off:
                words = logged % {"message": _name(message), "note": said["note"]}
                log += [(message, words), (message.contact, words)]
        told = [*_called_off(len(called_off)), *self._others(called_off)]
        return Done(" ".join(told), len(called_off) == len(self.rows), log)

    def _others(self, called_off: Collection[int]) -> Iterable[str]:
        """What became of the rest of what was chosen."""
        rest = Message.objects.filter(pk__in={message.pk for message in self.rows} - set(called_off))
        states = list(rest.values_list("state", flat=True))
        missed = states.count(State.SENDING)
        yield from _too_late(missed)
        if settled := len(states) - missed:
            words = ngettext(
                "%(count)d message had been settled before.",
                "%(count)d messages had been settled before.",
                settled,
            )
            yield words % {"count": settled}

    def page(self) -> str:
        if len(self.rows) == 1:
            return back_to(self.rows[0])
        return reverse("admin:oscar_crosschannel_message_changelist")


# Ending a run


class EndRun(Act):
    key, of, permission = "end", Enrolment, "end_enrolment"
    title = _("End this run")

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return Enrolment.objects.select_related("contact", "flow").filter(pk__in=ids[:1])

    @property
    def run(self) -> Enrolment:
        run: Enrolment = self.rows[0]
        return run

    def about(self) -> Iterable[str]:
        words = {"person": people.label(self.run.contact), "flow": titles.flow(self.run.flow)}
        yield (
            gettext("%(person)s leaves “%(flow)s” and gets none of its messages that are still to come.")
            % words
        )
        planned = self.run.messages.filter(state__in=RECALLABLE).count()
        yield ngettext(
            "%(count)d planned message is called off.", "%(count)d planned messages are called off.", planned
        ) % {"count": planned}
        yield gettext("A new occasion, such as another basket, may begin a new run.")

    def objection(self) -> str:
        return "" if self.run.state == Enrolment.State.ACTIVE else gettext("The run has ended already.")

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        called_off = interventions.end_run(self.run.pk, now=self.now)
        if called_off is None:
            return Done(gettext("The run had ended before; nothing has changed."), went_well=False)
        words = {"flow": titles.flow(self.run.flow), "note": said["note"]}
        logged = gettext("ended the run of “%(flow)s”: %(note)s") % words
        log: list[tuple[Any, str]] = [(self.run, logged), (self.run.contact, logged)]
        log += [(message, logged) for message in Message.objects.filter(pk__in=called_off)]
        missed = self.run.messages.filter(state=State.SENDING).count()
        told = [gettext("The run has ended."), *_called_off(len(called_off)), *_too_late(missed)]
        return Done(" ".join(told), not missed, log)

    def page(self) -> str:
        return back_to(self.run)


ACTS: Sequence[type[Act]] = (Suppress, OptOut, Lift, CallOff, EndRun, Export, Erase)


def allowed(user: Any) -> dict[str, str]:
    """For templates: the pages of what the user may do, by name; `?id=` is to follow."""
    return {act.key.replace("-", "_"): act.url() for act in ACTS if act.is_allowed(user)}


def _users_of(points: Iterable[ContactPoint]) -> list[int]:
    """Ids of everybody who uses these addresses."""
    same = Q(pk__in=[])
    for point in points:
        same |= Q(channel=point.channel, address=point.address)
    return list(ContactPoint.objects.filter(same).values_list("contact_id", flat=True).distinct())


def _sharing(users: int) -> Iterable[str]:
    if users > 1:
        yield ngettext(
            "%(count)d other contact uses this address, too.",
            "%(count)d other contacts use this address, too.",
            users - 1,
        ) % {"count": users - 1}


def _planned_for(users: Collection[int], channels: Collection[str]) -> Iterable[str]:
    """What is planned for these people, and what would become of it."""
    states: Counter[State] = Counter()
    open_rows = Message.objects.filter(contact__in=users, state__in=OPEN).values_list("state", "channel")
    for state, channel in open_rows:
        if state == State.PLANNED or channel in channels:
            states[State(state)] += 1
    if not states:
        yield gettext("No message is planned.")
    if number := states[State.PLANNED]:
        yield ngettext(
            "%(count)d planned message is judged anew when it is due: it may go another way, or not at all.",
            "%(count)d planned messages are judged anew when they are due: they may go another way, or not at all.",
            number,
        ) % {"count": number}
    if number := states[State.CLAIMED]:
        yield ngettext(
            "%(count)d message that is about to go is taken back.",
            "%(count)d messages that are about to go are taken back.",
            number,
        ) % {"count": number}
    if number := states[State.SENDING]:
        yield ngettext(
            "%(count)d message is on its way and cannot be taken back.",
            "%(count)d messages are on their way and cannot be taken back.",
            number,
        ) % {"count": number}


def _done(
    told: str, users: Collection[int], channels: Collection[str], log: Sequence[tuple[Any, str]]
) -> Done:
    """What was done, and honestly what it came too late for."""
    missed = Message.objects.filter(contact__in=users, state=State.SENDING, channel__in=channels).count()
    return Done(" ".join([told, *_too_late(missed)]), not missed, log)


def _called_off(number: int) -> list[str]:
    if not number:
        return []
    words = ngettext("%(count)d message was called off.", "%(count)d messages were called off.", number)
    return [words % {"count": number}]


def _too_late(missed: int) -> list[str]:
    if not missed:
        return []
    words = ngettext(
        "%(count)d message was handed over a moment ago and could not be recalled.",
        "%(count)d messages were handed over a moment ago and could not be recalled.",
        missed,
    )
    return [words % {"count": missed}]


def _name(message: Message) -> str:
    return titles.message(message)
