"""Consents that staff bring from elsewhere: judged first, shown, and taken when staff say so.

A row that lacks its proof is kept as unproven and permits nothing (rule 7). Who said stop here, or was erased,
stays so whatever a file says: only the person can agree again. A row that says stop is always taken.

The file waits in its `ConsentImport`; ticks take it a batch at a time, each in one transaction with the count
of what is done, so that a worker may die at any moment. Taking a row again changes nothing.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

from django.db import transaction

from ..conf import settings
from ..core import consent_files
from ..core.consent_files import ConsentFile, Row, RowProblem
from ..core.events import Event
from ..core.facts import EMAIL, SMS, Answer
from ..models import ConsentEvent, ConsentImport, Contact, ContactPoint
from ..models.consents import MissingProof
from . import consents, contacts, evidence, inbox
from .import_judging import YES, Heard, Judged, Taking, judge, number_of, shop_zone
from .plans import Plans

#: A batch of a confirmed import waits for its turn. `data`: import (its id), first (number of its first row).
BATCH_DUE = "consents.import"
#: Rows taken in one transaction, and how far apart batches are: the shop's messages go between them.
BATCH, PAUSE = 100, timedelta(seconds=3)
#: Problems that are kept with an import.
MOST_PROBLEMS = 1000
#: Bytes of a file.
LARGEST = 20 * 1024 * 1024

Basis = ConsentEvent.Basis


# --------------------------------------------------------------------------------- before it is taken


def keep(content: bytes, *, name: str, by: str, now: datetime, topics: Sequence[str] = ()) -> ConsentImport:
    """Keep a file until staff have seen what it would do. Raises consent_files.UnreadableFile.

    `topics`: see `import_judging.judge`.
    """
    file = consent_files.read(content)
    return ConsentImport.objects.create(
        at=now,
        by=by[:150],
        file_name=name[:200],
        digest=sha256(content).hexdigest(),
        content=zlib.compress(content),
        rows=sum(1 for _ in file.rows()),
        topics=list(topics),
    )


def earlier(row: ConsentImport) -> ConsentImport | None:
    """The same file, if it was taken before."""
    same = ConsentImport.objects.filter(digest=row.digest, confirmed_at__isnull=False).exclude(pk=row.pk)
    return same.order_by("pk").last()


def open_file(row: ConsentImport) -> ConsentFile | None:
    """The file of an import; None once it was thrown away."""
    return consent_files.read(zlib.decompress(row.content)) if row.content is not None else None


def preview(
    file: ConsentFile, *, now: datetime, topics: Sequence[str] = (), most: int | None = None
) -> Iterator[Judged]:
    """How each row would be taken as things stand, for the first rows or all. Writes nothing."""
    rows, heard = islice(file.rows(), most), Heard()
    while batch := list(islice(rows, BATCH)):
        yield from judge(batch, now=now, heard=heard, topics=topics)


@transaction.atomic
def confirm(import_id: int, *, now: datetime) -> bool:
    """Let the ticks take it; False when somebody did before, or it was thrown away."""
    waiting = ConsentImport.objects.filter(pk=import_id, confirmed_at=None, content__isnull=False)
    if not waiting.update(confirmed_at=now):
        return False
    row = ConsentImport.objects.get(pk=import_id)
    starts = range(0, max(row.rows, 1), BATCH)
    inbox.publish(*(_due(row, first, now + number * PAUSE) for number, first in enumerate(starts)), now=now)
    return True


def _due(row: ConsentImport, first: int, at: datetime) -> Event:
    return Event(
        name=BATCH_DUE,
        key=f"{row.pk}:{first:09}",
        occurred_at=at,
        not_before=at,
        data={"import": row.pk, "first": first},
    )


# ----------------------------------------------------------------------------------------- taking it


def fold_batch(event: Event, plans: Plans, *, now: datetime) -> None:
    """Take one batch, inside the transaction of the fold."""
    row = ConsentImport.objects.select_for_update(no_key=True).get(pk=event.data["import"])
    file = open_file(row)
    if file is None:
        return
    rows = list(islice(file.rows(), event.data["first"], event.data["first"] + BATCH))
    contacts.lock(_users_of(rows))
    counts: Counter[str] = Counter()
    for judged in judge(rows, now=now, heard=Heard(), topics=row.topics):
        taken = _take(judged, row, now)
        counts[taken.taking] += 1
        if taken.problem is not None and len(row.problems) < MOST_PROBLEMS:
            row.problems.append([taken.row.line, taken.problem])
    for name, count in counts.items():
        setattr(row, name, getattr(row, name) + count)
    row.taken += len(rows)
    changed = [*counts, "taken", "problems"]
    if row.taken >= row.rows:
        row.finished_at, row.content = now, None
        changed += ["finished_at", "content"]
    row.save(update_fields=changed)


def _take(judged: Judged, row: ConsentImport, now: datetime) -> Judged:
    """Do what was judged, and say what was done: a grant may lack a proof that only the ledger asks for."""
    match judged.taking:
        case Taking.REVOKED:
            return judged if _stop(judged, row, now) else replace(judged, taking=Taking.UNCHANGED)
        case Taking.GRANTED:
            try:
                with transaction.atomic():
                    _grant(judged, row, now)
            except MissingProof:
                return _keep_unproven(judged, row, now)
        case Taking.UNPROVEN:
            return _keep_unproven(judged, row, now)
    return judged


def _stop(judged: Judged, row: ConsentImport, now: datetime) -> bool:
    return consents.revoke(
        judged.row.channel,
        judged.address,
        topics=judged.topics or None,
        source=_source(judged.row),
        mechanism=judged.row["how"][:32] or "import",
        provider_id=_mark(row),
        actor=row.by,
        received_at=judged.at,
        now=now,
    )


def _grant(judged: Judged, row: ConsentImport, now: datetime) -> None:
    contact, cells, text = _whose(judged, now), judged.row, judged.text
    used = contact.points.filter(channel=cells.channel, current=True).first()
    relied_on = used is not None and used.consents.filter(answer=Answer.GRANTED).exists()
    consents.grant(
        contact,
        cells.channel,
        judged.topics,
        source=_source(cells),
        words=text.words if text else cells["words"],
        language=text.language if text else cells["language"].lower()[:12],
        address=judged.address,
        mechanism=cells["how"],
        basis=Basis(cells["basis"]) if cells["basis"] else Basis.EXPRESS,
        occasion=cells["occasion"].lower(),
        born_on=judged.dates.get("born_on"),
        expires_at=_ends(judged),
        now=now,
        at=judged.at,
        **_proof(judged, row, now),
    )
    if relied_on and used is not None:  # an imported address does not displace one that was agreed to
        contacts.set_point(contact, cells.channel, used.address, source=used.source, now=now)


def _keep_unproven(judged: Judged, row: ConsentImport, now: datetime) -> Judged:
    """What the file claims, for the record: it permits nothing, and joins no address to anybody."""
    source = _source(judged.row)
    known = ConsentEvent.objects.filter(
        channel=judged.row.channel, address=judged.address, basis=Basis.UNPROVEN, source=source
    )
    there = set(known.values_list("topic", flat=True))
    fresh = [topic for topic in judged.topics or [""] if topic not in there]
    for topic in fresh:
        evidence.append(
            ConsentEvent(
                channel=judged.row.channel,
                address=judged.address,
                address_given=judged.row.address,
                topic=topic,
                action=ConsentEvent.Action.GRANT,
                basis=Basis.UNPROVEN,
                source=source,
                mechanism=judged.row["how"],
                verbatim=judged.row["words"],
                brand=settings.BRAND,
                at=judged.at or now,
                **_proof(judged, row, now),
            )
        )
    taking = Taking.UNPROVEN if fresh else Taking.UNCHANGED
    return replace(judged, taking=taking, problem=RowProblem.NO_PROOF if fresh else None)


def _proof(judged: Judged, row: ConsentImport, now: datetime) -> dict[str, Any]:
    cells = judged.row
    country = {"jurisdiction": cells["country"].upper()[:16]} if cells["country"] else {}
    return country | {
        "actor": row.by,
        "provider_id": _mark(row),
        "page_url": cells["page"],
        "ip": cells["ip"] or None,
        "way_out_offered": cells["way_out"].lower() in YES if cells["way_out"] else None,
        "received_at": now,
    }


def _ends(judged: Judged) -> datetime | None:
    """The first instant of the day on which it is over, on the shop's clock."""
    day = judged.dates.get("expires_on")
    return datetime.combine(day, time(), shop_zone()) if day else None


