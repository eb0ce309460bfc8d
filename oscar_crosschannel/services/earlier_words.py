"""What can be said when a merchant's words are broken: the words that come with the flow, or earlier ones."""

from __future__ import annotations

from collections.abc import Iterator

from ..models import Copy, FlowVersion
from . import flow_versions, rendering
from .rendering import CopyKey

#: So many earlier words are tried, the latest first. Versions of a flow that left them as they were do not count.
MOST = 20
#: So far back versions are read, each with all the words of its flow; a message is waiting for the answer.
READ = 200


class EarlierWords:
    """Read once per chunk and message of a flow, and only if somebody's words are broken."""

    def __init__(self) -> None:
        self._known: dict[CopyKey, list[Copy | None]] = {}

    def instead(self, key: CopyKey, broken: Copy | None) -> list[Copy | None]:
        """What may be tried, the best first; None stands for the words that come with the flow."""
        if key not in self._known:
            self._known[key] = list(_instead(key, broken))
        return self._known[key]


def _instead(key: CopyKey, broken: Copy | None) -> Iterator[Copy | None]:
    if rendering.ships(key):
        if broken is None:
            return  # whatever the merchant wrote before, they have gone back from it
        yield None
    versions = FlowVersion.objects.filter(flow_id=key.flow_id).order_by("-number")[:READ]
    tried = [broken]
    for version in versions.iterator(chunk_size=10):
        copy = _words(version, key)
        if copy is not None and not any(_alike(copy, other) for other in tried):
            tried.append(copy)
            yield copy
        if len(tried) > MOST:
            return


def _words(version: FlowVersion, key: CopyKey) -> Copy | None:
    """The words for `key` in a version of its flow."""
    rows = flow_versions.rows_of(key.flow_id, flow_versions.from_json(version).words)
    found = {copy.language: copy for copy in rows if _is_of(copy, key)}
    return next((found[language] for language in rendering.languages_of(key) if language in found), None)


def _is_of(copy: Copy, key: CopyKey) -> bool:
    return (copy.step_key, copy.channel, copy.variant) == (key.step_key, key.channel, "")


def _alike(one: Copy, other: Copy | None) -> bool:
    return other is not None and (one.subject, one.text, one.html) == (other.subject, other.text, other.html)
