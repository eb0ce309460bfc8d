"""What staff do when a person asks what is kept about them, or to be forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..models import Contact
from ..services import erasing, exporting
from . import people, stories
from .acting import Act, Done, NoteForm, back_to


class _OfPerson(Act):
    of = Contact

    @staticmethod
    def choose(ids: Sequence[int]) -> QuerySet[Any]:
        return Contact.objects.prefetch_related("points").filter(pk__in=ids[:1], merged_into=None)

    @property
    def contact(self) -> Contact:
        contact: Contact = self.rows[0]
        return contact

    def page(self) -> str:
        return back_to(self.contact)


# Everything that is kept about somebody


class ExportForm(NoteForm):
    kind = forms.ChoiceField(
        label=_("As"),
        choices=[("html", _("a page to read, print or send")), ("json", _("a file for machines (JSON)"))],
        initial="html",
        widget=forms.RadioSelect,
    )
    field_order = ("kind", "note")


class Export(_OfPerson):
    key, permission = "export", "export_person"
    title = _("Download everything about this person")
    form_class = ExportForm

    def about(self) -> Iterable[str]:
        yield gettext("You get one file about %(person)s.") % {"person": people.label(self.contact)}
        yield gettext(
            "In it are their addresses, every consent and withdrawal with the words they saw, every message with "
            "what became of it, and what was heard of them."
        )
        yield gettext("Nothing in it is about others, even if they share a phone number.")
        yield gettext("That you have downloaded it is written into the history.")

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        report = exporting.collect(self.contact, now=self.now, tell=stories.sentence)
        ending = said["kind"]
        content = exporting.as_json(report) if ending == "json" else exporting.as_html(report)
        kind = "application/json" if ending == "json" else "text/html; charset=utf-8"
        name = exporting.file_name(report, ending)
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        }
        return Done(
            told="",
            log=[
                (
                    self.contact,
                    gettext("downloaded everything that is kept about the person: %(note)s") % said,
                )
            ],
            file=HttpResponse(content, content_type=kind, headers=headers),
        )


# Forgetting somebody


class EraseForm(NoteForm):
    statistics = forms.BooleanField(
        label=_("Keep what can be counted"),
        required=False,
        help_text=_(
            "Runs, messages and clicks stay in the figures, without anything that tells whose they were."
        ),
    )


class Erase(_OfPerson):
    key, permission = "erase", "erase_person"
    title = _("Erase this person")
    form_class = EraseForm

    def about(self) -> Iterable[str]:
        found = erasing.foreseen(self.contact)
        yield gettext("%(person)s is forgotten: name, addresses, places, and what was heard of them.") % {
            "person": people.label(self.contact)
        }
        if found["open"]:
            yield ngettext(
                "%(count)d message that is still to come is called off.",
                "%(count)d messages that are still to come are called off.",
                found["open"],
            ) % {"count": found["open"]}
        yield gettext(
            "What they agreed to and withdrew, and what was sent, stays as evidence: under a code that cannot be "
            "turned back into an address, and without their name, browser or words."
        )
        yield gettext(
            "The code also keeps them from being written to again, or imported, until they agree anew."
        )
        if found["shared"]:
            yield ngettext(
                "Others use one of the addresses, too; what is theirs stays.",
                "Others use %(count)d of the addresses, too; what is theirs stays.",
                found["shared"],
            ) % {"count": found["shared"]}
        yield gettext("Their account, orders and vouchers are the shop’s, and stay as they are.")
        yield gettext("Nobody can take this back.")

    def objection(self) -> str:
        if self.contact.points.all():
            return ""
        return gettext("No address of this person is known: there is nothing to erase.")

    def do(self, said: Mapping[str, Any], actor: str) -> Done:
        erasure = erasing.erase(
            self.contact, cause="request", by=actor, now=self.now, statistics=said["statistics"]
        )
        if erasure is None:
            return Done(gettext("They were erased before; nothing has changed."), went_well=False)
        erased = Contact.objects.get(pk=self.contact.pk)  # without the name, which the log would keep
        return Done(
            gettext("The person is erased."), log=[(erased, gettext("erased the person: %(note)s") % said)]
        )
