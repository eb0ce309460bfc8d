"""Who a person is: contacts, their addresses, and what of the shop belongs to them.

An account is one contact, and so is the email of a guest. A guest who types the email of exactly
one account is taken for its owner, as the shop does, but may not change what the owner decided. A
phone number never identifies anybody: families share them, and numbers get new owners.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..conf import settings
from ..core import phones
from ..core.facts import EMAIL, SMS, Answer, Basis
from ..core.lifecycle import State
from ..core.rulings import Reason
from ..models import Belonging, Consent, Contact, ContactPoint, Suppression
from . import enrolments, evidence, recall

#: Subject of an event that concerns somebody whom the app knows already, by whatever address.
CONTACT = "contact"


def digest(channel: str, address: str) -> str:
    """What stands for a normalised address in the suppression list, as 64 hex characters.

    Keyed, so that a list of known addresses cannot be compared with it.
    """
    return hmac.new(settings.address_key(), f"{channel}:{address}".encode(), hashlib.sha256).hexdigest()


def digests(channel: str, address: str) -> set[str]:
    """Every digest a normalised address goes by: of the present key, and of keys the shop had before."""
    stored = ContactPoint.objects.filter(channel=channel, address=address).values_list("digest", flat=True)
    return {digest(channel, address), *stored}


def normalise(channel: str, raw: str, *, region: str = "") -> str | None:
    """`raw` as it is stored and compared: E.164 or lower case; None when no message can reach it.

    `region` is the country of a phone number without "+".
    """
    if channel == SMS:
        try:
            return phones.parse(raw, region, test_numbers=settings.TEST_NUMBERS)
        except phones.InvalidPhone:
            return None
    address = raw.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        return None
    return address if len(address) <= 254 else None


def known_as(channel: str, raw: str) -> str:
    """`raw` normalised; as it stands when it cannot be, because a stop must count from any address."""
    return normalise(channel, raw) or raw.strip().lower()


def identify(
    *,
    user_id: int | None = None,
    email: str = "",
    name: str = "",
    language: str = "",
    country: str = "",
    region: str = "",
    now: datetime,
) -> Contact | None:
    """The contact of an account, else of an email, made if need be; None when neither says who it is.

    A further detail replaces an older one, unless a guest gives it for an account; but nothing replaces the
    language that the person chose.
    """
    own_email = _email_of(user_id)
    address = normalise(EMAIL, email if own_email is None else own_email)
    account = user_id if own_email is not None else _only_account(address)
    if account is not None:
        contact = _of_account(account, address, now)
    elif address is not None:
        contact = _of_guest(address, now)
    else:
        return None
    if address is not None:
        set_point(contact, EMAIL, address, source="identity", now=now)
    proven = own_email is not None or contact.user_id is None
    _learn(contact, overwrite=proven, name=name, language=language, country=country, region=region)
    return contact


def complete(contact: Contact, phone: str, *, source: str, now: datetime, **details: str) -> None:
    """Note old details, as `identify` takes them, where nothing is known yet; newer ones stay."""
    _learn(contact, overwrite=False, **details)
    if phone and not contact.points.filter(channel=SMS, current=True).exists():
        set_point(contact, SMS, phone, source=source, now=now)


def of_number(address: str, *, now: datetime) -> ContactPoint:
    """Whose a phone is that has just spoken for itself, as the point that is used from now on.

    The one person's who uses it and has confirmed it. Else, because a number identifies nobody, that of a
    contact of its own which has nothing but the number.
    """
    users = list(
        ContactPoint.objects.select_related("contact").filter(
            channel=SMS, address=address, current=True, contact__merged_into=None
        )[:2]
    )
    if len(users) == 1 and users[0].verified_at is not None:
        return users[0]
    contact, _ = Contact.objects.get_or_create(guest_key=digest(SMS, address), defaults={"created_at": now})
    point = set_point(followed(contact), SMS, address, source="keyword", now=now)
    assert point is not None  # the address is normalised
    return point


def set_point(
    contact: Contact, channel: str, address: str, *, source: str, now: datetime, weak: bool = False
) -> ContactPoint | None:
    """Note an address of a contact and use it from now on; None when no message can reach it.

    A weak source (the phone of a delivery) does not displace an address that a consent was given
    for. Consent stays with the address it was given for, whatever is used later.
    """
    point = _noted(contact, channel, address, source=source, now=now)
    if point is not None and not (weak and _is_relied_on(contact, channel)):
        use(point)
    return point


def claim_point(
    contact: Contact, channel: str, address: str, *, source: str, now: datetime
) -> ContactPoint | None:
    """Note an address that its owner has yet to confirm: until then one that was confirmed stays in use.

    As `set_point` for an address confirmed before, and where the one in use was not, or is blocked altogether.
    """
    point = _noted(contact, channel, address, source=source, now=now)
    if point is None:
        return None
    proven = dict(_proven(contact.points.filter(channel=channel)).values_list("pk", "current"))
    if point.pk in proven or not any(proven.values()):
        use(point)
    return point


def use(point: ContactPoint) -> None:
    """From now on this is the address that its contact is written to on its channel."""
    if not point.current:
        others = ContactPoint.objects.filter(contact_id=point.contact_id, channel=point.channel, current=True)
        others.update(current=False)
        point.current = True
        point.save(update_fields=["current"])


def _noted(
    contact: Contact, channel: str, address: str, *, source: str, now: datetime
) -> ContactPoint | None:
    normal = normalise(channel, address, region=contact.country)
    if normal is None:
        return None
    fresh: dict[str, Any] = {
        "digest": partial(_digest_of_point, channel, normal),  # asked only when the point is new
        "current": False,
        "zones": list(phones.zones_of(normal)) if channel == SMS else [],
        "country": phones.country_of(normal) if channel == SMS else "",
        "source": source[:32],
        "created_at": now,
    }
    point, _ = ContactPoint.objects.get_or_create(
        contact=contact, channel=channel, address=normal, defaults=fresh
    )
    return point


def find_by_address(channel: str, address: str) -> list[Contact]:
    """Everybody who uses this address, in id order."""
    found = ContactPoint.objects.filter(channel=channel, address=known_as(channel, address))
    people = Contact.objects.filter(pk__in=found.values("contact_id"), merged_into=None)
    return list(people.order_by("pk"))


def of_nothing_but(channel: str, address: str) -> QuerySet[Contact]:
    """Contacts of whom nothing but this address is known: that of a number that spoke for itself."""
    found = Contact.objects.filter(points__channel=channel, points__address=address, user=None)
    # asked of each contact found: as a list of ids it would hold nearly every address of the shop
    more = ContactPoint.objects.filter(contact=OuterRef("pk")).exclude(channel=channel, address=address)
    return found.filter(merged_into=None).exclude(Exists(more))


def addresses_in_use(contact_ids: Collection[int], channel: str) -> dict[int, str]:
    """The address each contact is reached by on this channel, by contact id. One statement."""
    points = ContactPoint.objects.filter(contact_id__in=contact_ids, channel=channel, current=True)
    return dict(points.values_list("contact_id", "address"))


def lock(contact_ids: Collection[int]) -> list[Contact]:
    """Lock these contacts, in id order, until the caller's transaction ends."""
    rows = Contact.objects.select_for_update(of=("self",), no_key=True)
    return list(rows.filter(pk__in=contact_ids).order_by("pk"))


