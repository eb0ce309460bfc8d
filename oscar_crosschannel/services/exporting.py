"""Everything that is kept about one person, as plain values, as one page, or as JSON (rule 15).

For the person who asks for it (GDPR 15) and for whoever has to prove what was agreed to and done.
Of an address that others use, too, only what is surely this person's is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.contenttypes.models import ContentType
from django.template.loader import render_to_string
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, gettext_lazy as _

from ..conf import settings
from ..core.lifecycle import State, Status
from ..models import ConsentImport, Contact, ContactPoint, Message
from . import evidence, persons, topics as topic_services
from .persons import Person

Entry = Mapping[str, Any]  #: values by name of the field; empty ones are left out
#: What is to be said of a message's end, as of an instant: "not sent: no consent for SMS".
Tell = Callable[[Message, datetime], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One kind of things that are kept."""

    key: str
    title: str
    note: str = ""
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything about one person, as of an instant."""

    about: str  #: the address in use, or how the person is known
    made_at: datetime
    zone: tzinfo  #: of the local times
    sections: Sequence[Section]


def codes(message: Message, now: datetime) -> str:
    """A message's end in codes, for callers who have no words for it."""
    return ": ".join(filter(None, [State(message.state).name.lower(), message.reason]))


def collect(contact: Contact, *, now: datetime, tell: Tell = codes) -> Report:
    """Everything about a contact and those merged into it."""
    return _report(persons.of_contact(contact), f"#{contact.pk}", now, tell)


def collect_address(channel: str, address: str, *, now: datetime, tell: Tell = codes) -> Report:
    """What is left of an address that no contact uses (any more): it is found by its keyed digest."""
    return _report(persons.of_address(channel, address), address, now, tell)


def as_json(report: Report) -> str:
    """The report for machines; instants in UTC."""
    content = {
        "about": report.about,
        "made_at": report.made_at,
        **{section.key: [dict(entry) for entry in section.entries] for section in report.sections},
    }
    return json.dumps(content, default=_plain, ensure_ascii=False, indent=1)


def as_html(report: Report) -> str:
    """The report for people: one page that needs nothing else; instants in UTC and on the person's clock."""
    sections = [
        {
            "title": section.title,
            "note": section.note,
            "entries": [_shown(entry, report.zone) for entry in section.entries],
        }
        for section in report.sections
    ]
    words = {"about": report.about, "brand": settings.BRAND, "sections": sections}
    return render_to_string(
        "oscar_crosschannel/export.html", words | {"made_at": _moment(report.made_at, report.zone)}
    )


def file_name(report: Report, ending: str) -> str:
    """A name that says when it was made, and of nobody."""
    return f"everything-{report.made_at:%Y-%m-%d}.{ending}"


# -------------------------------------------------------------------------------------- what is kept


def _report(person: Person, name: str, now: datetime, tell: Tell) -> Report:
    topics = _topics()
    sections = [
        Section(
            key="person", title=gettext("Who"), entries=[_person(contact) for contact in person.contacts]
        ),
        Section(
            key="addresses",
            title=gettext("Addresses"),
            entries=[_point(person, each) for each in person.points],
        ),
        Section(
            key="consents",
            title=gettext("What is agreed to now"),
            entries=[_consent(row, topics) for row in person.consents().select_related("point", "event")],
        ),
        _ledger(person, topics),
        Section(
            key="suppressions",
            title=gettext("Addresses that get nothing"),
            entries=[_suppression(row) for row in person.suppressions()],
        ),
        _messages(person, topics, now, tell),
        Section(
            key="clicks",
            title=gettext("Links that were followed"),
            entries=[_click(row) for row in person.clicks()],
        ),
        _heard(person),
        Section(key="staff", title=gettext("What the shop’s staff did"), entries=list(_staff(person))),
        Section(
            key="imports", title=gettext("Files that consents came from"), entries=list(_imports(person))
        ),
        Section(
            key="erasures",
            title=gettext("Erasures"),
            entries=[_filled(at=row.at, cause=row.cause, number=row.contact_id) for row in person.erasures()],
        ),
    ]
    used = next((point.address for point in person.points if point.current), name)
    return Report(about=used, made_at=now, zone=_zone(person), sections=sections)


def _topics() -> Mapping[str, str]:
    """What topics are called in the language of the report, by key."""
    language = get_language() or django_settings.LANGUAGE_CODE
    return {topic.key: topic_services.words(topic, language).name for topic in topic_services.in_order()}


def _person(contact: Contact) -> Entry:
    account = contact.user
    return _filled(
        number=contact.pk,
        name=contact.name,
        account=account.get_username() if account else "",
        language=contact.language,
        country=contact.country,
        region=contact.region,
        zone=contact.zone,
        primary_channel=contact.primary_channel,
        paused_until=contact.paused_until,
        fewer=contact.fewer,
        merged_into=contact.merged_into_id,
        since=contact.created_at,
    )


