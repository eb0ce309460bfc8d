"""The form of a flow: what it says of each step, an empty field for what is inherited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _
from oscar.core.loading import get_model

from ..conf import settings
from ..core.plan import Fault, Plan, Step, StepTuning, Tuning, Wrong
from ..models import Flow
from ..services import conditions, copies
from ..services.plans import PlannedFlow, tuning_of
from . import meanwhile, sentences, titles
from .durations import DurationField

ConditionalOffer = get_model("offer", "ConditionalOffer")

#: What a select says for "inherit", and for "deliberately nothing".
INHERITED, NONE = "", "-"


class FlowForm(forms.Form):
    """What holds for the whole flow."""

    enabled = forms.ChoiceField(label=_("This flow is"), required=False)

    def __init__(self, data: QueryDict | None, *, declared: Plan, tuning: Tuning) -> None:
        enabled = {None: INHERITED, True: "on", False: "off"}[tuning.enabled]
        super().__init__(data, initial={"enabled": enabled}, label_suffix="", use_required_attribute=False)
        word = gettext("on") if declared.enabled else gettext("off")
        field: Any = self.fields["enabled"]
        field.choices = [(INHERITED, as_declared(word)), ("on", _("On")), ("off", _("Off"))]
        field.help_text = _(
            "While a flow is off, people stay inside, and what falls due is not sent; nothing is made up for later."
        )

    def tuned(self) -> bool | None:
        """On, off, or None for inherit."""
        return {INHERITED: None, "on": True, "off": False}[self.cleaned_data["enabled"]]


class StepForm(forms.Form):
    """What a merchant may change about one step."""

    on = forms.BooleanField(label=_("Send this step"), required=False)

    def __init__(
        self, data: QueryDict | None, *, step: Step, tuning: StepTuning, offers: Sequence[Any]
    ) -> None:
        self.step = step  #: as declared
        initial = {
            "on": not tuning.removed,
            "delay": None if tuning.delay is None else abs(tuning.delay),
            "channels": INHERITED if tuning.channels is None else "+".join(tuning.channels),
            "patience": tuning.patience,
            "only_if": _choice(tuning.only_if),
            "unless": _choice(tuning.unless),
            "offer": INHERITED if tuning.offer_id is None else str(tuning.offer_id),
        }
        super().__init__(
            data, prefix=step.key, initial=initial, label_suffix="", use_required_attribute=False
        )
        self._offers = {str(offer.pk): offer for offer in offers}
        before = step.delay < timedelta(0)
        self.fields |= {
            "delay": DurationField(
                inherited=abs(step.delay),
                label=_("How long before the event") if before else _("How long after the event"),
            ),
            "channels": _select(_("Channels"), _channels(step)),
            "patience": DurationField(
                inherited=step.patience,
                label=_("Wait for the better channel"),
                help_text=_(
                    "How long it may be held back for its first channel before the next one is taken."
                ),
            ),
            "only_if": _select(_("Send only if"), _conditions(step.only_if, tuning.only_if)),
            "unless": _select(_("Do not send if"), _conditions(step.unless, tuning.unless)),
        }
        if step.voucher:
            self.fields["offer"] = _select(_("Offer behind the code"), self._offer_choices())

    @property
    def title(self) -> str:
        return titles.step(self.step.key)

    @property
    def rows(self) -> list[tuple[forms.BoundField, str]]:
        """The fields, each with what was declared if the merchant changed it."""
        declared = inherited(self.step)
        found = []
        for bound in self:
            is_changed = bound.name != "on" and bound.initial not in (None, INHERITED)
            told = gettext("declared: %(value)s") % {"value": declared[bound.name]} if is_changed else ""
            found.append((bound, told))
        return found

    @property
    def is_changed(self) -> bool:
        """Whether the rows say anything about this step."""
        return not self["on"].initial or any(told for _bound, told in self.rows)

    def clean_offer(self) -> str:
        value: str = self.cleaned_data["offer"]
        offer = self._offers.get(value)
        if offer is not None and offer.status != ConditionalOffer.OPEN:
            raise forms.ValidationError(
                gettext("The offer “%(offer)s” is not open: it gives nothing now.") % {"offer": offer.name}
            )
        return value

    def tuned(self) -> StepTuning:
        """What the merchant wants of this step."""
        data = self.cleaned_data
        delay, channels, offer = data["delay"], data["channels"], data.get("offer", INHERITED)
        before = self.step.delay < timedelta(0)
        return StepTuning(
            delay=-delay if delay is not None and before else delay,
            channels=tuple(channels.split("+")) if channels else None,
            patience=data["patience"],
            offer_id=int(offer) if offer else None,
            only_if=_condition(data["only_if"]),
            unless=_condition(data["unless"]),
            removed=not data["on"],
        )

    def _offer_choices(self) -> list[tuple[str, str]]:
        choices = [(INHERITED, as_declared(settings.VOUCHER_OFFER or gettext("none")))]
        for key, offer in self._offers.items():
            is_open = offer.status == ConditionalOffer.OPEN
            if is_open or key == self.initial["offer"]:
                name = offer.name if is_open else gettext("%(offer)s (not open)") % {"offer": offer.name}
                choices.append((key, name))
        return choices


class FlowEditing:
    """The forms of one flow together, checked as the plan that they make."""

    def __init__(self, planned: PlannedFlow, flow: Flow, data: QueryDict | None = None) -> None:
        self.planned = planned
        self.declared = planned.blueprint.plan()
        self.before = tuning_of(flow)
        self._offers = list(
            ConditionalOffer.objects.filter(offer_type=ConditionalOffer.VOUCHER).order_by("name")
        )
        self.seen = meanwhile.token(meanwhile.shown(self._forms(None)))
        together = None if data is None else meanwhile.merged(data, meanwhile.shown(self._forms(None)))
        self.was_overtaken = together is not None
        self.flow_form, *step_forms = self._forms(data if together is None else together)
        self.step_forms: list[StepForm] = step_forms

    def _forms(self, data: QueryDict | None) -> Any:
        yield FlowForm(data, declared=self.declared, tuning=self.before)
        for step in self.declared.steps:
            tuning = self.before.steps.get(step.key, StepTuning())
            yield StepForm(data, step=step, tuning=tuning, offers=self._offers)

    def is_valid(self) -> bool:
        """Whether all fields can be read and the plan makes sense. Errors stand at their fields."""
        if self.has_errors:
            return False
        after = self.declared.tuned(self.tuning())
        for fault in _new_faults(after, self.declared):
            self._blame(fault)
        for form in self.step_forms:
            self._require_words(form, after)
        return not self.has_errors

    @property
    def _all(self) -> list[forms.Form]:
        return [self.flow_form, *self.step_forms]

    @property
    def has_errors(self) -> bool:
        """Whether something is marked."""
        return any(form.errors for form in self._all)

    def tuning(self) -> Tuning:
        """What the merchant wants of the flow."""
        return Tuning(
            enabled=self.flow_form.tuned(),
            holdout=self.before.holdout,
            steps={form.step.key: form.tuned() for form in self.step_forms},
        )

    def without(self, key: str) -> Tuning:
        """The flow as it is, with one step as it was declared."""
        steps = {name: tuning for name, tuning in self.before.steps.items() if name != key}
        return Tuning(enabled=self.before.enabled, holdout=self.before.holdout, steps=steps)

    def objections(self, wanted: Tuning) -> list[str]:
        """What `wanted` would break that works now, a sentence each."""
        after, before = self.declared.tuned(wanted), self.declared.tuned(self.before)
        found = _new_faults(after, self.declared, before)
        return [": ".join(filter(None, [titles.step(fault.step), _sentence(fault)])) for fault in found]

    def _blame(self, fault: Fault) -> None:
        form = next((form for form in self.step_forms if form.step.key == fault.step), None)
        if form is None:
            self.flow_form.add_error(None, _sentence(fault))
        else:
            form.add_error(_BLAMED[fault.wrong], _sentence(fault))

    def _require_words(self, form: StepForm, after: Plan) -> None:
        """A channel that a step gets must have something to say in every language."""
        step = after.step(form.step.key)
        if step is None:
            return
        before = self.planned.plan.step(step.key) or form.step
        for channel in step.channels:
            known = channel in before.channels or channel in form.step.channels
            if not known and (without := copies.missing(self.planned, step, channel)):
                form.add_error(
                    "channels",
                    gettext("This step has no words for %(channel)s yet (%(languages)s). Write them first.")
                    % {"channel": sentences.channels([channel]), "languages": ", ".join(without)},
                )


def _new_faults(plan: Plan, *others: Plan) -> list[Fault]:
    """What is wrong with a plan and with none of the others: what is declared wrong is no merchant's fault."""
    known = {fault for other in others for fault in other.faults()}
    return [fault for fault in plan.faults() if fault not in known]


