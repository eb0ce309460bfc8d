"""Errors in the log, told by type and place only.

Their words would quote rows, and a template's error its whole context: addresses, names, codes
and links that unsubscribe (rule 73).
"""

from __future__ import annotations

import logging
import traceback


def log(logger: logging.Logger, error: BaseException, doing: str, *values: object) -> None:
    """One line about an error that was caught; `doing % values` says what failed."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    told = doing % values if values else doing
    logger.error("%s: %s at %s:%s", told, type(error).__name__, where.filename, where.lineno)
