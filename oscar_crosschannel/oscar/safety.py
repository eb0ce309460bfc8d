"""Nothing of ours may cost the shop an order."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def safe(what: str) -> Iterator[None]:
    """Let the shopper's request go on, whatever happens inside; as a decorator or in a `with`.

    Oscar sends `order_placed` and `post_checkout` with a plain `send()`: an error there turns a
    paid checkout into an error page that every retry meets again. Database work inside needs a
    `transaction.atomic()` of its own, or an error that is caught here still poisons the
    transaction of a shop with ATOMIC_REQUESTS.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - this is the place where everything ends
        # Neither the message of the error nor its arguments: databases quote the row in them.
        where = traceback.extract_tb(error.__traceback__)[-1]
        logger.error(  # noqa: TRY400 - for the same reason without a traceback
            "%s failed with %s at %s:%s", what, type(error).__name__, where.filename, where.lineno
        )
