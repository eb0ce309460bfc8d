"""Topics: what shoppers choose from, in their order and in every language of the shop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import translation
from django.utils.text import get_text_list, slugify
from django.utils.translation import get_language, gettext, gettext_lazy as _

from ..core.facts import Purpose
from ..models import Topic, TopicWords
from ..services import copies, topic_editing, topics
from ..services.plans import PlannedFlow
from . import overriding, sentences, titles
from .editing import EditingAdmin, Sheet, SheetForm

#: What a merchant may choose; critical messages come with code that sends them on every channel.
_PURPOSES = (Purpose.MARKETING, Purpose.REQUESTED, Purpose.TRANSACTIONAL)


def _name() -> forms.CharField:
    return forms.CharField(
        label=_("Name"), max_length=100, required=False, widget=forms.TextInput({"class": "vTextField"})
    )


def _description() -> forms.CharField:
    return forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea({"rows": 2, "class": "cc-words"})
    )


class TopicForm(SheetForm):
    """What holds in every language, and the words in the shop's own."""

    name = _name()
    description = _description()
    purpose = forms.ChoiceField(label=_("Its messages are"))
    offered = forms.BooleanField(
        label=_("Offered to shoppers"),
        required=False,
        help_text=_("Whether they may choose it in the preference center and at sign-up."),
    )
    position = forms.IntegerField(
        label=_("Position"), min_value=0, max_value=9999, help_text=_("Shoppers see the lowest number first.")
    )
    minimum_age = forms.IntegerField(
        label=_("Minimum age"),
        required=False,
        min_value=1,
        max_value=99,
        help_text=_(
            "In years, for what may not be advertised to everybody. Consent then needs a date of birth; "
            "without one, nothing is sent."
        ),
    )

    def __init__(self, data: QueryDict | None, *, topic: Topic, user: Any) -> None:
        self._topic, self._user = topic, user
        self.why = ""  #: why it promotes nevertheless
        shipped = topics.SHIPPED.get(topic.key)
        super().__init__(
            data,
            title=_("The topic"),
            initial={
                "name": "" if shipped and topic.name == shipped.name else topic.name,
                "description": ""
                if shipped and topic.description == shipped.description
                else topic.description,
                "purpose": topic.purpose,
                "offered": topic.offered,
                "position": topic.position,
                "minimum_age": topic.minimum_age,
            },
        )
        purpose: Any = self.fields["purpose"]
        choices = dict.fromkeys([*_PURPOSES, *([Purpose(topic.purpose)] if topic.purpose else [])])
        purpose.choices = [(each.value, sentences.PURPOSES[each]) for each in choices]
        if shipped:
            with translation.override(django_settings.LANGUAGE_CODE):
                words = topics.Words(name=gettext(shipped.name), description=gettext(shipped.description))
            _show_inherited(self, words, gettext("shipped: %(value)s"))
        if not topic.pk:
            self.fields["key"] = forms.SlugField(
                label=_("Key"),
                max_length=50,
                required=False,
                help_text=_("What developers call it, in their flows. Empty: made of the name."),
            )

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if Topic.objects.filter(key=key).exists():
            raise forms.ValidationError(gettext("There is a topic with this key already."))
        return key

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if "name" in said and not said["name"] and self._topic.key not in topics.SHIPPED:
            self.add_error("name", gettext("Shoppers need a name to choose it by."))
        if self._topic.pk and said.get("purpose", self._topic.purpose) != self._topic.purpose:
            purpose = Purpose(said["purpose"])
            self._require_no_advertising(purpose)
            self._require_no_promotion(purpose)
            self._require_consent_to_marketing(purpose)
        return said

    def _require_no_advertising(self, purpose: Purpose) -> None:
        """As a flow that begins so is not given such a topic, a topic is not made one under a flow."""
        if purpose == Purpose.MARKETING or not (found := topic_editing.advertising(self._topic)):
            return
        told = gettext("It stays marketing: nobody has ordered or asked for what begins %(flows)s.")
        named = [gettext("“%(flow)s”") % {"flow": titles.flow(flow)} for flow in found]
        self.add_error("purpose", told % {"flows": get_text_list(named, gettext("and"))})

    def _require_no_promotion(self, purpose: Purpose) -> None:
        """Rule 39, unless somebody who may says why."""
        found = list(topic_editing.promotions(self._topic, purpose))
        self.why = overriding.reason(self, self._user) if found else ""
        if not found or self.why:
            return
        told = gettext("Its messages promote something, so they are marketing: %(where)s.")
        self.add_error("purpose", told % {"where": "; ".join(dict.fromkeys(map(_promotion, found)))})

    def _require_consent_to_marketing(self, purpose: Purpose) -> None:
        if topic_editing.widens_consent(self._topic, purpose):
            told = gettext(
                "People agreed to this topic under words that promise no advertising. Make another topic for marketing."
            )
            self.add_error("purpose", told)


