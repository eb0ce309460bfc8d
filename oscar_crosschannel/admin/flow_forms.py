"""Everything about a flow on one form, checked as the plan that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy as _
from oscar.core.loading import get_model

from ..conf import settings
from ..core.facts import Purpose
from ..core.plan import Fault, Plan, Step, StepTuning, Tuning, Wrong
from ..models import Copy, Flow
from ..services import copies, flow_versions, plans, promotion, tuning as tuning_services
from ..services.flow_versions import Outline, Standing
from ..services.plans import PlannedFlow, tuning_of
from . import flow_changes, meanwhile, overriding, sentences, step_forms, titles
from .doors import CHANGE_COPY
from .outline_forms import FlowForm
from .step_forms import StepForm

ConditionalOffer = get_model("offer", "ConditionalOffer")


class FlowEditing:
    """The forms of one flow together, checked as the plan that they make."""

    def __init__(
        self, planned: PlannedFlow, flow: Flow, data: QueryDict | None = None, *, user: Any = None
    ) -> None:
        self.planned = planned
        self.flow = flow
        self.declared = planned.declared
        self.before = tuning_of(flow)
        self._user = user
        self.why = ""  #: why it promotes nevertheless
        self.around = bool(planned.plan.start.anchor)
        self.offers = list(
            ConditionalOffer.objects.filter(offer_type=ConditionalOffer.VOUCHER).order_by("name")
        )
        blank = list(self._forms(None))
        shown = meanwhile.shown(blank)
        self.seen = meanwhile.token(shown)
        together = None if data is None else meanwhile.merged(data, shown)
        self.was_overtaken = together is not None
        self.flow_form, *step_forms = blank if data is None else self._forms(together or data)
        self.step_forms: list[StepForm] = step_forms

    def _forms(self, data: QueryDict | None) -> Any:
        """First that of the flow, then those of the steps as they fall due, switched off ones at the end."""
        is_marketing = self.planned.purpose is Purpose.MARKETING
        yield FlowForm(
            data, declared=self.declared, tuning=self.before, flow=self.flow, is_marketing=is_marketing
        )
        every = tuning_services.restored(self.declared, self.before).steps
        is_off = {key for key, each in self.before.steps.items() if each.removed}
        for step in sorted(every, key=lambda step: step.key in is_off):
            yield self.step_form(data, step.key)

    def step_form(self, data: QueryDict | None, key: str) -> StepForm:
        """The form of a step, or of one of the merchant's own that is still to be made."""
        return StepForm(
            data,
            key=key,
            declared=self.declared.step(key),
            tuning=self.before.steps.get(key, StepTuning()),
            offers=self.offers,
            around=self.around,
            as_it_is=self.planned.plan.step(key),
        )

    @property
    def offer_names(self) -> dict[int, str]:
        return {offer.pk: offer.name for offer in self.offers}

    def is_valid(self) -> bool:
        """Whether all fields can be read and the plan makes sense. Errors stand at their fields."""
        if self.has_errors:
            return False
        asked = self.as_it_would_run(self.tuning(), self.flow_form.wanted_outline())
        after = asked.plan
        for fault in _new_faults(after, self.declared):
            self._blame(fault, after)
        for lack in self._lacking(after):
            self._form_of(lack.step_key).add_error("channels", self._with_link(lack_sentence(lack)))
        for key, lines in self._empty_promises(after).items():
            for sentence in lines:
                self._form_of(key).add_error("voucher", self._with_link(sentence))
        for key in self._without_offer(after):
            self._form_of(key).add_error("offer", no_offer())
        self._require_no_promotion(asked)
        return not self.has_errors

    @property
    def before_plan(self) -> Plan:
        return self.declared.tuned(self.before)

    @property
    def _all(self) -> list[forms.Form]:
        return [self.flow_form, *self.step_forms]

    @property
    def has_errors(self) -> bool:
        """Whether something is marked."""
        return any(form.errors for form in self._all)

    def tuning(self) -> Tuning:
        """What the merchant wants of the flow."""
        enabled, shadow = self.flow_form.wanted()
        return Tuning(
            enabled=enabled,
            shadow=shadow,
            holdout=self.flow_form.wanted_holdout(),
            steps={form.key: form.tuned() for form in self.step_forms},
        )

    def without(self, key: str) -> Tuning:
        """The flow as it is, with one step as it was declared."""
        steps = {name: tuning for name, tuning in self.before.steps.items() if name != key}
        return replace(self.before, steps=steps)

    def with_step(self, key: str, step: StepTuning) -> Tuning:
        """The flow as it is, with one more step."""
        return replace(self.before, steps={**self.before.steps, key: step})

    def standing(self, tuning: Tuning, outline: Outline | None = None) -> Standing:
        """The flow as it would stand, for comparing; words are left out."""
        outline = outline or flow_versions.outline_of(self.flow)
        return Standing(tuning=tuning, outline=outline, words={})

    def changes(self, tuning: Tuning, outline: Outline | None = None) -> list[str]:
        """What would change, a sentence each."""
        before, after = self.standing(self.before), self.standing(tuning, outline)
        return flow_changes.differences(self.declared, before, after, self.offer_names)

    def faults(self, wanted: Tuning) -> list[str]:
        """What would not work in `wanted` that works now, a sentence each."""
        after = self.declared.tuned(wanted)
        return [
            ": ".join(filter(None, [_name_in(after, fault.step), fault_sentence(fault, after)]))
            for fault in _new_faults(after, self.declared, self.before_plan)
        ]

    def objections(
        self, wanted: Tuning, words: Sequence[Copy] | None = None, outline: Outline | None = None
    ) -> list[str]:
        """The same, and where it would have no words, promise or owe codes that nobody gets, or promote what may
        not, with the words that are kept or, if given, with these.
        """
        asked = self.as_it_would_run(wanted, outline)
        found = [(lack.step_key, lack_sentence(lack)) for lack in self._lacking(asked.plan, words)]
        promises = self._empty_promises(asked.plan, words)
        found += [(key, sentence) for key, lines in promises.items() for sentence in lines]
        found += [(key, no_offer()) for key in self._without_offer(asked.plan)]
        found += [
            (each.step_key, no_promotion() if each.channel else no_code())
            for each in self._promoting(asked, words)
        ]
        told = dict.fromkeys(f"{_name_in(asked.plan, key)}: {sentence}" for key, sentence in found)
        return [*self.faults(wanted), *told]

    def as_it_would_run(self, wanted: Tuning, outline: Outline | None = None) -> PlannedFlow:
        """The flow after a change."""
        found = plans.imagined(flow_versions.outlined(self.flow, outline), wanted)
        assert found is not None  # something is declared behind every flow that can be edited
        return found

    def _lacking(self, after: Plan, words: Sequence[Copy] | None = None) -> Iterator[copies.Lack]:
        """Channels without words by which the flow would speak now, and did not before.

        What is declared without words is no merchant's fault. While nothing is sent, none are needed.
        """
        if flow_changes.state(after) != "on":
            return
        known = [self.declared]
        if words is None and flow_changes.state(self.before_plan) == "on":
            known.append(self.before_plan)
        for lack in copies.lacking(self.planned, after, words):
            speaking = [step for plan in known if (step := plan.step(lack.step_key)) is not None]
            if not any(lack.channel in step.channels for step in speaking):
                yield lack

    def _empty_promises(self, after: Plan, words: Sequence[Copy] | None = None) -> dict[str, list[str]]:
        """By step, a sentence for each channel whose words would say a code now that none is given.

        What is declared so is no merchant's fault, and what is said so already speaks against no other change.
        """
        if flow_changes.state(after) != "on":
            return {}
        kept = list(Copy.objects.filter(flow=self.flow))
        known = set(copies.empty_promises(self.planned, self.declared, ()))
        if flow_changes.state(self.before_plan) == "on":
            known |= set(copies.empty_promises(self.planned, self.before_plan, kept))
        found = copies.empty_promises(self.planned, after, kept if words is None else words)
        by_step: dict[str, dict[str, list[copies.Promise]]] = {}
        for each in found:
            if each not in known:
                by_step.setdefault(each.step_key, {}).setdefault(each.channel, []).append(each)
        return {key: list(map(promise_sentence, groups.values())) for key, groups in by_step.items()}

    def unsaid_codes(self, after: Plan) -> list[str]:
        """What to tell of the steps that give a code now, and did not before, if their words leave it out."""
        known = {step.key for step in self.before_plan.steps if step.voucher}
        fresh = [step for step in after.steps if step.voucher and step.key not in known]
        if not fresh:
            return []
        kept = list(Copy.objects.filter(flow=self.flow))
        told = gettext("“%(step)s” gives a code now. Let its words say it: otherwise nobody reads it.")
        return [
            self._with_link(told % {"step": titles.step(step.key, step.title)})
            for step in fresh
            if not copies.says_code(self.planned, step, kept)
        ]

    def _without_offer(self, after: Plan) -> list[str]:
        """Keys of the steps that would give codes of the shop's usual offer now, which gives nothing."""
        usual = (offer for offer in self.offers if offer.name == settings.VOUCHER_OFFER)
        if flow_changes.state(after) != "on" or any(map(step_forms.is_open, usual)):
            return []
        known = {step.key for step in self.declared.steps if _takes_usual_offer(step)}
        if flow_changes.state(self.before_plan) == "on":
            known |= {step.key for step in self.before_plan.steps if _takes_usual_offer(step)}
        return [step.key for step in after.steps if _takes_usual_offer(step) and step.key not in known]

    def _promoting(self, asked: PlannedFlow, words: Sequence[Copy] | None = None) -> list[copies.Promotion]:
        """Where it would promote, may not (rule 39), and does not already."""
        if not promotion.is_barred(asked.purpose, asked.plan.topic):
            return []
        was_barred = promotion.is_barred(self.planned.purpose, self.planned.plan.topic)
        known = set(copies.promotions(self.planned)) if was_barred else set()
        return [each for each in copies.promotions(asked, words) if each not in known]

    def _require_no_promotion(self, asked: PlannedFlow) -> None:
        """Rule 39, unless somebody who may says why."""
        found = self._promoting(asked)
        self.why = overriding.reason(self.flow_form, self._user) if found and self._user else ""
        if not found or self.why:
            return
        for each in found:
            form = self._form_of(each.step_key)
            if each.channel:
                form.add_error(None, no_promotion())
            else:
                form.add_error("voucher", no_code())

    def _with_link(self, sentence: str) -> str:
        """With where the words are written, for those who may write them."""
        if self._user is None or not self._user.has_perm(CHANGE_COPY):
            return sentence
        url = reverse("admin:oscar_crosschannel_flow_words_list", args=[self.planned.flow_id])
        return format_html('{} <a href="{}">{}</a>', sentence, url, gettext("Words"))

    def _form_of(self, key: str) -> StepForm:
        return next(form for form in self.step_forms if form.key == key)

    def _blame(self, fault: Fault, after: Plan) -> None:
        if fault.step:
            error = ValidationError(fault_sentence(fault, after), code=fault.wrong)
            self._form_of(fault.step).add_error(_BLAMED[fault.wrong], error)
        else:
            self.flow_form.add_error(None, fault_sentence(fault, after))


