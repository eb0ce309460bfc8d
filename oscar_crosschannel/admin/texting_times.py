"""When somebody may be texted, and why then, in sentences: where they may be, and which rules that brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import formats, timezone
from django.utils.safestring import SafeString
from django.utils.text import get_text_list
from django.utils.translation import gettext, gettext_lazy as _, ngettext

from ..core.facts import SMS
from ..core.whereabouts import Clue, Confidence, Place, Source
from ..models import Contact
from ..services import limits
from ..services.limits import Limits, TextingTimes
from . import place_names, sentences, weeks
from .reading import badge

#: So many names fit into a sentence.
_MOST_NAMES = 3

_CLUES: Mapping[Source, sentences.Words] = {
    Source.CHOSEN: _("They chose the clock of %(zones)s."),
    Source.STATE: _("Their address is in %(places)s (clock of %(zones)s)."),
    Source.COUNTRY: _("Their address is in %(places)s (clock of %(zones)s)."),
    Source.AREA_CODE: _("The first digits of the number belong to %(places)s (clock of %(zones)s)."),
    Source.PHONE_COUNTRY: _("The number is one of %(places)s (clock of %(zones)s)."),
    Source.SHOP: _("Nothing tells where they are; the shop’s own clock is taken (%(zones)s)."),
}
_CONFIDENCE: Mapping[Confidence, sentences.Words] = {
    Confidence.CHOSEN: "",
    Confidence.ONE_CLOCK: "",
    Confidence.SEVERAL_CLOCKS: _("More than one clock is possible: open is what is open on all of them."),
    Confidence.CONTRADICTION: _("Number and address disagree: open is what is open on the clocks of both."),
    Confidence.NOTHING: "",
}


@dataclass(frozen=True, slots=True)
class TimesStory:
    """When marketing may be texted to one number."""

    address: str
    hours: str
    badge: SafeString  #: open or closed now
    standing: str  #: and until when
    because: Sequence[str]
    rules: Sequence[tuple[str, str]]  #: each row that counts, and its hours


def of(contact: Contact, in_force: Limits, now: datetime) -> list[TimesStory]:
    """For each number in use."""
    points = [point for point in contact.points.all() if point.channel == SMS and point.current]
    return [
        _story(point.address, limits.texting_times(contact, point, in_force, now), now) for point in points
    ]


def _story(address: str, times: TextingTimes, now: datetime) -> TimesStory:
    is_open = bool(times.spans) and times.spans[0][0] <= now
    return TimesStory(
        address=address,
        hours=_hours(times),
        standing=_standing(times, is_open),
        badge=badge(_("open now"), "good") if is_open else badge(_("closed now"), "doubt"),
        because=list(_because(times)),
        rules=[(place_names.name(rule.key), weeks.told(rule.week.days)) for rule in times.rules if rule.week],
    )


def _hours(times: TextingTimes) -> str:
    words = {
        "hours": weeks.told([day.hours for day in times.week]),
        "zones": _zones(times.where.zones),
    }
    if len(times.where.zones) == 1:
        return gettext("%(hours)s, on the clock of %(zones)s") % words
    return gettext("%(hours)s, on the clocks of %(zones)s at once") % words


def _standing(times: TextingTimes, is_open: bool) -> str:
    if not times.spans:
        return gettext("never in the coming days: the clocks share no open hour")
    start, end = times.spans[0]
    if is_open:
        return gettext("closes on %(when)s") % {"when": _moment(end)}
    return gettext("opens on %(when)s") % {"when": _moment(start)}


def _because(times: TextingTimes) -> Iterator[str]:
    for clue in times.where.clues:
        yield _clue(clue)
    if told := str(_CONFIDENCE[times.where.confidence]):
        yield told
    for day, rule in times.holidays:
        words = {"day": formats.date_format(day), "place": place_names.name(rule.key)}
        yield gettext("%(day)s is a public holiday in %(place)s.") % words


def _clue(clue: Clue) -> str:
    words = {
        "zones": _zones(clue.zones),
        "places": get_text_list([_place(place) for place in clue.places], gettext("or")),
    }
    if not clue.zones:
        return gettext("They may be in %(places)s.") % words
    if not clue.places and clue.source is Source.AREA_CODE:
        return gettext("The first digits of the number belong to the clock of %(zones)s.") % words
    return str(_CLUES[clue.source]) % words


def _place(place: Place) -> str:
    return place_names.name(f"{place.country}-{place.state}" if place.state else place.country)


def _zones(zones: Sequence[str]) -> str:
    """By their cities: "New York or Chicago"."""
    if len(zones) > _MOST_NAMES:
        words = ngettext("%(count)d time zone", "%(count)d time zones", len(zones))
        return words % {"count": len(zones)}
    return get_text_list([zone.rpartition("/")[2].replace("_", " ") for zone in zones], gettext("and"))


def _moment(at: datetime) -> str:
    """On the merchant's clock, which the sentence names."""
    local = timezone.localtime(at)
    return gettext("%(when)s (%(zone)s)") % {
        "when": formats.date_format(local, "DATETIME_FORMAT"),
        "zone": timezone.get_current_timezone_name(),
    }
