"""A length of time as people write it: a number, and minutes, hours or days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

UNITS = {
    "minutes": (timedelta(minutes=1), _("minutes")),
    "hours": (timedelta(hours=1), _("hours")),
    "days": (timedelta(days=1), _("days")),
}
#: Longer than any flow, and short enough for every calendar.
LONGEST = timedelta(days=1000)


def split(span: timedelta) -> tuple[int, str]:
    """The number and the unit that say `span` shortest: 90 minutes, 24 hours, 4 days."""
    for unit, most in (("days", timedelta(days=2)), ("hours", timedelta(hours=1))):
        length = UNITS[unit][0]
        if span >= most and not span % length:
            return span // length, unit
    return round(span / timedelta(minutes=1)), "minutes"


class DurationWidget(forms.MultiWidget):
    """Two inputs. Empty, the number shows `inherited` as its placeholder and the unit stands as there; hours without."""

    template_name = "admin/oscar_crosschannel/flow/duration.html"
    widgets_names: list[str]

    def __init__(self, inherited: timedelta | None) -> None:
        number, self._unit = ("", "hours") if inherited is None else split(inherited)
        super().__init__(
            {
                "number": forms.NumberInput(
                    {"placeholder": number, "min": 0, "step": 1, "inputmode": "numeric"}
                ),
                "unit": forms.Select(choices=[(key, words) for key, (_length, words) in UNITS.items()]),
            }
        )

    def decompress(self, value: timedelta | None) -> list[Any]:
        return ["", self._unit] if value is None else list(split(value))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        number, unit = context["widget"]["subwidgets"]
        number["attrs"]["aria-label"] = _("number")
        unit["attrs"]["aria-label"] = _("unit")
        return context


class DurationField(forms.MultiValueField):
    """A `timedelta`; None when the number is left empty."""

    def __init__(self, *, inherited: timedelta | None, **kwargs: Any) -> None:
        whole = {
            "invalid": _("Enter a whole number."),
            "min_value": _("Enter a number that is not negative."),
        }
        super().__init__(
            (
                forms.IntegerField(min_value=0, required=False, error_messages=whole),
                forms.ChoiceField(choices=[(key, key) for key in UNITS], required=False),
            ),
            widget=DurationWidget(inherited),
            required=False,
            require_all_fields=False,
            **kwargs,
        )

    def compress(self, values: list[Any]) -> timedelta | None:
        if not values or values[0] is None:
            return None
        length = UNITS[values[1] or "minutes"][0]
        if values[0] > LONGEST / length:
            raise forms.ValidationError(_("This is longer than any flow lasts."))
        span: timedelta = values[0] * length
        return span