def _point(person: Person, point: ContactPoint) -> Entry:
    return _filled(
        channel=point.channel,
        address=point.address,
        in_use=point.current,
        shared=(point.channel, point.address) not in person.alone,
        verified=point.verified_at,
        source=point.source,
        country=point.country,
        zones=point.zones,
        since=point.created_at,
    )


def _consent(row: Any, topics: Mapping[str, str]) -> Entry:
    return _filled(
        channel=row.point.channel,
        address=row.point.address,
        topic=topics.get(row.topic, row.topic),
        answer=row.answer,
        basis=row.basis,
        proven_age=row.proven_age,
        since=row.since,
        until=row.until,
        entry=row.event_id,
    )


#: Of the ledger: what says more to a person than to the program.
_PROOF = (
    "at", "action", "channel", "address", "address_given", "basis", "jurisdiction", "expires_at", "source",
    "mechanism", "default_state", "page_url", "ip", "user_agent", "session", "order_number", "provider_id",
    "message_id", "verbatim", "actor", "brand", "proven_age", "way_out_offered", "received_at",
    "previous_digest", "digest",
)  # fmt: skip


def _ledger(person: Person, topics: Mapping[str, str]) -> Section:
    entries: list[Entry] = []
    wrong: set[int] = set()
    ledgers: set[tuple[str, str, int | None]] = set()
    for event in person.ledger().select_related("text"):
        ledgers.add((event.channel, event.address, event.contact_id if not event.address else None))
        text = event.text
        entries.append(
            _filled(
                number=event.pk,
                topic=topics.get(event.topic, event.topic),
                **{name: getattr(event, name) for name in _PROOF},
                answers_to=event.request_id,
                words=text.words if text else "",
                words_language=text.language if text else "",
                words_topics=text.topics if text else [],
                words_digest=text.digest if text else "",
            )
        )
    for ledger in ledgers:
        wrong.update(evidence.altered(*ledger))
    broken = sorted(wrong & {entry["number"] for entry in entries})
    whole = gettext("Every entry is as it was written: the seals are unbroken.")
    altered = gettext("These entries are not as they were written: %(numbers)s")
    note = altered % {"numbers": ", ".join(map(str, broken))} if broken else whole if entries else ""
    return Section(
        key="ledger", title=gettext("What was said about being written to"), note=note, entries=entries
    )


def _suppression(row: Any) -> Entry:
    return _filled(
        channel=row.channel, cause=row.get_cause_display(), blocks=row.get_scope_display(), note=row.note,
        since=row.since, lifted=row.lifted_at, digest=row.digest,
    )  # fmt: skip


def _messages(person: Person, topics: Mapping[str, str], now: datetime, tell: Tell) -> Section:
    rows = (
        person.messages()
        .select_related("flow", "point", "grant", "contact")
        .prefetch_related("attempts__events")
    )
    note = gettext("The words of messages are not kept.")
    return Section(
        key="messages",
        title=gettext("Messages"),
        note=note,
        entries=[_message(row, topics, now, tell) for row in rows],
    )


def _message(row: Message, topics: Mapping[str, str], now: datetime, tell: Tell) -> Entry:
    code = getattr(row, "grant", None)
    return _filled(
        number=row.pk,
        about=topics.get(row.topic, row.topic),
        flow=row.flow.key,
        step=row.step_key,
        purpose=row.purpose,
        planned=row.created_at,
        due=row.due_at,
        channel=row.channel,
        address=row.point.address if row.point else row.address_digest,
        begun=row.attempted_at,
        settled=row.resolved_at,
        outcome=tell(row, now),
        code=code.code if code else "",
        links=row.links,
        calls=[_attempt(each) for each in row.attempts.all()],
    )


def _attempt(row: Any) -> Entry:
    return _filled(
        at=row.started_at, provider=row.provider, provider_id=row.provider_id,
        status=Status(row.status).name.lower(), status_at=row.status_at, error=row.code, detail=row.detail,
        reports=[_filled(at=event.at, kind=event.kind, error=event.code) for event in row.events.all()],
    )  # fmt: skip


def _click(row: Any) -> Entry:
    return _filled(at=row.at, message=row.message_id, link=row.link, by=row.get_verdict_display())


def _heard(person: Person) -> Section:
    shared = {point.channel for point in person.shared}
    note = gettext(
        "Others use an address of this person, too: what came from there may be theirs, and is left out."
    )
    return Section(
        key="heard",
        title=gettext("What was heard of them"),
        note=note if shared else "",
        entries=[
            _filled(at=row.occurred_at, kind=row.name, email=row.email, phone=row.phone, **_told(row))
            for row in person.inbox()
        ],
    )


def _told(row: Any) -> dict[str, Any]:
    return {
        "subjects": row.subjects,
        "details": {**row.data, **({"answers": row.answers} if row.answers else {})},
    }