def followed(contact: Contact) -> Contact:
    """The contact that this one was merged into, or itself."""
    while contact.merged_into is not None:
        contact = contact.merged_into
    return contact


def remember(kind: str, object_id: int, contact: Contact) -> None:
    """A row of the shop belongs to this contact, whoever had it before."""
    Belonging.objects.update_or_create(kind=kind, object_id=object_id, defaults={"contact": contact})


def owner_of(kind: str, object_id: int) -> Contact | None:
    """The contact that a row of the shop belongs to; of kind `CONTACT` the contact itself."""
    if kind == CONTACT:
        contact = Contact.objects.filter(pk=object_id).first()
        return followed(contact) if contact else None
    belonging = Belonging.objects.select_related("contact").filter(kind=kind, object_id=object_id).first()
    return followed(belonging.contact) if belonging else None


@transaction.atomic
def merge(keep: Contact, gone: Contact, *, now: datetime) -> None:
    """`gone` turns out to be `keep`, who goes on with its runs; what was sent to `gone` stays there, and counts.

    Never widens a consent, nor a cap. Addresses that only `gone` has come along with their answers. For an
    address of both, a revocation of either counts and a grant to `gone` does not. The longer pause stays, the
    wish of either for fewer messages, and the language that one of them chose.
    """
    if keep.pk == gone.pk:
        return
    locked = {contact.pk: contact for contact in lock([keep.pk, gone.pk])}
    keep_row, gone_row = locked[keep.pk], locked[gone.pk]
    if keep_row.merged_into or gone_row.merged_into:  # by somebody else, a moment ago
        merge(followed(keep_row), followed(gone_row), now=now)
        return
    enrolments.carry_over(gone_row, keep_row, now=now)
    for channel in sorted(_merge_points(keep_row, gone_row, now)):
        recall.recall_contacts([keep_row.pk], reason=Reason.OPTED_OUT, now=now, channel=channel)
    Belonging.objects.filter(contact=gone_row).update(contact=keep_row)
    Contact.objects.filter(merged_into=gone_row).update(merged_into=keep_row)
    gone_row.merged_into = keep_row
    if keep_row.user_id is None:
        keep_row.user, gone_row.user = gone_row.user, None
    else:
        gone_row.guest_key = None
    gone_row.save(update_fields=["user", "merged_into", "guest_key"])  # first: an account is unique
    keep_row.paused_until = max(filter(None, [keep_row.paused_until, gone_row.paused_until]), default=None)
    keep_row.fewer = keep_row.fewer or gone_row.fewer
    if gone_row.language_chosen and not keep_row.language_chosen:
        keep_row.language, keep_row.language_chosen = gone_row.language, True
    keep_row.save(update_fields=["user", "paused_until", "fewer", "language", "language_chosen"])
    _learn(keep_row, overwrite=False, **{field: getattr(gone_row, field) for field in _LONGEST})


