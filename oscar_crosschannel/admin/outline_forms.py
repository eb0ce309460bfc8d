"""What is said of a whole flow: of any, whether it is on; of a merchant's own, what it is about and when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _

from ..conf import triggers
from ..core.facts import Purpose
from ..core.plan import Plan, Tuning
from ..models import Flow, Topic
from ..services import flow_versions, own_flows
from ..services.flow_versions import Outline
from . import flow_changes, sentences, titles
from .durations import DurationField
from .flow_changes import INHERITED, as_declared

_STOP = "stop-"
#: Of those who enter, what a control group may be; more would cost more than it tells.
SHARES = (0.05, 0.1)


class OutlineForm(forms.Form):
    """What a flow of the merchant's own says beside its steps."""

    _trigger = ""  #: the event that starts it, where that is settled

    def __init__(
        self, data: QueryDict | None, *, outline: Outline, initial: Mapping[str, Any] | None = None
    ) -> None:
        self._said = outline
        said = {
            "title": outline.title,
            "topic": outline.topic,
            "once": outline.once,
            "again_after": outline.again_after,
            "priority": str(outline.priority),
            **{f"{_STOP}{event}": True for event in outline.stops},
        }
        super().__init__(
            data, initial=said | dict(initial or {}), label_suffix="", use_required_attribute=False
        )

    def _add_fields(self, *, can_rest: timedelta | None) -> None:
        """`can_rest`: how long a person has rest after a run, unless the merchant says otherwise; None: no rest."""
        said = self._said
        self.fields["title"] = forms.CharField(
            label=_("Title"), max_length=100, widget=forms.TextInput({"class": "vTextField"})
        )
        self.fields["topic"] = forms.ChoiceField(
            label=_("Topic"),
            choices=_topics(said.topic),
            help_text=_(
                "Who gets it follows from the topic: people agree to topics, and some need no consent because "
                "they belong to an order."
            ),
        )
        for event, name in _stops(said.stops).items():
            self.fields[f"{_STOP}{event}"] = forms.BooleanField(label=name, required=False)
        self.fields["once"] = forms.BooleanField(label=_("Once per person, ever"), required=False)
        if can_rest is not None:
            self.fields["again_after"] = DurationField(
                inherited=can_rest,
                label=_("Rest before the next run"),
                help_text=_("After a run in which something was sent, nobody enters again for so long."),
            )
        choices = {said.priority: str(said.priority)} | dict(flow_changes.PRIORITIES)
        self.fields["priority"] = forms.ChoiceField(
            label=_("Importance"),
            choices=[(str(number), words) for number, words in sorted(choices.items())],
            help_text=_("Where several messages compete for one person, the most important goes first."),
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        trigger, topic = data.get("trigger") or self._trigger, data.get("topic")
        if trigger and topic and not own_flows.fits(trigger, topic):
            self.add_error("topic", needs_marketing())
        return data

    @property
    def plain(self) -> list[forms.BoundField]:
        """All fields but those of `stops`."""
        return [bound for bound in self if not bound.name.startswith(_STOP)]

    @property
    def stops(self) -> list[forms.BoundField]:
        """One box for each event that may end it."""
        return [bound for bound in self if bound.name.startswith(_STOP)]

    def outline(self) -> Outline:
        """What the merchant wants."""
        data = self.cleaned_data
        ticked = {name.removeprefix(_STOP): said for name, said in data.items() if name.startswith(_STOP)}
        return Outline(
            title=data["title"],
            topic=data["topic"],
            stops=tuple(event for event in dict.fromkeys([*self._said.stops, *ticked]) if ticked.get(event)),
            once=data["once"],
            again_after=data.get("again_after"),
            priority=int(data["priority"]),
        )


def needs_marketing() -> str:
    """Why a flow cannot be about a topic."""
    return gettext("What begins so is advertising. Choose a topic of marketing, which people have agreed to.")


class NewFlowForm(OutlineForm):
    """A flow from scratch."""

    def __init__(self, data: QueryDict | None) -> None:
        super().__init__(data, outline=Outline())
        self.fields["trigger"] = forms.ChoiceField(
            label=_("Begins when"),
            choices=[("", "---------"), *((each.event, each.title) for each in own_flows.starting())],
            help_text=_("What the messages can tell about depends on it. It cannot be changed later."),
        )
        self._add_fields(can_rest=None)
        self.order_fields(["title", "trigger"])


class FlowForm(OutlineForm):
    """What holds for the whole flow; of one that comes with the code, whether it is on."""

    state = forms.ChoiceField(label=_("This flow is"), required=False)

    def __init__(
        self, data: QueryDict | None, *, declared: Plan, tuning: Tuning, flow: Flow, is_marketing: bool
    ) -> None:
        self._holdout = tuning.holdout
        self._is_own, self._trigger = bool(flow.trigger), flow.trigger
        inherits = tuning.enabled is None and tuning.shadow is None and not self._is_own
        stands = flow_changes.state(declared.tuned(Tuning(enabled=tuning.enabled, shadow=tuning.shadow)))
        outline = flow_versions.outline_of(flow)
        initial = {"state": INHERITED if inherits else stands, "holdout": _written(tuning.holdout)}
        super().__init__(data, outline=outline, initial=initial)
        field: Any = self.fields["state"]
        states = [(key, capfirst(str(words))) for key, words in flow_changes.STATE_WORDS.items()]
        as_shipped = (INHERITED, as_declared(_shipped_state(declared)))
        field.choices = states if self._is_own else [as_shipped, *states]
        field.help_text = _(
            "In shadow mode it decides and records what it would send, and sends nothing. While it is off, people "
            "stay inside, and what falls due is not sent; nothing is made up for later."
        )
        if self._is_own:
            trigger = triggers.get(flow.trigger)
            self._add_fields(can_rest=trigger.again_after if trigger and trigger.one_run else None)
        if is_marketing:  # nobody is kept from anything else
            self._add_holdout(declared)

    def _add_holdout(self, declared: Plan) -> None:
        shares = sorted({share for share in (*SHARES, self._holdout) if share})
        choices = [(_written(share), flow_changes.share_words(share)) for share in shares]
        nobody = capfirst(flow_changes.share_words(0))
        if self._is_own:
            choices = [(INHERITED, nobody), *choices]
        else:
            shipped = as_declared(capfirst(flow_changes.share_words(declared.holdout)))
            choices = [(INHERITED, shipped), (_written(0), nobody), *choices]
        self.fields["holdout"] = forms.ChoiceField(
            label=_("Control group"),
            choices=choices,
            required=False,
            help_text=_(
                "So many of those who enter get nothing, which shows what the flow brings. It is drawn when "
                "somebody enters; for people inside nothing changes."
            ),
        )

    def wanted_holdout(self) -> float | None:
        """The share that gets nothing; None for inherit."""
        if "holdout" not in self.fields:
            return self._holdout
        chosen = self.cleaned_data["holdout"]
        return float(chosen) if chosen else None

    def wanted(self) -> tuple[bool | None, bool | None]:
        """Whether it is on, and whether in shadow mode; None for inherit."""
        return flow_changes.STATES.get(self.cleaned_data["state"], (None, None))

    def wanted_outline(self) -> Outline | None:
        """Of a flow of the merchant's own."""
        return self.outline() if self._is_own else None


def _written(share: float | None) -> str:
    """A share as the form writes it."""
    return INHERITED if share is None else f"{share:g}"


def _shipped_state(declared: Plan) -> str:
    return str(flow_changes.STATE_WORDS[flow_changes.state(declared)])


def _topics(chosen: str) -> list[tuple[str, str]]:
    """What a flow may be about, each with what its messages are."""
    rows = list(own_flows.topics_to_choose())
    if chosen and chosen not in {row.key for row in rows}:
        rows += list(Topic.objects.filter(key=chosen).prefetch_related("words"))
    names = [(row.key, f"{titles.topic(row)} ({sentences.PURPOSES[Purpose(row.purpose)]})") for row in rows]
    return names if chosen else [("", "---------"), *names]


def _stops(chosen: Sequence[str]) -> dict[str, str]:
    """What flows may end with, and what this one does: name by event."""
    known = {trigger.event: str(trigger.title) for trigger in own_flows.stopping()}
    return {event: known.get(event, titles.event(event)) for event in dict.fromkeys([*known, *chosen])}