def _new_faults(plan: Plan, *others: Plan) -> list[Fault]:
    """What is wrong with a plan and with none of the others: what is declared wrong is no merchant's fault.

    A flow that is off may have no steps yet.
    """
    known = {fault for other in others if other.enabled or other.steps for fault in other.faults()}
    found = [fault for fault in plan.faults() if fault not in known]
    return [fault for fault in found if plan.enabled or fault.wrong is not Wrong.NO_STEP]


def _takes_usual_offer(step: Step) -> bool:
    return step.voucher and step.offer_id is None


def _name_in(plan: Plan, key: str) -> str:
    step = plan.step(key)
    return titles.step(key, step.title if step else "") if key else ""


def no_promotion() -> str:
    """Why a step has words that cannot be sent (rule 39)."""
    return gettext("Its words promote something, and messages of this topic may not.")


def no_code() -> str:
    """Why a step of some topics gives no code (rule 39)."""
    return gettext("A code promotes something, and messages of this topic may not.")


def lack_sentence(lack: copies.Lack) -> str:
    """Why a step cannot be switched on yet."""
    words = {"channel": sentences.channels([lack.channel]), "languages": ", ".join(lack.languages)}
    return gettext("This step has no words for %(channel)s yet (%(languages)s). Write them first.") % words