def _promotion(found: tuple[PlannedFlow, copies.Promotion]) -> str:
    flow, place = found
    words = {
        "flow": titles.plan(flow.plan),
        "step": titles.step(place.step_key),
        "channel": sentences.channels([place.channel]),
        "language": copies.languages().get(place.language, place.language),
        "line": place.line,
        "name": place.name,
    }
    if not place.channel:
        return gettext("“%(flow)s: %(step)s” gives an exclusive code") % words
    if not place.language:
        return gettext("the shipped words of “%(flow)s: %(step)s” (%(channel)s) use “%(name)s”") % words
    return (
        gettext(
            "the words of “%(flow)s: %(step)s” (%(channel)s, %(language)s) use “%(name)s” in line %(line)d"
        )
        % words
    )


class WordsForm(SheetForm):
    """The words in a further language."""

    name = _name()
    description = _description()

    def __init__(self, data: QueryDict | None, *, topic: Topic, language: str, title: str) -> None:
        self.language = language
        own = _own(topic, language)
        initial = {"name": own.name, "description": own.description} if own else {}
        super().__init__(data, title=title, prefix=language, initial=initial)
        otherwise = topics.inherited(topic, language)
        _show_inherited(self, otherwise, gettext("otherwise: %(value)s"))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("description") and not said.get("name"):
            self.add_error("name", gettext("Give it a name in this language, too."))
        return said

    def words(self) -> topics.Words | None:
        """None: the topic has no words of its own in this language."""
        said = self.cleaned_data
        return topics.Words(name=said["name"], description=said["description"]) if said["name"] else None


def _show_inherited(form: SheetForm, inherited: topics.Words, told: str) -> None:
    """What an empty field says, as its placeholder; beside one that was changed, as a sentence."""
    for part in ("name", "description"):
        words = getattr(inherited, part)
        form.fields[part].widget.attrs["placeholder"] = words
        if form.initial.get(part) and words:
            form.changed[part] = told % {"value": words}


def _own(topic: Topic, language: str) -> Any:
    """The merchant's row of words in a further language."""
    return topic.words.filter(language=language).first() if topic.pk else None


def _further_languages() -> dict[str, str]:
    """All that people are written to in but the shop's own, which the topic itself speaks."""
    return {code: name for code, name in copies.languages().items() if code != django_settings.LANGUAGE_CODE}


