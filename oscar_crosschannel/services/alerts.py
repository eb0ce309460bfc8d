"""What an operator must know, once per incident: in the log, by signal, and by email to the shop's `ADMINS`."""

from __future__ import annotations

import logging

from django.core.mail import mail_admins
from django.db import transaction

from .. import signals

logger = logging.getLogger(__name__)


def tell(code: str, detail: str) -> None:
    """Tell the operator. `detail` is a sentence without personal data.

    The email goes once what it is about is committed, as every alert is written down with its incident.
    """
    logger.error("%s: %s", code, detail)
    signals.alert.send_robust(sender=None, code=code, detail=detail)
    transaction.on_commit(lambda: mail_admins(f"Messages to customers: {code}", detail), robust=True)
