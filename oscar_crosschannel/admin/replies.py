"""Replies to read: those that may mean stop, where marketing waits for a decision; and ordinary answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..core.facts import EMAIL, SMS
from ..models import Contact, ContactPoint, InboxEvent, OrdinaryReply, Suppression, UnreadReply
from ..services import answers, contacts as contact_services, doubts
from . import acting, people, sentences, titles
from .acting import Act, ActingAdmin, Done, NoteForm
from .filters import ChannelFilter, ChoiceFilter
from .longlists import LongListed
from .reading import StoryAdmin, badge

#: Of those who share an address, the page names so many at most.
MOST_USERS = 20


class _Decision(Act):
    """What somebody decides who has read one reply. A reply that came later is another one to read."""

    of, permission = UnreadReply, "read_reply"

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return InboxEvent.objects.filter(pk__in=ids[:1])

    @property
    def reply(self) -> InboxEvent:
        reply: InboxEvent = self.rows[0]
        return reply

    def about(self) -> Iterable[str]:
        yield gettext("They wrote: “%(words)s”") % {"words": words_of(self.reply)}

    def objection(self) -> str:
        if doubts.unread(self.reply.pk) is not None:
            return ""
        return gettext("It was settled before, or another reply came after it that is to be read first.")

    def settled(self, done: bool, told: str, logged: str) -> Done:
        """The report on it, once it is done; `logged` goes to all that it is about.

        It names the reply by its id: the log outlives the person's own words.
        """
        if not done:
            return Done(gettext("Nothing was changed: it was settled a moment ago."), went_well=False)
        return Done(told, log=[(row, logged) for row in self._concerned])

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        # before it is settled: afterwards nothing leads from the reply to whom it concerns
        found = doubts.unread(self.reply.pk)
        rows = Suppression.objects.filter(pk=found.pk) if found is not None else Suppression.objects.none()
        self._concerned: list[Any] = [*rows, *(_users(found) if found is not None else ())]
        return self.decide(said, actor)

    def decide(self, said: Mapping[str, Any], actor: str) -> Done:
        """Settle it."""
        raise NotImplementedError

    def page(self) -> str:
        return reverse("admin:oscar_crosschannel_unreadreply_changelist")


class MeantStop(_Decision):
    key = "stop"
    title = _("They meant stop")
    form_class = forms.Form

    def about(self) -> Iterable[str]:
        yield from super().about()
        yield gettext("It counts as their own stop from now on, in their own words, and is kept as proof.")
        yield gettext("Only the person can agree again; staff cannot take this back.")

    def objection(self) -> str:
        found = doubts.unread(self.reply.pk)
        if found is not None and not doubts.address_of(found):
            return gettext("The address is not known any more; marketing to it stays off as it is.")
        return super().objection()

    def decide(self, said: Mapping[str, Any], actor: str) -> Done:
        done = doubts.was_stop(self.reply.pk, by=actor, now=self.now)
        logged = gettext("read reply %(id)s as a stop") % {"id": self.reply.pk}
        return self.settled(done, gettext("Recorded as a stop. It counts from now on."), logged)


class MeantSomethingElse(_Decision):
    key = "no-stop"
    title = _("They did not mean stop")
    form_class = NoteForm

    def about(self) -> Iterable[str]:
        yield from super().about()
        yield gettext("Marketing goes on, as far as they have agreed to it.")

    def decide(self, said: Mapping[str, Any], actor: str) -> Done:
        done = doubts.was_no_stop(self.reply.pk, by=actor, note=said["note"], now=self.now)
        named = {"id": self.reply.pk, "note": said["note"]}
        logged = gettext("read reply %(id)s, which is no stop: %(note)s") % named
        return self.settled(done, gettext("Marketing goes on."), logged)


@admin.register(UnreadReply)
class UnreadReplyAdmin(ActingAdmin, LongListed, StoryAdmin):
    acts = (MeantStop, MeantSomethingElse)
    list_display = ("said", "whose", "channel_name", "received")
    filters_use_index = True
    list_filter = (ChannelFilter,)
    list_select_related = ("reply",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        same = ContactPoint.objects.filter(channel=OuterRef("channel"), digest=OuterRef("digest"))
        address = Subquery(same.order_by("pk").values("address")[:1])
        rows: QuerySet[Any] = super().get_queryset(request).annotate(known_address=address)
        return rows

    @admin.display(description=_("what they wrote"))
    def said(self, row: UnreadReply) -> str:
        return Truncator(words_of(row.reply)).chars(100)

    @admin.display(description=_("who"))
    def whose(self, row: Any) -> str:
        return row.known_address or (row.reply.phone if row.reply else "") or gettext("nobody we know")

    @admin.display(description=_("channel"))
    def channel_name(self, row: UnreadReply) -> str:
        return capfirst(sentences.channels([row.channel]))

    @admin.display(description=_("when"))
    def received(self, row: UnreadReply) -> datetime:
        return row.reply.occurred_at if row.reply else row.since

    def heading(self, row: Any) -> str:
        return self.whose(row)

    def story(self, row: UnreadReply, now: datetime) -> Mapping[str, Any]:
        known = _linked(_users(row)[:MOST_USERS])
        facts = [
            (gettext("Received"), self.received(row)),
            (gettext("Channel"), self.channel_name(row)),
            (gettext("From"), known or self.whose(row)),
            (gettext("Subject"), row.reply.data.get("subject", "") if row.reply else ""),
            (gettext("Sender"), _sender(row)),
        ]
        return {
            "badge": badge(_("to be read"), "doubt"),
            "standing": gettext("Marketing to this address waits for a decision."),
            "facts": [(name, value) for name, value in facts if value],
            "words": words_of(row.reply),
            "reply": row.reply,
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        mine = {act.key.replace("-", "_"): act.url() for act in self.acts if act.is_allowed(request.user)}
        return super().render_change_form(request, {**context, "decisions": mine}, *args, **kwargs)


class WasRead(Act):
    """It was read; what follows from it is done elsewhere."""

    key, of, permission = "read", OrdinaryReply, "read_reply"
    title = _("Mark as read")
    form_class = forms.Form

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return OrdinaryReply.objects.filter(pk__in=ids[:1])

    @property
    def reply(self) -> OrdinaryReply:
        reply: OrdinaryReply = self.rows[0]
        return reply

    def about(self) -> Iterable[str]:
        yield gettext("They wrote: “%(words)s”") % {"words": words_of(self.reply)}
        yield gettext("It leaves the list of replies to be read, and stays among those that were read.")

    def objection(self) -> str:
        return "" if self.reply.unread else gettext("Somebody has read it already.")

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        if not answers.was_read([self.reply.pk]):
            return Done(gettext("Somebody has read it a moment ago."), went_well=False)
        return Done(
            gettext("It is among the answers that were read."), log=[(self.reply, gettext("read it"))]
        )

    def page(self) -> str:
        return reverse("admin:oscar_crosschannel_ordinaryreply_changelist")


class ReadFilter(ChoiceFilter):
    title = _("reading")
    parameter_name = "unread"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("To be read")), ("0", _("Read"))]


class WayFilter(ChoiceFilter):
    title = _("channel")
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, capfirst(sentences.channels([key]))) for name, key in _CHANNELS.items()]


#: By the name of the event.
_CHANNELS = {"email.received": EMAIL, "sms.received": SMS}


@admin.register(OrdinaryReply)
class OrdinaryReplyAdmin(ActingAdmin, LongListed, StoryAdmin):
    acts = (WasRead,)
    list_display = ("said", "whose", "channel_name", "occurred_at", "state")
    filters_use_index = True
    list_filter = (ReadFilter, WayFilter)

    @admin.display(description=_("what they wrote"))
    def said(self, row: OrdinaryReply) -> str:
        return Truncator(words_of(row)).chars(100)

    @admin.display(description=_("who"))
    def whose(self, row: OrdinaryReply) -> str:
        return row.phone or row.email or gettext("nobody we know")

    @admin.display(description=_("channel"))
    def channel_name(self, row: OrdinaryReply) -> str:
        return capfirst(sentences.channels([_CHANNELS[row.name]]))

    @admin.display(description=_("state"))
    def state(self, row: OrdinaryReply) -> SafeString:
        return badge(_("to be read"), "open") if row.unread else badge(_("read"), "quiet")

    def heading(self, row: OrdinaryReply) -> str:
        return self.whose(row)

    def story(self, row: OrdinaryReply, now: datetime) -> Mapping[str, Any]:
        facts = [
            (gettext("Received"), row.occurred_at),
            (gettext("Channel"), self.channel_name(row)),
            (gettext("From"), _linked(_writers(row)) or self.whose(row)),
            (gettext("Answer to"), _answer_to(row)),
            (gettext("Subject"), row.data.get("subject", "")),
        ]
        return {
            "badge": self.state(row),
            "facts": [(name, value) for name, value in facts if value],
            "words": words_of(row),
            "read_url": WasRead.url(row.pk),
            "history": acting.history(row),
        }

    def earlier(self, request: HttpRequest, row: OrdinaryReply) -> Mapping[str, Any]:
        return {"may_read": bool(row.unread) and WasRead.is_allowed(request.user)}


def _writers(row: OrdinaryReply) -> Iterable[Contact]:
    """Who it may be from: everybody who uses the address; of an email, as far as its head tells."""
    channel = _CHANNELS[row.name]
    users = contact_services.find_by_address(channel, row.email if channel == EMAIL else row.phone)
    ids = [user.pk for user in users[:MOST_USERS]]
    return Contact.objects.filter(pk__in=ids).prefetch_related("points").order_by("pk")


def _answer_to(row: OrdinaryReply) -> str:
    """Where an answer goes: an email is begun with one press; texts are answered from the shop's own phone."""
    if _CHANNELS[row.name] == SMS or not row.email:
        return row.phone
    return format_html('<a href="mailto:{}">{}</a>', quote(row.email, safe="@"), row.email)


def _linked(users: Iterable[Contact]) -> SafeString:
    return format_html_join("; ", "{}", ((titles.link(user, people.label(user)),) for user in users))


def words_of(reply: InboxEvent | None) -> str:
    """What somebody wrote; of an email without words its subject."""
    if reply is None:
        return gettext("(their words are not kept any more)")
    return reply.data.get("body") or reply.data.get("subject") or gettext("(no words)")


def _sender(row: UnreadReply) -> str:
    """Of an email that proves nothing, whom it claims to be from."""
    if row.reply is None or not row.reply.email or row.reply.data.get("message"):
        return ""
    return gettext("%(address)s, as far as an email tells: anybody can write that") % {
        "address": row.reply.email
    }


def _users(row: UnreadReply) -> list[Contact]:
    """Everybody who uses the address."""
    same = ContactPoint.objects.filter(channel=row.channel, digest=row.digest)
    users = Contact.objects.filter(pk__in=same.values("contact_id"), merged_into=None)
    return list(users.prefetch_related("points").order_by("pk"))
