"""Hours of a week: in words, and as people edit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from typing import Any

from django import forms
from django.utils import formats
from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext, gettext_lazy as _

from ..core.timing import DayHours

Week = Sequence[DayHours | None]  #: Monday first; None is closed

#: As the table of rules writes them.
_KEYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def told(week: Week) -> str:
    """In words, equal days together: "Mon–Sat 9 a.m.–8 p.m., Sun closed"."""
    if not any(week):
        return gettext("closed")
    return ", ".join(f"{_days(first, last)} {_hours(week[first])}" for first, last in _runs(week))


def as_row(week: Week) -> dict[str, str]:
    """As the table of rules has it: {"mon-sat": "09:00-20:00"}."""
    return {
        _KEYS[first]
        if first == last
        else f"{_KEYS[first]}-{_KEYS[last]}": f"{hours.start:%H:%M}-{_end(hours)}"
        for first, last in _runs(week)
        if (hours := week[first]) is not None
    }


def _runs(week: Week) -> Iterator[tuple[int, int]]:
    """First and last day of each run of days with equal hours."""
    first = 0
    for day in range(1, len(week) + 1):
        if day == len(week) or week[day] != week[first]:
            yield first, day - 1
            first = day


def _days(first: int, last: int) -> str:
    if first == last:
        return str(WEEKDAYS_ABBR[first])
    return f"{WEEKDAYS_ABBR[first]}–{WEEKDAYS_ABBR[last]}"


def _hours(hours: DayHours | None) -> str:
    if hours is None:
        return gettext("closed")
    if hours.start == hours.end == time(0):
        return gettext("all day")
    return f"{formats.time_format(hours.start)}–{formats.time_format(hours.end)}"


def _end(hours: DayHours) -> str:
    return "24:00" if hours.end == time(0) else f"{hours.end:%H:%M}"


class HoursWidget(forms.MultiWidget):
    """From when until when."""

    template_name = "admin/oscar_crosschannel/hours.html"
    widgets_names: list[str]

    def __init__(self) -> None:
        clock = {"type": "time"}
        super().__init__(
            {
                "from": forms.TimeInput({**clock, "aria-label": _("from")}, format="%H:%M"),
                "to": forms.TimeInput({**clock, "aria-label": _("until")}, format="%H:%M"),
            }
        )

    def decompress(self, value: DayHours | None) -> list[Any]:
        return ["", ""] if value is None else [f"{value.start:%H:%M}", f"{value.end:%H:%M}"]


class HoursField(forms.MultiValueField):
    """The hours of a day; None when both are left empty."""

    def __init__(self, **kwargs: Any) -> None:
        wrong = {"invalid": _("Enter a time as on a clock, such as 09:00.")}
        super().__init__(
            (
                forms.TimeField(required=False, error_messages=wrong),
                forms.TimeField(required=False, error_messages=wrong),
            ),
            widget=HoursWidget(),
            required=False,
            require_all_fields=False,
            **kwargs,
        )

    def compress(self, values: list[Any]) -> DayHours | None:
        start, end = values or (None, None)
        if start is None and end is None:
            return None
        if start is None or end is None:
            raise forms.ValidationError(_("Say from when until when, or leave both empty."))
        return DayHours(start, end)


def fields() -> dict[str, HoursField]:
    """One field for each day of the week."""
    return {key: HoursField(label=WEEKDAYS[number]) for number, key in enumerate(_KEYS)}


def of(data: dict[str, Any]) -> tuple[DayHours | None, ...]:
    """The week that the `fields` say."""
    return tuple(data[key] for key in _KEYS)


def initial(week: Week | None) -> dict[str, DayHours | None]:
    """What the `fields` show of a week; None: nothing."""
    return dict(zip(_KEYS, week or (None,) * 7, strict=True))
