"""Pages of a shop with many customers: what PostgreSQL does for them, as it tells itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_crosschannel.admin import counting
from oscar_crosschannel.models import Flow
from tests.admin import crowd

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

CONTACTS, MESSAGES = 20_000, 200_000
#: Rows that a filter looks through here, so that it shows with fewer of them.
WINDOW = 5_000
#: Rows that one statement may touch: the window, or a bounded count, and a page.
MOST_ROWS = WINDOW + counting.MOST
#: A contact’s page asks about fifteen kinds of things.
MOST_STATEMENTS = 45


def statements(client: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
    assert answer.status_code == 200, url
    return [query["sql"] for query in captured if query["sql"].startswith("SELECT")]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explained(sql: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        (told,) = cursor.fetchone()
    found = json.loads(told) if isinstance(told, str) else told
    return list(nodes(found[0]["Plan"]))


def touched(node: dict[str, Any]) -> float:
    """Rows that a scan read, whether it kept them or not."""
    if "Scan" not in node["Node Type"] or node["Node Type"] == "Bitmap Heap Scan":
        return 0  # of a bitmap, the index was counted
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    read += node.get("Rows Removed by Index Recheck", 0)
    return float(read * node["Actual Loops"])


def large() -> frozenset[str]:
    """Tables that hold more than a statement may touch."""
    return frozenset(model._meta.db_table for model in crowd.GROWS if model.objects.count() > MOST_ROWS)


def problems(sql: str, large: frozenset[str]) -> list[str]:
    plan = explained(sql)
    found = [
        f"reads all of {node['Relation Name']}"
        for node in plan
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in large
    ]
    rows = sum(touched(node) for node in plan)
    return found + [f"touches {rows:,.0f} rows"] * (rows > MOST_ROWS)


def listing(model: str, query: str = "") -> str:
    return reverse(f"admin:oscar_crosschannel_{model}_changelist") + query


def change(model: str, pk: int) -> str:
    return reverse(f"admin:oscar_crosschannel_{model}_change", args=[pk])


def pages() -> Iterator[str]:
    someone, last = crowd.FIRST + 777, crowd.FIRST + MESSAGES
    lists = "message", "contact", "enrolment", "consentevent", "suppression", "inboxevent"
    yield reverse("admin:index")
    yield reverse("admin:app_list", args=["oscar_crosschannel"])
    yield listing("flow")
    for model in lists:
        yield listing(model)
        yield listing(model, f"?before={crowd.FIRST + 600}")
    for query in (
        "state=0",
        "state=11",
        "state=10",
        "reason=poison",
        "channel=sms",
        "due_at__gte=2026-03-01%2000:00%2B00:00",
    ):
        yield listing("message", f"?{query}")
    yield listing("message", f"?flow={Flow.objects.get(key='kettle_calls').pk}&before={last - 100_000}")
    yield listing("message", "?o=5")
    for model in ("message", "contact", "enrolment"):
        for term in ("Name77", "person7", "person777@", "0000777", "+12120000777"):
            yield listing(model, f"?q={term.replace('+', '%2B')}")
    yield listing("contact", "?guest=no")
    yield listing("enrolment", "?state__exact=0")
    yield listing("consentevent", "?q=person777@example.com")
    yield listing("consentevent", "?action__exact=revoke")
    yield listing("suppression", "?q=%2B12120000770")
    yield listing("suppression", "?cause__exact=legal")
    yield listing("inboxevent", "?q=event:777")
    yield listing("inboxevent", "?condition=aside")
    yield change("contact", someone)
    yield change("message", last - 1)
    yield change("enrolment", someone)
    yield change("suppression", crowd.FIRST + 77)
    yield change("consentevent", someone)
    yield change("inboxevent", someone)
    kettle = Flow.objects.get(key="kettle_calls").pk
    yield change("flow", kettle)
    yield reverse("admin:oscar_crosschannel_flow_edit", args=[kettle])
    yield reverse("admin:oscar_crosschannel_flow_versions", args=[kettle])
    yield reverse("admin:oscar_crosschannel_contact_suppress") + f"?id={crowd.FIRST + 2 * 777}"
    yield reverse("admin:oscar_crosschannel_contact_opt-out") + f"?id={someone}"
    yield reverse("admin:oscar_crosschannel_message_call-off") + f"?id={crowd.FIRST + 100}"
    yield reverse("admin:oscar_crosschannel_enrolment_end") + f"?id={crowd.FIRST + 50}"
    yield reverse("admin:oscar_crosschannel_suppression_lift") + f"?id={crowd.FIRST + 77}"


def test_no_page_reads_more_of_a_large_shop_than_of_a_small_one(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "WINDOW", WINDOW)
    crowd.fill(CONTACTS, MESSAGES)
    tables = large()
    made = {page: statements(superuser, page) for page in pages()}

    found = {
        f"{page}\n  {sql}": wrong
        for page, every in made.items()
        for sql in every
        if (wrong := problems(sql, tables))
    }

    assert not found, "\n".join(f"{where}\n  {wrong}" for where, wrong in found.items())
    assert max(len(every) for every in made.values()) <= MOST_STATEMENTS
