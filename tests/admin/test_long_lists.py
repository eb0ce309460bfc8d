"""Long lists: page after page without counting, and honest about what was looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.urls import reverse

from oscar_crosschannel.admin import counting, people
from oscar_crosschannel.admin.messages import MessageAdmin
from oscar_crosschannel.admin.replies import OrdinaryReplyAdmin
from oscar_crosschannel.core.lifecycle import State
from oscar_crosschannel.core.rulings import Reason
from oscar_crosschannel.models import ContactPoint, InboxEvent, Message
from tests.admin import ledger
from tests.admin.ledger import NOW

MESSAGES = reverse("admin:oscar_crosschannel_message_changelist")
REPLIES = reverse("admin:oscar_crosschannel_ordinaryreply_changelist")


def make_messages(count: int, state: State = State.CANCELLED) -> list[int]:
    """Newest first, as the list shows them."""
    run = ledger.run(ledger.person("Ann", email=f"ann{Message.objects.count()}@example.com"))
    made = [ledger.message(run, f"step{n}", state, Reason.PURCHASED) for n in range(count)]
    return [message.pk for message in reversed(made)]


class Page:
    """One page of a list, as a reader sees it."""

    def __init__(self, client: Client, url: str) -> None:
        answer = client.get(url)
        assert answer.status_code == 200
        self.rows = [row.pk for row in answer.context["cl"].result_list]
        foot = BeautifulSoup(answer.content, "html.parser").find(class_="cc-paginator")
        assert foot is not None
        self.words = " ".join(foot.get_text(" ").split())
        self.links = {link.get_text(" ").strip("«› \n"): link["href"] for link in foot.find_all("a")}


def pages(client: Client, url: str, link: str) -> Iterator[Page]:
    page = Page(client, url)
    yield page
    while link in page.links:
        page = Page(client, MESSAGES + page.links[link])
        yield page


def test_pages_follow_one_another_without_a_gap(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageAdmin, "list_per_page", 3)
    rows = make_messages(8)

    found = list(pages(merchant, MESSAGES, "Older"))

    assert [page.rows for page in found] == [rows[:3], rows[3:6], rows[6:]]
    assert found[0].words == "Older › 8 messages"
    assert found[1].words == "« Newest Older ›"
    assert Page(merchant, MESSAGES + found[2].links["Newest"]).rows == rows[:3]


def test_a_page_that_is_just_full_is_the_last(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageAdmin, "list_per_page", 3)
    make_messages(3)

    assert Page(merchant, MESSAGES).words == "3 messages"


def test_a_new_message_moves_no_row_to_the_next_page(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MessageAdmin, "list_per_page", 3)
    rows = make_messages(6)
    first = Page(merchant, MESSAGES)
    make_messages(2)

    assert Page(merchant, MESSAGES + first.links["Older"]).rows == rows[3:]


def test_a_filter_looks_through_the_newest_rows_and_offers_to_go_on(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (failed,) = make_messages(1, State.FAILED)
    make_messages(6)
    monkeypatch.setattr(counting, "WINDOW", 4)

    found = list(pages(merchant, f"{MESSAGES}?state={State.FAILED.value}", "Look further back"))

    assert [page.rows for page in found] == [[], [failed]]
    assert found[0].words == "0 messages Looked through 4 messages. Look further back ›"
    assert found[1].words == "« Newest"


def test_in_a_small_shop_a_filter_looks_through_everything(merchant: Client) -> None:
    make_messages(6)
    (failed,) = make_messages(1, State.FAILED)

    page = Page(merchant, f"{MESSAGES}?state={State.FAILED.value}")

    assert (page.rows, page.words) == ([failed], "1 message")


def test_a_filter_of_ones_own_looks_no_further_either(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = make_messages(1)
    make_messages(6)
    monkeypatch.setattr(counting, "WINDOW", 4)

    assert old not in Page(merchant, f"{MESSAGES}?intent__icontains=kettle").rows


def test_what_is_to_be_read_is_found_however_old_it_is(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = make_reply("old")
    for number in range(6):
        make_reply(str(number), unread=False)
    monkeypatch.setattr(counting, "WINDOW", 4)

    page = Page(merchant, f"{REPLIES}?unread=1")

    assert (page.rows, page.words) == ([old], "1 other reply")


def make_reply(key: str, *, unread: bool | None = True) -> int:
    """In the inbox; None: not for staff to read."""
    return InboxEvent.objects.create(
        name="sms.received", key=key, occurred_at=NOW, not_before=NOW, unread=unread
    ).pk


def test_a_search_for_a_person_looks_at_all_that_is_theirs(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    (failed,) = make_messages(1, State.FAILED)
    make_messages(6)
    monkeypatch.setattr(counting, "WINDOW", 4)

    page = Page(merchant, f"{MESSAGES}?q=ann0@example.com&state={State.FAILED.value}")

    assert (page.rows, page.words) == ([failed], "1 message")


def test_a_search_in_the_inbox_looks_through_the_newest(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("basket:7", "basket:8", "basket:9"):
        InboxEvent.objects.create(name="basket.active", key=key, occurred_at=NOW, not_before=NOW)
    url = reverse("admin:oscar_crosschannel_inboxevent_changelist") + "?q=basket:7"

    assert len(Page(merchant, url).rows) == 1
    monkeypatch.setattr(counting, "WINDOW", 2)
    assert Page(merchant, url).rows == []


def test_many_rows_are_not_counted_to_the_end(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageAdmin, "list_per_page", 3)
    monkeypatch.setattr(counting, "MOST", 1500)
    monkeypatch.setattr(counting, "counted", lambda rows: 1501)
    monkeypatch.setattr(counting, "estimated", lambda rows: None)
    make_messages(4)

    assert Page(merchant, MESSAGES).words == "Older › more than 1,500 messages"


@pytest.mark.postgresql
def test_a_large_table_is_estimated(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageAdmin, "list_per_page", 3)
    monkeypatch.setattr(counting, "MOST", 5)
    make_messages(12)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Message._meta.db_table}")

    assert Page(merchant, MESSAGES).words == "Older › about 12 messages"
    assert Page(merchant, f"{MESSAGES}?state={State.CANCELLED.value}").words == "Older › more than 5 messages"


@pytest.mark.postgresql
def test_of_rows_of_another_table_nobody_estimates_the_number(
    merchant: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OrdinaryReplyAdmin, "list_per_page", 3)
    monkeypatch.setattr(counting, "MOST", 5)
    for number in range(20):
        make_reply(str(number), unread=True if number < 6 else None)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {InboxEvent._meta.db_table}")

    assert Page(merchant, REPLIES).words == "Older › more than 5 other replies"


@pytest.mark.parametrize("query", ["?before=x", "?before=-1", f"?before={9**40}", "?o=1", "?o=-2.1", "?p=7"])
def test_an_address_that_nobody_made_shows_the_newest(query: str, merchant: Client) -> None:
    rows = make_messages(4)

    assert Page(merchant, MESSAGES + query).rows == rows


@pytest.mark.parametrize(
    ("term", "number"),
    [
        ("07400 123456", "+447400123456"),
        ("+44 7400 1234", "+447400123456"),
        ("400 123456", "+447400123456"),
        ("212-555-0123", "+12125550123"),
    ],
)
def test_a_number_is_found_as_people_write_it(term: str, number: str, merchant: Client) -> None:
    ledger.person("Ben", phone="+447400123456")
    ledger.person("Ann", phone="+12125550123")
    ledger.person("Cleo", phone="+12125550124")

    found = people.found(term)

    assert list(ContactPoint.objects.filter(contact__in=found).values_list("address", flat=True)) == [number]


def test_somebody_without_a_name_is_found_by_the_number_that_stands_for_them() -> None:
    nobody = ledger.person("")

    assert people.found(people.label(nobody)) == [nobody.pk]


def test_what_somebody_got_before_they_were_merged_is_found_too(merchant: Client) -> None:
    keep = ledger.person("Ann", email="ann@example.com")
    gone = ledger.person("A.", email="a@example.com", merged_into=keep)
    message = ledger.dropped(ledger.run(gone))

    assert Page(merchant, f"{MESSAGES}?q=ann@example.com").rows == [message.pk]


def test_a_name_that_many_bear_is_said_to_be_one(merchant: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST", 2)
    for number in range(3):
        ledger.person("Maria", email=f"m{number}@example.com")
    url = reverse("admin:oscar_crosschannel_contact_changelist")

    answer = merchant.get(url, {"q": "maria"})

    assert len(answer.context["cl"].result_list) == 2
    assert "Many people match; these are 2 of them." in answer.text
    assert "Many people match" not in merchant.get(url, {"q": "m1@example.com"}).text
