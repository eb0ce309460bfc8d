"""Changes of an account that its owner must hear of: another email address, another password.

Noticed where every way ends that changes them (Oscar's pages, a password reset, the admin, an API, a shell): in
the account's own `save`. Of the password Django itself says whether it changed: hashes that are brought up
to date at a log-in do not count. For the old address one statement asks the database, and only when a save
may change it; a log-in saves only its time.

What goes to the old address opens no door: a save does not say who made it, and staff, an import or a sign-on
service may have given the account to somebody else. So ours says how to tell the shop, and holds no link that sets
a password. Oscar's email about another address holds one, because it goes only when the owner changed the address
on their profile page; it is never silenced, and ours goes beside it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.db import transaction
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from ..core.events import Event
from ..core.facts import EMAIL
from ..models import Contact, Enrolment, InboxEvent, Watermark
from ..services import contacts, inbox, intake, plans
from .safety import safe

#: Names of the events. The first is for the owner of the account as they are reached now; `data`: `email` and
#: `password`, whether it changed. The second is for the address that the account had before: it is a mailbox
#: of its own, so it is told like a guest's, and gets nothing else.
CHANGED, LEFT = "account.changed", "account.email_left"

#: So many changes of one kind are told to an account in a day (UTC): whoever changes it again and again must not
#: ring a phone all day long, yet the owner must hear of what somebody else does after them.
DAILY = 5

#: An engine that has looked at the shop within this time is at work.
AT_WORK = timedelta(minutes=10)

#: Where what the account had before waits for the save to succeed.
_NOTE = "_crosschannel_before"


@safe("user pre_save")
def before_saving(
    sender: Any, *, instance: Any, raw: bool = False, update_fields: Any = None, **kwargs: Any
) -> None:
    """The address that the account has until now, if it will be another, and whether it has a password."""
    field = instance.get_email_field_name()
    vars(instance).pop(_NOTE, None)
    if raw or instance.pk is None or not {field, "password"} & set(update_fields or (field,)):
        return
    with transaction.atomic():
        known = get_user_model().objects.filter(pk=instance.pk).values_list(field, "password").first()
    if known is not None:
        old, password = known
        is_left = bool(old) and old.lower() != (getattr(instance, field) or "").lower()
        setattr(instance, _NOTE, (old if is_left else "", is_password_usable(password) and bool(password)))


@safe("user post_save")
def after_saving(sender: Any, *, instance: Any, created: bool, raw: bool = False, **kwargs: Any) -> None:
    """Tell it, once it is so. The first password of an account is no change."""
    old, had_password = vars(instance).pop(_NOTE, ("", False))
    has_new_password = had_password and getattr(instance, "_password", None) is not None
    if created or raw or not (old or has_new_password):
        return
    now = timezone.now()
    what = {"email": bool(old), "password": has_new_password}
    with transaction.atomic():
        key = _free_key(instance.pk, "+".join(name for name, is_new in what.items() if is_new), now)
        if key is None:
            return
        events = [Event(name=CHANGED, key=key, occurred_at=now, user_id=instance.pk, data=what)]
        if old:
            known = Contact.objects.filter(user_id=instance.pk).values("name", "language").first()
            left = f"{key}:{contacts.digest(EMAIL, old)[:16]}"
            events.append(Event(name=LEFT, key=left, occurred_at=now, email=old, data=known or {}))
        inbox.publish(*events, now=now)


def _free_key(user_id: int, what: str, now: datetime) -> str | None:
    """The key of one more change of today; None when enough of them were told. One statement."""
    keys = [f"user:{user_id}:{what}:{now:%Y%m%d}:{number}" for number in range(DAILY)]
    taken = set(InboxEvent.objects.filter(name=CHANGED, key__in=keys).values_list("key", flat=True))
    return next((key for key in keys if key not in taken), None)


def is_password_told(user_id: int) -> bool:
    """Whether a flow of ours is about to mail what Oscar would mail of a new password: one change, one email.

    Only if nothing speaks against it: it was noted a moment ago and not told before, the flow is on, and an
    engine is at work. Else Oscar's own email goes, as ever. Up to seven statements.
    """
    now = timezone.now()
    notes = InboxEvent.objects.filter(name=CHANGED, key__startswith=f"user:{user_id}:", processed_at=None)
    fresh = notes.filter(data__password=True, occurred_at__gt=now - AT_WORK)
    keys = list(fresh.values_list("key", flat=True))
    if not keys or Enrolment.objects.filter(key__in=keys).exists():
        return False
    if not Watermark.objects.filter(name=intake.SWEEP, at__gt=now - AT_WORK).exists():
        return False
    return any(
        EMAIL in step.channels
        for flow in plans.load_plans().started_by(CHANGED)
        if flow.plan.enabled and not flow.plan.shadow
        for step in flow.plan.steps
    )


CONNECTIONS = ((pre_save, before_saving), (post_save, after_saving))


def connect() -> None:
    """Listen to accounts being saved. Called once, in `AppConfig.ready`."""
    for signal, receiver in CONNECTIONS:
        signal.connect(
            receiver,
            sender=get_user_model(),
            weak=False,
            dispatch_uid=f"oscar_crosschannel.security.{receiver.__name__}",
        )
