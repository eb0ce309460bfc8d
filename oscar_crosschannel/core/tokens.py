"""Signed links that need no row: message id and link number under a truncated MAC.

80 bits of MAC make guessing hopeless (the floor is 60) while the token of a message stays
around 20 characters, short enough for SMS. Purposes separate the key space: a click token
never unsubscribes anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

MAC_BYTES = 10
CLICK, UNSUBSCRIBE, RECOVER, CONFIRM = "click", "unsubscribe", "recover", "confirm"
PREFERENCES, WHY, REPLY = "preferences", "why", "reply"
ORDER_TEXTS, JOIN = "order_texts", "join"
JOIN_TEXTS, PARCEL, NUMBER = "join_texts", "parcel", "number"


def make(purpose: str, number: int, link: int = 0, *, keys: Sequence[bytes]) -> str:
    """The token of link `link` of row `number`, signed with the newest (first) key."""
    payload = _payload(number, link)
    return _b64(payload + _mac(keys[0], purpose, payload))


def read(purpose: str, token: str, *, keys: Sequence[bytes]) -> tuple[int, int] | None:
    """(number, link) of a token signed with any of `keys`, or None for a forged one."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if len(payload) < 2 or _b64(raw) != token:
        return None
    if not any(hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in keys):
        return None
    return int.from_bytes(payload[1:], "big"), payload[0]


def code(prefix: str, number: int, *, key: bytes, length: int = 12) -> str:
    """A voucher code derived from a row: the same row always gives the same code.

    `length` base32 characters carry 5 bits each; 12 are 60 bits, far beyond guessing.
    """
    digest = hmac.new(key, f"code:{number}".encode(), hashlib.sha256).digest()
    return prefix + base64.b32encode(digest).decode()[:length]


def _payload(number: int, link: int) -> bytes:
    return bytes([link]) + number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")


def _mac(key: bytes, purpose: str, payload: bytes) -> bytes:
    return hmac.new(key, purpose.encode() + b":" + payload, hashlib.sha256).digest()[:MAC_BYTES]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
