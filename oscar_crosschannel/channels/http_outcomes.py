"""What a failed HTTP call says about the message: certainly not sent, or perhaps sent."""

from __future__ import annotations

import ssl

import requests
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError, SSLError

#: Statuses that say the account or its credentials are wrong, for any message. 402: unpaid.
BROKEN_SENDER = frozenset({401, 402, 403, 407})
#: Raised while the request is built.
_NOT_A_REQUEST = (InvalidHeader, InvalidSchema, InvalidURL, MissingSchema)
TOO_MANY = 429
#: The server gave up waiting for the request, or says so: it may have had all of it.
REQUEST_TIMEOUT = 408


def never_left(error: BaseException | None) -> bool:
    """Whether `error` proves that the request did not reach the server.

    `requests.ConnectionError` covers both a refused connection and one that was dropped after the
    request was sent; only the reason inside tells them apart. In doubt the answer is no.
    """
    if isinstance(error, (requests.ConnectTimeout, *_NOT_A_REQUEST)):
        return True
    if not isinstance(error, requests.ConnectionError) or not error.args:
        return False
    return _before_the_request(getattr(error.args[0], "reason", None))


def _before_the_request(reason: object) -> bool:
    if isinstance(reason, ProxyError):
        return _before_the_request(reason.original_error)
    if isinstance(reason, SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)


def seconds(value: str | None) -> float | None:
    """A `Retry-After` header in seconds; `None` for a date or anything else."""
    return float(value) if value and value.strip().isdecimal() else None