@transaction.atomic
def become_guest(contact: Contact, *, now: datetime) -> None:
    """The contact's account is gone: from now on their email says who they are, as with any guest."""
    point = contact.points.filter(channel=EMAIL, current=True).first()
    if point is None or contact.user_id is not None:
        return
    guest = _known_guest(point.address)
    if guest is not None:
        merge(contact, followed(guest), now=now)
    else:
        Contact.objects.filter(pk=contact.pk).update(guest_key=digest(EMAIL, point.address))


#: Details of a contact, and how long each may be.
_LONGEST = {"name": 150, "language": 12, "country": 2, "region": 64, "zone": 64, "primary_channel": 16}
#: Those by which it is known when they may be texted.
_PLACE = frozenset({"country", "region", "zone"})


def _learn(contact: Contact, *, overwrite: bool, **details: str) -> None:
    """What is claimed was judged by the hours of where they were thought to be: it is judged anew if that changes."""
    changed = []
    for field, detail in details.items():
        value = detail.strip()[: _LONGEST[field]]
        known = getattr(contact, field)
        is_chosen = field == "language" and contact.language_chosen
        if value and value != known and not is_chosen and (overwrite or not known):
            setattr(contact, field, value)
            changed.append(field)
    if not changed:
        return
    with transaction.atomic():
        contact.save(update_fields=changed)
        if _PLACE.intersection(changed):
            recall.replan(contact.messages.filter(state=State.CLAIMED))


def _email_of(user_id: int | None) -> str | None:
    """The account's email as it stands, perhaps empty; None when there is no such account (any more)."""
    if user_id is None:
        return None
    User = get_user_model()
    row = User.objects.filter(pk=user_id).values_list(User.get_email_field_name()).first()
    return None if row is None else (row[0] or "")


