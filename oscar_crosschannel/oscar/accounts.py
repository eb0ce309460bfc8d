"""A deleted account: what waits for its owner is taken back at once, and the next tick forgets them.

Oscar deletes accounts inside the shopper's request (`ProfileDeleteView`), staff delete many at once. An
erasure takes the locks of everybody who shares an address and reads long tables, so the request does
only what cannot wait: one UPDATE, as for an order, and one INSERT into the inbox, both in the deletion's own
transaction. Should that fail, the account is deleted all the same, and its contact is a guest's.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import pre_delete
from django.utils import timezone

from ..conf import settings
from ..core.events import Event
from ..core.rulings import Reason
from ..models import Contact, Message
from ..services import erasing, inbox, recall
from .safety import safe


@safe("user pre_delete")
def on_account_deletion(sender: Any, *, instance: Any, **kwargs: Any) -> None:
    """An account is about to go; afterwards nobody would know which contact was its owner's."""
    now, mode = timezone.now(), settings.ON_ACCOUNT_DELETION
    with transaction.atomic():
        contact_id = Contact.objects.filter(user_id=instance.pk).values_list("pk", flat=True).first()
        if contact_id is None:
            return
        if mode != erasing.KEEP:
            recall.cancel(Message.objects.filter(contact=contact_id), reason=Reason.ERASED, now=now)
        deleted = Event(
            name=erasing.ACCOUNT_DELETED,
            key=f"user:{instance.pk}",
            occurred_at=now,
            user_id=instance.pk,
            data={"contact": contact_id, "mode": mode},
        )
        inbox.publish(deleted, now=now)


def connect() -> None:
    """Listen to the deletion of accounts. Called once, in `AppConfig.ready`."""
    pre_delete.connect(
        on_account_deletion,
        sender=get_user_model(),
        weak=False,
        dispatch_uid="oscar_crosschannel.on_account_deletion",
    )