def promise_sentence(found: Sequence[copies.Promise]) -> str:
    """Why a code cannot be switched off yet: what the words of one channel say."""
    spoken = copies.languages()
    words = {
        "channel": sentences.channels([found[0].channel]),
        "parts": ", ".join(dict.fromkeys(str(flow_changes.PARTS[each.part]) for each in found)),
        "languages": ", ".join(dict.fromkeys(spoken[each.language] for each in found)),
    }
    return (
        gettext("Its words for %(channel)s say a code (%(parts)s: %(languages)s). Write others first.")
        % words
    )


def no_offer() -> str:
    """Why a step cannot give codes of the shop's usual offer."""
    words = {"offer": settings.VOUCHER_OFFER or gettext("none")}
    return (
        gettext("No code can be given: the shop’s usual offer (%(offer)s) is not open. Choose another.")
        % words
    )


def fault_sentence(fault: Fault, plan: Plan) -> str:
    """What is wrong with a step of this plan."""
    if fault.wrong is Wrong.NO_STEP and not plan.order:
        return gettext("It has no steps yet. Add one before you switch it on.")
    words = {
        "other": _name_in(plan, fault.other),
        "when": "" if fault.limit is None else sentences.from_anchor(fault.limit),
        "time": "" if fault.limit is None else sentences.length(fault.limit),
    }
    return str(_FAULTS[fault.wrong]) % words


_FAULTS: Mapping[Wrong, Any] = {
    Wrong.SAME_TIME: _("This step falls due together with “%(other)s” (%(when)s)."),
    Wrong.TOO_LATE: _("This step must come before its time is over (%(when)s): see “Worth sending for”."),
    Wrong.TOO_PATIENT: _("It cannot wait that long: the step is worth sending for %(time)s."),
    Wrong.NO_CHANNEL: _("Choose at least one channel."),
    Wrong.NEVER: _("It would never be sent: this is also what it is sent for only."),
    Wrong.NO_STEP: _("At least one step must be sent. To send nothing, switch the flow off."),
}
_BLAMED = {
    Wrong.SAME_TIME: "delay",
    Wrong.TOO_LATE: "delay",
    Wrong.TOO_PATIENT: "patience",
    Wrong.NO_CHANNEL: "channels",
    Wrong.NEVER: "unless",
}
