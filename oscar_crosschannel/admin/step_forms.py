"""The form of one step: what it says, an empty field for what is inherited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext, gettext_lazy as _
from oscar.core.loading import get_model

from ..conf import settings
from ..core.plan import Step, StepTuning, Wrong
from ..services import conditions
from . import flow_changes, sentences, titles
from .durations import DurationField
from .flow_changes import INHERITED, as_declared, inherited

ConditionalOffer = get_model("offer", "ConditionalOffer")

#: What a select says for "deliberately nothing".
NONE = "-"


class StepForm(forms.Form):
    """What a merchant may change about one step, or all that a step of their own is."""

    on = forms.BooleanField(label=_("Send this step"), required=False)

    def __init__(
        self,
        data: QueryDict | None,
        *,
        key: str,
        declared: Step | None,
        tuning: StepTuning,
        offers: Sequence[Any],
        around: bool,
        as_it_is: Step | None,
    ) -> None:
        """`declared`: None for a step of the merchant's own. `around`: times may lie before the anchor, too.

        `as_it_is`: as it runs now, if it does.
        """
        self.key = key
        self.declared = declared
        base = declared or Step(key=key, channels=(), delay=timedelta(0))
        self.step = base
        self.as_it_is = as_it_is
        delay = base.delay if tuning.delay is None else tuning.delay
        initial = {
            "on": not tuning.removed,
            "title": tuning.title or "",
            "delay": None if tuning.delay is None else abs(tuning.delay),
            "side": "before" if delay < timedelta(0) else "after",
            "channels": INHERITED if tuning.channels is None else "+".join(tuning.channels),
            "worth": None if tuning.expires is None else tuning.expires - delay,
            "patience": tuning.patience,
            "only_if": _choice(tuning.only_if),
            "unless": _choice(tuning.unless),
            "voucher": {None: INHERITED, True: "yes", False: "no"}[tuning.voucher],
            "voucher_valid": tuning.voucher_valid,
            "offer": INHERITED if tuning.offer_id is None else str(tuning.offer_id),
        }
        if declared is None:  # nothing to inherit
            initial |= {name: initial[name] or NONE for name in ("only_if", "unless")}
            initial["voucher"] = initial["voucher"] or "no"
        super().__init__(data, prefix=key, initial=initial, label_suffix="", use_required_attribute=False)
        self._offers = {str(offer.pk): offer for offer in offers}
        self.fields |= self._fields(base, tuning, around=around)
        if declared is not None or not around:
            self.fields.pop("side")

    def _fields(self, base: Step, tuning: StepTuning, *, around: bool) -> dict[str, forms.Field]:
        is_own = self.declared is None
        before = base.delay < timedelta(0)
        label = _("How long before the event") if before else _("How long after the event")
        worth = None if base.expires is None else base.expires - base.delay
        return {
            "title": forms.CharField(
                label=_("Title"),
                max_length=100,
                required=is_own,
                widget=forms.TextInput(
                    {
                        "class": "vTextField",
                        "placeholder": "" if is_own else titles.step(base.key, base.title),
                    }
                ),
            ),
            "delay": DurationField(
                inherited=None if is_own else abs(base.delay),
                label=_("How long before or after the event") if is_own and around else label,
            ),
            "side": _select(_("Before or after it"), [("before", _("before")), ("after", _("after"))]),
            "channels": _select(_("Channels"), _channels(self.declared)),
            "worth": DurationField(
                inherited=worth,
                label=_("Worth sending for"),
                help_text=_(
                    "How long after it fell due it may still go out. If this says nothing: until the next step falls "
                    "due, the last step for a day."
                ),
            ),
            "patience": DurationField(
                inherited=base.patience,
                label=_("Wait for the better channel"),
                help_text=_(
                    "How long it may be held back for its first channel before the next one is taken."
                ),
            ),
            "only_if": _select(_("Send only if"), _conditions(self.declared, "only_if", tuning.only_if)),
            "unless": _select(_("Do not send if"), _conditions(self.declared, "unless", tuning.unless)),
            "voucher": _select(_("With an exclusive code"), self._voucher_choices()),
            "voucher_valid": DurationField(
                inherited=base.voucher_valid or settings.VOUCHER_VALID_FOR, label=_("The code is good for")
            ),
            "offer": _select(_("Offer behind the code"), self._offer_choices()),
        }

    @property
    def heading(self) -> str:
        return titles.step(self.key, self.initial["title"] or self.step.title)

    @property
    def is_off(self) -> bool:
        return not self.initial["on"]

    @property
    def rows(self) -> list[tuple[forms.BoundField, str]]:
        """The fields that most steps need, each with what was declared if the merchant changed it."""
        return [self._row(bound) for bound in self if bound.name not in _FURTHER]

    @property
    def further(self) -> list[tuple[forms.BoundField, str]]:
        """The other fields."""
        return [self._row(bound) for bound in self if bound.name in _FURTHER]

    @property
    def shows_further(self) -> bool:
        """Whether something there is not what one expects, or stands behind what is wrong elsewhere."""
        is_past_worth = self.has_error("delay", Wrong.TOO_LATE)
        return is_past_worth or any(told or bound.errors for bound, told in self.further)

    def _row(self, bound: forms.BoundField) -> tuple[forms.BoundField, str]:
        is_changed = bound.name != "on" and bound.initial not in (None, INHERITED)
        if self.declared is None or not is_changed:
            return bound, ""
        words = inherited(self.declared)["expires" if bound.name == "worth" else bound.name]
        return bound, gettext("declared: %(value)s") % {"value": words}

    @property
    def is_changed(self) -> bool:
        """Whether there is something to reset."""
        if self.declared is None:
            return False
        return self.is_off or any(told for _bound, told in [*self.rows, *self.further])

    def clean_delay(self) -> timedelta | None:
        delay: timedelta | None = self.cleaned_data["delay"]
        if delay is None and self.declared is None:
            raise forms.ValidationError(gettext("Say when it falls due; 0 stands for at once."))
        return delay

    def clean_channels(self) -> str:
        channels: str = self.cleaned_data["channels"]
        if not channels and self.declared is None:
            raise forms.ValidationError(gettext("Choose at least one channel."))
        return channels

    def clean_worth(self) -> timedelta | None:
        worth: timedelta | None = self.cleaned_data["worth"]
        if worth is not None and not worth:
            raise forms.ValidationError(gettext("It would never be sent."))
        return worth

    def clean_voucher_valid(self) -> timedelta | None:
        valid: timedelta | None = self.cleaned_data["voucher_valid"]
        if valid is not None and not valid:
            raise forms.ValidationError(gettext("The code would be good for nothing."))
        return valid

    def clean_offer(self) -> str:
        value: str = self.cleaned_data["offer"]
        offer = self._offers.get(value)
        if offer is not None and not is_open(offer):
            raise forms.ValidationError(closed(offer.name))
        return value

    def tuned(self) -> StepTuning:
        """What the merchant wants of this step."""
        data = self.cleaned_data
        channels, offer, worth = data["channels"], data["offer"], data["worth"]
        delay = self._delay()
        due = self.step.delay if delay is None else delay
        return StepTuning(
            title=data["title"] or None,
            delay=delay,
            expires=None if worth is None else due + worth,
            channels=tuple(channels.split("+")) if channels else None,
            patience=data["patience"],
            voucher={INHERITED: None, "yes": True, "no": False if self.declared else None}[data["voucher"]],
            voucher_valid=data["voucher_valid"],
            offer_id=int(offer) if offer else None,
            only_if=self._condition("only_if"),
            unless=self._condition("unless"),
            removed=not data.get("on", True),
        )

    def _delay(self) -> timedelta | None:
        delay: timedelta | None = self.cleaned_data["delay"]
        if self.declared is not None:
            before = self.declared.delay < timedelta(0)
        else:
            before = self.cleaned_data.get("side") == "before"
        return -delay if delay is not None and before else delay

    def _condition(self, name: str) -> str | None:
        """'' takes the declared one away, where there may be one."""
        choice = self.cleaned_data[name]
        return {INHERITED: None, NONE: "" if self.declared else None}.get(choice, choice)

    def _voucher_choices(self) -> list[tuple[str, Any]]:
        choices: list[tuple[str, Any]] = [("yes", _("Yes")), ("no", _("No"))]
        if self.declared is None:
            return choices
        return [(INHERITED, as_declared(capfirst(flow_changes.yes_or_no(self.declared.voucher)))), *choices]

    def _offer_choices(self) -> list[tuple[str, str]]:
        usual = settings.VOUCHER_OFFER or gettext("none")
        own = gettext("The shop’s usual offer (%(offer)s)") % {"offer": usual}
        choices = [(INHERITED, as_declared(usual) if self.declared else own)]
        for key, offer in self._offers.items():
            gives = is_open(offer)
            if gives or key == self.initial["offer"]:
                name = offer.name if gives else gettext("%(offer)s (not open)") % {"offer": offer.name}
                choices.append((key, name))
        return choices


def is_open(offer: Any) -> bool:
    """Whether codes for an offer give anything now."""
    return bool(offer.status == ConditionalOffer.OPEN)


def closed(name: str) -> str:
    """Why a step cannot give codes for an offer."""
    return gettext("The offer “%(offer)s” is not open: it gives nothing now.") % {"offer": name}


#: Fields that most steps do not need.
_FURTHER = ("worth", "patience", "only_if", "unless", "voucher", "voucher_valid", "offer")


def _select(label: Any, choices: Sequence[tuple[str, Any]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False)


def _channels(declared: Step | None) -> list[tuple[str, str]]:
    """Every order of every choice of channels, the short ones first."""
    keys = list(settings.CHANNELS)
    orders = [order for count in range(1, len(keys) + 1) for order in permutations(keys, count)]
    choices = [("+".join(order), capfirst(sentences.channel_order(order))) for order in orders]
    first = as_declared(capfirst(sentences.channel_order(declared.channels))) if declared else "---------"
    return [(INHERITED, first), *choices]


def _conditions(declared: Step | None, which: str, chosen: str | None) -> list[tuple[str, str]]:
    names = {*conditions.CONDITIONS, *filter(None, [chosen])}
    known = [(name, capfirst(sentences.condition(name))) for name in sorted(names)]
    choices = [(NONE, capfirst(flow_changes.condition_words(""))), *known]
    if declared is None:
        return choices
    words = flow_changes.condition_words(getattr(declared, which))
    return [(INHERITED, as_declared(capfirst(words))), *choices]


def _choice(condition: str | None) -> str:
    return {None: INHERITED, "": NONE}.get(condition, condition or "")
