"""Pages of a shop with many customers: what PostgreSQL does for them, as it tells itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.test.factories import create_product

from oscar_crosschannel.admin import counting
from oscar_crosschannel.models import Flow, ScheduledEvent, Topic
from tests.admin import crowd
from tests.admin.ledger import NOW

pytestmark = [pytest.mark.postgresql, pytest.mark.slow]

CONTACTS, MESSAGES = 20_000, 200_000
#: Rows that a filter looks through here, so that it shows with fewer of them.
WINDOW = 5_000
#: Rows that one statement may touch: the window, or a bounded count, and a page.
MOST_ROWS = WINDOW + counting.MOST
SOON = NOW + timedelta(days=9)
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


def pk_of(model: type[Flow | Topic], key: str) -> int:
    return int(model.objects.values_list("pk", flat=True).get(key=key))


def pages() -> Iterator[str]:
    someone, last = crowd.FIRST + 777, crowd.FIRST + MESSAGES
    lists = (
        *("message", "contact", "enrolment", "consentevent", "suppression", "inboxevent"),
        *("ordinaryreply", "unreadreply", "erasure"),
    )
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
    for query in ("unread=1", "unread=0", "name=sms.received", "name=email.received"):
        yield listing("ordinaryreply", f"?{query}")
    yield listing("unreadreply", "?channel=email")
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
    yield change("ordinaryreply", crowd.FIRST - 10)
    yield change("unreadreply", crowd.FIRST + 100)
    yield change("erasure", someone)
    topic = Topic.objects.create(key="tea", name="Tea", purpose="marketing").pk
    yield change("topic", topic)
    yield reverse("admin:oscar_crosschannel_topic_delete", args=[topic])
    own = Flow.objects.create(key="own-tea", title="Tea", topic="tea", trigger="user.registered").pk
    yield reverse("admin:oscar_crosschannel_flow_delete", args=[own])
    tasting = ScheduledEvent.objects.create(
        product=create_product(), zone="Europe/Paris", starts_at=SOON, ends_at=SOON, changed_at=NOW
    )
    yield listing("scheduledevent")
    yield change("scheduledevent", tasting.pk)
    yield reverse("admin:oscar_crosschannel_scheduledevent_invite") + f"?id={tasting.pk}"


def looked_through(tables: frozenset[str]) -> int:
    """How often a whole table of these was read in this transaction, foreign keys included."""
    connection.check_constraints()  # they would be checked at its end
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)", [[*tables]]
        )
        return int(cursor.fetchone()[0])


def test_no_page_reads_more_of_a_large_shop_than_of_a_small_one(
    superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "WINDOW", WINDOW)
    crowd.fill(CONTACTS, MESSAGES)
    tables = large()
    made = {page: statements(superuser, page) for page in pages()}
    before = looked_through(tables)
    for model, key in ((Flow, "own-tea"), (Topic, "tea")):
        page = reverse(f"admin:oscar_crosschannel_{model._meta.model_name}_delete", args=[pk_of(model, key)])
        superuser.post(page, {"post": "yes"})
        assert not model.objects.filter(key=key).exists()
    assert looked_through(tables) == before, "what is deleted is looked for in all of a table"

    # most pages ask what others ask as well: who is signed in, what the menu shows
    asked = {sql: page for page, every in made.items() for sql in every}
    found = {f"{page}\n  {sql}": wrong for sql, page in asked.items() if (wrong := problems(sql, tables))}

    assert not found, "\n".join(f"{where}\n  {wrong}" for where, wrong in found.items())
    assert max(len(every) for every in made.values()) <= MOST_STATEMENTS