def _only_account(address: str | None) -> int | None:
    """The account with this email, if it is exactly one. The shop's log-in asks the same question."""
    if address is None:
        return None
    User = get_user_model()
    same = User.objects.filter(**{f"{User.get_email_field_name()}__iexact": address})
    ids = list(same.values_list("pk", flat=True)[:2])
    return ids[0] if len(ids) == 1 else None


def _of_account(user_id: int, address: str | None, now: datetime) -> Contact:
    """The account's contact, together with what its owner did as a guest under the same email."""
    guest = _known_guest(address) if address is not None else None
    contact = Contact.objects.filter(user_id=user_id).first()
    if contact is None and guest is not None and _adopt(guest, user_id):
        return guest
    if contact is None:
        contact, _ = Contact.objects.get_or_create(user_id=user_id, defaults={"created_at": now})
    contact = followed(contact)
    if guest is not None and followed(guest).user_id is None:
        merge(contact, followed(guest), now=now)
        contact.refresh_from_db()
    return contact


def _adopt(guest: Contact, user_id: int) -> bool:
    """The guest has made an account; False when the guest is somebody else's by now, or the account has a contact."""
    try:
        with transaction.atomic():
            free = Contact.objects.filter(pk=guest.pk, user=None, merged_into=None)
            adopted = free.update(user_id=user_id, guest_key=None)
    except IntegrityError:
        return False
    guest.refresh_from_db()
    return bool(adopted)


def _of_guest(address: str, now: datetime) -> Contact:
    guest = _known_guest(address)
    if guest is None:
        key = digest(EMAIL, address)
        guest, _ = Contact.objects.get_or_create(guest_key=key, defaults={"created_at": now})
    return followed(guest)


def _known_guest(address: str) -> Contact | None:
    """The guest behind an email, also one who was met under an earlier key of the digests."""
    by_key = Contact.objects.filter(guest_key=digest(EMAIL, address)).first()
    if by_key is not None:
        return by_key
    earlier = Contact.objects.filter(user=None, merged_into=None).exclude(guest_key=None)
    return earlier.filter(points__channel=EMAIL, points__address=address).order_by("pk").first()


def _digest_of_point(channel: str, address: str) -> str:
    """A new point shares the digest of the others with its address, and thereby what blocks them."""
    others = ContactPoint.objects.filter(channel=channel, address=address).order_by("pk")
    return others.values_list("digest", flat=True).first() or digest(channel, address)


def _is_relied_on(contact: Contact, channel: str) -> bool:
    """Whether the address in use carries a consent, or one that waits for its confirmation."""
    return Consent.objects.filter(
        point__contact=contact,
        point__channel=channel,
        point__current=True,
        answer__in=[Answer.GRANTED, Answer.PENDING],
    ).exists()


def _proven(points: QuerySet[ContactPoint]) -> QuerySet[ContactPoint]:
    """Those whose owner has confirmed them, or agreed in writing to be written to there.

    A yes to texts about an order counts as soon as it is typed, so it proves nothing. None that is blocked
    altogether: a number that went dead must not keep out of use the one given in its place.
    """
    agreed = Q(consents__answer=Answer.GRANTED, consents__basis=Basis.EXPRESS_WRITTEN)
    blocks = Suppression.objects.filter(
        channel=OuterRef("channel"),
        digest=OuterRef("digest"),
        scope=Suppression.Scope.EVERYTHING,
        lifted_at=None,
    )
    return points.filter(Q(verified_at__isnull=False) | agreed).exclude(Exists(blocks))


def _merge_points(keep: Contact, gone: Contact, now: datetime) -> set[str]:
    """Give `keep` the addresses of `gone`; returns the channels on which a revocation came along."""
    stopped = set()
    mine = {(point.channel, point.address): point for point in keep.points.all()}
    in_use = {point.channel for point in mine.values() if point.current}
    for point in gone.points.order_by("pk"):
        if (twin := mine.get((point.channel, point.address))) is not None:
            if evidence.carry_revocations(point, twin, now=now):
                stopped.add(point.channel)
            point.current = False
        else:
            point.contact = keep
            point.current = point.current and point.channel not in in_use
        point.save(update_fields=["contact", "current"])
    return stopped