def _staff(person: Person) -> Iterable[Entry]:
    """From the admin's own log; who of the staff it was is the shop's affair."""
    if not apps.is_installed("django.contrib.admin"):
        return
    kinds = {Contact: person.ids, Message: person.messages().values_list("pk", flat=True)}
    for model, ids in kinds.items():
        written = apps.get_model("admin", "LogEntry").objects.filter(
            content_type=ContentType.objects.get_for_model(model), object_id__in=list(map(str, ids))
        )
        for entry in written.order_by("action_time", "pk"):
            yield _filled(at=entry.action_time, did=entry.get_change_message())


def _imports(person: Person) -> Iterable[Entry]:
    marks = (
        person.ledger().filter(source__startswith="import").values_list("provider_id", flat=True).distinct()
    )
    ids = [int(number) for mark in marks if (number := mark.partition(":")[2]).isdecimal()]
    for row in ConsentImport.objects.filter(pk__in=ids).order_by("pk"):
        yield _filled(number=row.pk, at=row.at, file=row.file_name, digest=row.digest)


def _filled(**values: Any) -> Entry:
    return {name: value for name, value in values.items() if value not in (None, "", [], {}, False)}


# ------------------------------------------------------------------------------------- how it is shown

_LABELS: Mapping[str, str | Promise] = {
    "about": _("about"), "account": _("account"), "action": _("did"), "actor": _("by"), "address": _("address"),
    "address_given": _("address as given"), "answer": _("answer"), "answers_to": _("answers to entry"),
    "at": _("when"), "basis": _("kind of consent"), "begun": _("handed over"), "blocks": _("blocked"),
    "brand": _("seller"), "by": _("by"), "calls": _("handed to the provider"), "cause": _("because"),
    "channel": _("channel"), "code": _("exclusive code"), "country": _("country"),
    "default_state": _("box before"), "details": _("details"), "detail": _("detail"), "did": _("did"),
    "digest": _("seal"), "due": _("due"), "email": _("email"), "entry": _("because of entry"),
    "error": _("provider’s code"), "expires_at": _("expires"), "fewer": _("asked for fewer messages"),
    "file": _("file"), "flow": _("flow"), "in_use": _("in use"), "ip": _("IP address"),
    "jurisdiction": _("law of"), "kind": _("what"), "language": _("language"), "lifted": _("lifted"),
    "link": _("number of the link"), "links": _("links"), "mechanism": _("how"), "merged_into": _("merged into"),
    "message": _("message"), "message_id": _("message"), "name": _("name"), "note": _("note"),
    "number": _("number"), "order_number": _("order"), "outcome": _("what became of it"), "page_url": _("page"),
    "paused_until": _("paused until"), "phone": _("phone"), "planned": _("planned"),
    "previous_digest": _("seal of the entry before"), "primary_channel": _("preferred channel"),
    "proven_age": _("proven age"), "provider": _("provider"), "provider_id": _("provider’s number"),
    "purpose": _("purpose"), "received_at": _("received"), "region": _("state or region"),
    "reports": _("reports"), "session": _("session"), "settled": _("settled"), "shared": _("others use it, too"),
    "since": _("since"), "source": _("source"), "status": _("status"), "status_at": _("status since"),
    "step": _("step"), "subjects": _("rows of the shop"), "topic": _("topic"), "until": _("until"),
    "user_agent": _("browser"), "verbatim": _("said"), "verified": _("verified"),
    "way_out_offered": _("way out offered"), "words": _("words that were shown"),
    "words_digest": _("version of the words"), "words_language": _("language of the words"),
    "words_topics": _("topics that the words name"), "zone": _("time zone"), "zones": _("time zones"),
}  # fmt: skip


def _shown(entry: Entry, zone: tzinfo) -> list[tuple[str, str]]:
    return [(str(_LABELS.get(name, name)), _written(value, zone)) for name, value in entry.items()]


def _written(value: Any, zone: tzinfo) -> str:
    match value:
        case datetime():
            return _moment(value, zone)
        case True:
            return gettext("yes")
        case Mapping():
            return ", ".join(
                f"{_LABELS.get(name, name)}: {_written(each, zone)}" for name, each in value.items()
            )
        case list() | tuple():
            return "; ".join(_written(each, zone) for each in value)
    return str(value)


def _moment(at: datetime, zone: tzinfo) -> str:
    """An instant to the second, in UTC and as the person's clock shows it."""
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{utc} ({formats.date_format(at.astimezone(zone), 'DATETIME_FORMAT')}, {zone})"


def _zone(person: Person) -> tzinfo:
    """The person's own, else that of a number in use that may be in one only, else the shop's."""
    known: Collection[str] = [contact.zone for contact in person.contacts if contact.zone]
    single = [point.zones[0] for point in person.points if point.current and len(point.zones) == 1]
    for name in [*known, *single, django_settings.TIME_ZONE]:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return UTC


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