def _source(row: Row) -> str:
    return f"import: {row['source']}" if row["source"] else "import"


def _mark(row: ConsentImport) -> str:
    """By which an entry of the ledger names its import."""
    return f"import:{row.pk}"


def _whose(judged: Judged, now: datetime) -> Contact:
    """Whom the consent is of. A number alone says so little that it stays apart from everybody (see `contacts`)."""
    email = judged.address if judged.row.channel == EMAIL else judged.row["email"]
    if email:
        contact = contacts.identify(email=email, now=now)
        assert contact is not None  # the email was judged
        return contact
    nobody = Contact.objects.filter(user=None, guest_key=None, merged_into=None)
    known = nobody.filter(points__channel=SMS, points__address=judged.address)
    only = known.exclude(points__channel=EMAIL).order_by("pk").first()
    return only or Contact.objects.create(created_at=now)


def _users_of(rows: Sequence[Row]) -> list[int]:
    """Everybody these rows may touch, to be locked in one order before anything is written."""
    named = [row[name] for row in rows for name in ("address", "email") if "@" in row[name]]
    addresses = {contacts.known_as(EMAIL, email) for email in named}
    addresses.update(number for row in rows if row.channel == SMS and (number := number_of(row)))
    points = ContactPoint.objects.filter(address__in=addresses)
    return list(points.values_list("contact_id", flat=True).distinct())
