"""Calendar entries that came along with an email, as another program's parser reads them."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import vobject


def entry(message: Any) -> Any:
    """The calendar in an email of Django's; its event is `.vevent`."""
    received = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    (part,) = received.iter_attachments()
    calendar = vobject.readOne(part.get_content())
    assert part["Content-Type"].params["method"] == calendar.method.value
    return calendar
