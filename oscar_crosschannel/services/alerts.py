"""What an operator must know, once per incident: in the log, by signal, and by email to the shop's `ADMINS`."""

from __future__ import annotations

import logging

from django.core.mail import mail_admins
from django.db import transaction

from .. import signals
from ..channels import email_connections
from . import failures

logger = logging.getLogger(__name__)


def tell(code: str, detail: str) -> None:
    """Tell the operator. `detail` is a sentence without personal data.

    The email goes once what it is about is committed, as every alert is written down with its incident.
    """
    logger.error("%s: %s", code, detail)
    signals.alert.send_robust(sender=None, code=code, detail=detail)
    transaction.on_commit(lambda: _mail(code, detail))


def _mail(code: str, detail: str) -> None:
    """It may be the very server that is broken: nothing follows from that, and nobody waits for it for ever.

    Caught here, because Django would tell the admins of the error by email, and wait.
    """
    try:
        mail_admins(f"Messages to customers: {code}", detail, connection=email_connections.patient())
    except Exception as error:
        failures.log(logger, error, "the operator was not told of %s by email", code)