def _sentence(fault: Fault) -> str:
    words = {
        "other": titles.step(fault.other),
        "when": "" if fault.limit is None else sentences.from_anchor(fault.limit),
        "time": "" if fault.limit is None else sentences.length(fault.limit),
    }
    return str(_FAULTS[fault.wrong]) % words


_FAULTS: Mapping[Wrong, Any] = {
    Wrong.TOO_EARLY: _("This step must come after “%(other)s” (%(when)s)."),
    Wrong.TOO_LATE: _("This step must come before its time is over (%(when)s)."),
    Wrong.TOO_PATIENT: _("It cannot wait that long: the step is worth sending for %(time)s."),
    Wrong.NO_CHANNEL: _("Choose at least one channel."),
    Wrong.NEVER: _("It would never be sent: this is also what it is sent for only."),
    Wrong.NO_STEP: _("At least one step must be sent. To send nothing, switch the flow off."),
}
_BLAMED = {
    Wrong.TOO_EARLY: "delay",
    Wrong.TOO_LATE: "delay",
    Wrong.TOO_PATIENT: "patience",
    Wrong.NO_CHANNEL: "channels",
    Wrong.NEVER: "unless",
}


def changes(declared: Plan, before: Tuning, after: Tuning, offers: Mapping[int, str]) -> list[str]:
    """What an edit changed, a sentence each: "Delay of code: 24 hours → 30 hours". `offers`: names by id."""
    found = []
    if before.enabled != after.enabled:
        words = {"before": _on_words(before.enabled, declared), "after": _on_words(after.enabled, declared)}
        found.append(gettext("Flow: %(before)s → %(after)s") % words)
    for step in declared.steps:
        then = before.steps.get(step.key, StepTuning())
        now = after.steps.get(step.key, StepTuning())
        found += _step_changes(step, then, now, offers)
    return found