class TopicSheet(Sheet):
    """A topic."""

    row: Topic

    @staticmethod
    def find(key: str, *, lock: bool) -> Topic | None:
        rows = Topic.objects.filter(pk=key) if key.isdecimal() else Topic.objects.filter(key=key)
        topic = rows.first()
        return topic_editing.lock(topic.key) if lock and topic else topic

    @staticmethod
    def blank() -> Topic:
        last = Topic.objects.order_by("-position").values_list("position", flat=True).first()
        return Topic(purpose=Purpose.MARKETING, position=0 if last is None else last + 1)

    def title(self) -> str:
        return titles.topic(self.row) if self.row.key else gettext("A new topic")

    def forms(self, data: QueryDict | None) -> Sequence[SheetForm]:
        main = TopicForm(data, topic=self.row, user=self.user)
        further = [
            WordsForm(data, topic=self.row, language=code, title=name)
            for code, name in _further_languages().items()
        ]
        return [main, *further]

    def told(self) -> Mapping[str, str]:
        topic = self.row
        words = {
            gettext("Name"): topic.name,
            gettext("Description"): topic.description,
            gettext("Its messages are"): str(sentences.PURPOSES[Purpose(topic.purpose)]),
            gettext("Offered to shoppers"): gettext("yes") if topic.offered else gettext("no"),
            gettext("Position"): str(topic.position),
            gettext("Minimum age"): str(topic.minimum_age or gettext("none")),
        }
        for code, name in _further_languages().items():
            own = _own(topic, code)
            words[gettext("Name (%(language)s)") % {"language": name}] = own.name if own else ""
            words[gettext("Description (%(language)s)") % {"language": name}] = own.description if own else ""
        return words

    def keep(self, sections: Sequence[Any]) -> str:
        main, *further = sections
        said, topic = main.cleaned_data, self.row
        shipped = topics.SHIPPED.get(topic.key)
        topic.name = said["name"] or (shipped.name if shipped else "")
        topic.description = said["description"] or (shipped.description if shipped else "")
        topic.purpose, topic.offered = said["purpose"], said["offered"]
        topic.position, topic.minimum_age = said["position"], said["minimum_age"]
        topic.key = topic.key or said.get("key") or _free_key(topic.name)
        topic_editing.keep(topic, {form.language: form.words() for form in further}, now=self.now)
        return gettext("Why: %(why)s") % {"why": main.why} if main.why else ""

    def facts(self) -> Sequence[tuple[str, Any]]:
        if not self.row.key:
            return ()
        flows = [titles.plan(flow.plan) for flow in topic_editing.flows_of(self.row.key)]
        return [
            (gettext("Key"), self.row.key),
            (gettext("Flows about it"), ", ".join(flows) or gettext("none")),
        ]

    def help(self) -> str:
        return gettext("An empty field takes what stands in it in grey.")


def _free_key(name: str) -> str:
    """A key that developers may refer to, made of the name."""
    wanted = slugify(name)[:40].replace("-", "_") or "topic"
    taken = set(Topic.objects.filter(key__startswith=wanted).values_list("key", flat=True))
    return next(
        key for key in (wanted, *(f"{wanted}_{n}" for n in range(2, len(taken) + 3))) if key not in taken
    )


@admin.register(Topic)
class TopicAdmin(EditingAdmin):
    sheet = TopicSheet
    list_display = ("name_shown", "description_shown", "purpose_shown", "offered", "minimum_age", "key")
    ordering = ("position", "key")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Topic]:
        return topics.in_order()

    @admin.display(description=_("name"))
    def name_shown(self, topic: Topic) -> str:
        return titles.topic(topic)

    @admin.display(description=_("description"))
    def description_shown(self, topic: Topic) -> str:
        return topics.words(topic, get_language() or django_settings.LANGUAGE_CODE).description

    @admin.display(description=_("purpose"))
    def purpose_shown(self, topic: Topic) -> str:
        return str(sentences.PURPOSES[Purpose(topic.purpose)])

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As the user's permissions say; what refers to a topic is told on the page that asks."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        to_delete, counts, forbidden, _protected = super().get_deleted_objects(objs, request)
        # words go with their topic, whoever may delete that
        forbidden.discard(TopicWords._meta.verbose_name)
        return to_delete, counts, forbidden, [why for topic in objs for why in _against_deleting(topic)]

    def delete_model(self, request: HttpRequest, obj: Topic) -> None:
        topic_editing.delete(obj)


def _against_deleting(topic: Topic) -> Iterator[str]:
    found = topic_editing.references(topic)
    if found.is_shipped:
        yield gettext("It comes with the app. To hide it from shoppers, do not offer it.")
    for flow in found.flows:
        yield gettext("The flow “%(flow)s” is about it.") % {"flow": titles.plan(flow.plan)}
    if found.consents:
        yield gettext("People have answered whether they want it.")
    if found.words:
        yield gettext("Words beside a consent box name it.")
    for limit in found.limits:
        yield gettext("The frequency limit “%(limit)s” is for it.") % {"limit": limit}