def _step_changes(
    step: Step, before: StepTuning, after: StepTuning, offers: Mapping[int, str]
) -> Iterator[str]:
    if before.removed != after.removed:
        switched = gettext("%(step)s: switched off") if after.removed else gettext("%(step)s: switched on")
        yield switched % {"step": titles.step(step.key)}
    then, now = told(step, before, offers), told(step, after, offers)
    for name, sentence in _CHANGED.items():
        if then[name] != now[name]:
            words = {"step": titles.step(step.key), "before": then[name], "after": now[name]}
            yield str(sentence) % words


_CHANGED = {
    "delay": _("Delay of %(step)s: %(before)s → %(after)s"),
    "channels": _("Channels of %(step)s: %(before)s → %(after)s"),
    "patience": _("Patience of %(step)s: %(before)s → %(after)s"),
    "only_if": _("%(step)s only if: %(before)s → %(after)s"),
    "unless": _("%(step)s not if: %(before)s → %(after)s"),
    "offer": _("Offer of %(step)s: %(before)s → %(after)s"),
}


def told(step: Step, tuning: StepTuning, offers: Mapping[int, str]) -> dict[str, str]:
    """The values of a step in words, by field; what is inherited is marked so."""
    own = {
        "delay": None if tuning.delay is None else sentences.from_anchor(tuning.delay),
        "channels": None if tuning.channels is None else sentences.channel_order(tuning.channels),
        "patience": None if tuning.patience is None else _patience_words(tuning.patience),
        "only_if": None if tuning.only_if is None else _condition_words(tuning.only_if),
        "unless": None if tuning.unless is None else _condition_words(tuning.unless),
        "offer": None if tuning.offer_id is None else offers.get(tuning.offer_id, f"#{tuning.offer_id}"),
    }
    declared = inherited(step)
    return {name: as_declared(declared[name]) if words is None else words for name, words in own.items()}


def inherited(step: Step) -> dict[str, str]:
    """What a step was declared as, in words, by field."""
    return {
        "delay": sentences.from_anchor(step.delay),
        "channels": sentences.channel_order(step.channels),
        "patience": _patience_words(step.patience),
        "only_if": _condition_words(step.only_if),
        "unless": _condition_words(step.unless),
        "offer": settings.VOUCHER_OFFER or gettext("none"),
    }


def as_declared(value: str) -> str:
    """How an inherited value is shown."""
    return gettext("%(value)s (as declared)") % {"value": value}


def _on_words(enabled: bool | None, declared: Plan) -> str:
    word = gettext("on") if (declared.enabled if enabled is None else enabled) else gettext("off")
    return as_declared(word) if enabled is None else word


def _patience_words(span: timedelta) -> str:
    return sentences.length(span) if span else gettext("none")


def _condition_words(name: str) -> str:
    return sentences.condition(name) if name else gettext("no condition")


def _select(label: Any, choices: Sequence[tuple[str, Any]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False)


def _channels(step: Step) -> list[tuple[str, str]]:
    """Every order of every choice of channels, the short ones first."""
    keys = list(settings.CHANNELS)
    orders = [order for count in range(1, len(keys) + 1) for order in permutations(keys, count)]
    declared = (INHERITED, as_declared(capfirst(sentences.channel_order(step.channels))))
    return [declared, *(("+".join(order), capfirst(sentences.channel_order(order))) for order in orders)]


def _conditions(declared: str, chosen: str | None) -> list[tuple[str, str]]:
    names = {*conditions.CONDITIONS, *filter(None, [chosen])}
    known = [(name, capfirst(sentences.condition(name))) for name in sorted(names)]
    return [
        (INHERITED, as_declared(capfirst(_condition_words(declared)))),
        (NONE, capfirst(_condition_words(""))),
        *known,
    ]


def _choice(condition: str | None) -> str:
    return {None: INHERITED, "": NONE}.get(condition, condition or "")


def _condition(choice: str) -> str | None:
    return {INHERITED: None, NONE: ""}.get(choice, choice)
