"""Files of consents, exports and erasures: by those who may, seen before they are done, and written down."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import translation

from oscar_crosschannel.admin import persons, privacy
from oscar_crosschannel.core.consent_files import COLUMNS, FileProblem, RowProblem
from oscar_crosschannel.models import ConsentEvent, ConsentImport, Contact, Erasure, Suppression, Watermark
from oscar_crosschannel.services import consents, evidence, importing, intake
from oscar_crosschannel.services.import_judging import Taking
from oscar_crosschannel.services.plans import load_plans
from tests.admin import ledger
from tests.admin.ledger import HOUR, NOW
from tests.admin.test_flow_editing import parsed

HEAD = "address;topics;agreed_at;source;how;words\n"
GOOD = HEAD + "ann@example.com;weekly_deals;2026-01-05;Fair;paper;Yes, write to me.\n"
ADD = "admin:oscar_crosschannel_consentimport_add"


@pytest.fixture
def clerk(merchant: Client) -> Client:
    user = get_user_model().objects.get(username="mina")
    wanted = ["run_import", "export_person", "erase_person"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    return merchant


def words_of(answer: Any) -> str:
    main = BeautifulSoup(answer.content, "html.parser").find(id="main")
    assert main is not None
    return " ".join(main.get_text(" ").split())


def upload(client: Client, content: str | bytes, name: str = "list.csv") -> Any:
    data = content.encode() if isinstance(content, str) else content
    return client.post(reverse(ADD), {"file": SimpleUploadedFile(name, data)}, follow=True)


def door(name: str, row: ConsentImport) -> str:
    return reverse(f"admin:oscar_crosschannel_consentimport_{name}", args=[row.pk])


def tick() -> None:
    while intake._fold_next(load_plans(), NOW + HOUR):
        pass


# it works


@pytest.mark.rule(7)
def test_a_file_is_looked_at_then_taken_and_its_history_stays(clerk: Client) -> None:
    rows = "bob@example.com;weekly_deals;2026-01-05;Fair;;\n+1206;;;;;\n"
    seen = words_of(upload(clerk, GOOD + rows))
    assert "2 ann@example.com weekly_deals Agreement" in seen
    assert "3 bob@example.com weekly_deals Kept without proof" in seen
    assert "missing: how, words" in seen
    assert "This is no phone number that is in use" in seen
    assert not ConsentEvent.objects.exists()

    row = ConsentImport.objects.get()
    taken = clerk.post(door("confirm", row), follow=True)
    assert "0 of 3 rows taken" in words_of(taken)
    tick()
    done = words_of(clerk.get(reverse("admin:oscar_crosschannel_consentimport_change", args=[row.pk])))
    assert "Agreement 1 Kept without proof 1" in done
    assert "4 This is no phone number that is in use" in done
    assert "Had it imported" in done
    assert ConsentEvent.objects.get(topic="weekly_deals", basis="express").actor == "mina"


def test_what_is_wrong_can_be_corrected_and_imported_again(clerk: Client) -> None:
    upload(clerk, HEAD + "=cmd|x;weekly_deals;2026-01-05;Fair;paper;=1+1\n" + GOOD.removeprefix(HEAD))
    row = ConsentImport.objects.get()
    answer = clerk.get(door("problems", row))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    (wrong,) = csv.DictReader(io.StringIO(text))
    assert (wrong["line"], wrong["address"], wrong["words"]) == ("2", "'=cmd|x", "'=1+1")
    assert wrong["problem"].startswith("nobody knows the country")
    corrected = text.replace("'=cmd|x", "cmd@example.com")
    assert "2 cmd@example.com weekly_deals Agreement" in words_of(upload(clerk, corrected))


def test_the_problems_of_a_file_that_was_taken_stay(clerk: Client) -> None:
    upload(clerk, HEAD + "ann@;;;;;\n")
    row = ConsentImport.objects.get()
    clerk.post(door("confirm", row))
    tick()
    answer = clerk.get(door("problems", row))
    assert answer.content.decode("utf-8-sig") == "line,problem\r\n2,this is no email address\r\n"


def test_the_same_file_again_says_so(clerk: Client) -> None:
    upload(clerk, GOOD)
    clerk.post(door("confirm", ConsentImport.objects.get()))
    tick()
    again = words_of(upload(clerk, GOOD))
    assert "Same file before" in again
    assert "2 ann@example.com weekly_deals Known before" in again


def test_the_template_opens_in_the_countrys_own_spreadsheet(clerk: Client) -> None:
    address = reverse("admin:oscar_crosschannel_consentimport_template")
    assert clerk.get(address).content.decode("utf-8-sig").startswith(",".join(COLUMNS))
    with translation.override("de"):
        german = clerk.get(address, headers={"Accept-Language": "de"})
    assert german.content.decode("utf-8-sig").startswith(";".join(COLUMNS))


@pytest.mark.rule(15)
def test_everything_about_a_person_is_one_file_and_the_download_is_written_down(clerk: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    ledger.said(ann, "email", "grant", at=NOW - HOUR)
    ledger.sent_by_email(ledger.run(ann))
    ledger.dropped(ledger.run(ann, number=1))
    url = persons.Export.url(ann.pk)
    page = clerk.post(url, {"kind": "html", "note": "Her letter"})
    assert page["Content-Disposition"] == 'attachment; filename="everything-2026-03-10.html"'
    assert "no-store" in page["Cache-Control"]
    told = " ".join(BeautifulSoup(page.content, "html.parser").get_text(" ").split())
    assert "Yes, remind me of my basket by email." in told
    assert "not sent: no consent for email" in told
    machine = json.loads(clerk.post(url, {"kind": "json", "note": "Again"}).content)
    assert machine["person"][0]["name"] == "Ann"
    entries = LogEntry.objects.filter(object_id=str(ann.pk)).values_list("change_message", flat=True)
    assert set(entries) == {
        "downloaded everything that is kept about the person: Her letter",
        "downloaded everything that is kept about the person: Again",
    }


@pytest.mark.rule(15)
def test_a_person_is_erased_and_the_page_says_when(clerk: Client) -> None:
    ann = ledger.person("Annabel", email="ann@example.com")
    ledger.said(ann, "email", "grant", at=NOW - HOUR)
    url = persons.Erase.url(ann.pk)
    assert "Annabel, ann@example.com is forgotten" in words_of(clerk.get(url))
    landed = words_of(clerk.post(url, {"note": "Her letter"}, follow=True))
    assert "Erased March 10, 2026" in landed
    assert "Erased the person: Her letter by mina" in landed
    assert "Annabel" not in landed
    erasure = Erasure.objects.get()
    assert (erasure.cause, erasure.by) == ("request", "mina")
    history = words_of(clerk.get(reverse("admin:oscar_crosschannel_erasure_change", args=[erasure.pk])))
    assert f"#{ann.pk}" in history


ADDRESS = "/admin/oscar_crosschannel/erasure/address/"


@pytest.mark.rule(15)
def test_an_address_without_a_contact_is_looked_up_then_erased(clerk: Client) -> None:
    consents.revoke(
        "sms", "+12125550123", topics=None, source="keyword", mechanism="keyword", verbatim="STOP, Ann",
        now=NOW,
    )  # fmt: skip
    said = {"address": " +12125550123 ", "note": "A letter"}
    links = parsed(clerk.get(reverse("admin:oscar_crosschannel_erasure_changelist"))).select("a[href]")
    assert ADDRESS in {str(link["href"]) for link in links}
    assert "Nothing is erased before you say yes." in words_of(clerk.get(ADDRESS))

    asked = words_of(clerk.post(ADDRESS, said))
    assert "+12125550123 belongs to nobody we know, and is forgotten." in asked
    assert "1 agreement or stop stays as evidence" in asked
    assert ConsentEvent.objects.filter(address="+12125550123").exists(), "looking erases nothing"
    landed = words_of(clerk.post(ADDRESS, said | {"sure": "1"}, follow=True))

    assert "The address is erased." in landed
    assert not ConsentEvent.objects.filter(address="+12125550123").exists()
    assert ConsentEvent.objects.get(source="erasure").actor == "mina"
    entry = LogEntry.objects.get()
    assert entry.change_message == "erased the address: A letter"
    assert entry.get_edited_object() == Suppression.objects.get()
    assert "12125550123" not in entry.object_repr


@pytest.mark.rule(6)
def test_the_ledger_says_since_when_it_is_unbroken(merchant: Client) -> None:
    changelist = reverse("admin:oscar_crosschannel_consentevent_changelist")
    assert "Never examined as a whole" in words_of(merchant.get(changelist))
    ann = ledger.person("Ann", email="ann@example.com")
    event = evidence.append(
        ConsentEvent(
            contact=ann, channel="email", address="ann@example.com", action="revoke", basis="none", source="page",
            mechanism="link", actor="customer", brand="Quillbrook", at=NOW,
        )
    )  # fmt: skip
    evidence.examine(now=NOW + HOUR)
    assert "Unbroken since March 10, 2026, 8 a.m." in words_of(merchant.get(changelist)).replace(
        "noon", "8 a.m."
    )
    change = reverse("admin:oscar_crosschannel_consentevent_change", args=[event.pk])
    assert "Unbroken 1 entries since" in words_of(merchant.get(change))
    evidence._writable().filter(pk=event.pk).update(source="elsewhere")
    assert f"Altered entries {event.pk}" in words_of(merchant.get(change))
    evidence.examine(now=NOW + HOUR)
    assert "not as they were written" in words_of(merchant.get(changelist))
    assert not Watermark.objects.filter(name=evidence.WHOLE).exists()


# it refuses


def test_who_may_not_import_sees_the_history_and_nothing_else(clerk: Client) -> None:
    upload(clerk, GOOD)
    row = ConsentImport.objects.get()
    user = get_user_model().objects.get(username="mina")
    user.user_permissions.remove(Permission.objects.get(codename="run_import"))
    page = clerk.get(reverse("admin:oscar_crosschannel_consentimport_change", args=[row.pk]))
    assert "Import it" not in words_of(page)
    assert clerk.get(reverse(ADD)).status_code == 403
    assert clerk.post(reverse(ADD)).status_code == 403
    assert clerk.post(door("confirm", row)).status_code == 403
    assert clerk.get(door("problems", row)).status_code == 403
    assert clerk.get(reverse("admin:oscar_crosschannel_consentimport_template")).status_code == 403
    row.refresh_from_db()
    assert row.confirmed_at is None


@pytest.mark.rule(15)
def test_an_address_that_is_somebodys_leads_to_them_and_one_of_nobody_to_nothing(clerk: Client) -> None:
    ann = ledger.person("Ann", email="ann@example.com")
    ledger.said(ann, "email", "grant", at=NOW - HOUR)
    sure = {"note": "A letter", "sure": "1"}
    answer = clerk.post(ADDRESS, {"address": "Ann@Example.com", **sure})
    assert "Somebody uses this address; erase the person on their page: Ann, ann@example.com" in words_of(
        answer
    )
    assert parsed(answer).select(f"a[href='/admin/oscar_crosschannel/contact/{ann.pk}/change/']")
    for nobody in ("nobody@example.com", "+12125550199", "call me"):
        assert "Nothing is kept about this address" in words_of(
            clerk.post(ADDRESS, {"address": nobody, **sure})
        )
    assert "This field is required." in words_of(clerk.post(ADDRESS, {"address": "", "sure": "1"}))
    assert ann.points.exists()
    assert not LogEntry.objects.exists()


def test_who_may_not_erase_finds_no_way_to(merchant: Client) -> None:
    answer = merchant.get(reverse("admin:oscar_crosschannel_erasure_changelist"))
    assert ADDRESS not in answer.content.decode()
    assert merchant.get(ADDRESS).status_code == 403
    assert merchant.post(ADDRESS, {"address": "x@y.example", "note": "", "sure": "1"}).status_code == 403


def test_looking_takes_nothing(clerk: Client) -> None:
    upload(clerk, GOOD)
    row = ConsentImport.objects.get()
    assert clerk.get(door("confirm", row)).status_code == 405
    for _ in range(2):
        clerk.get(reverse("admin:oscar_crosschannel_consentimport_change", args=[row.pk]))
    row.refresh_from_db()
    assert row.confirmed_at is None
    assert not Contact.objects.exists()


def test_a_second_yes_takes_nothing_twice(clerk: Client) -> None:
    upload(clerk, GOOD)
    row = ConsentImport.objects.get()
    clerk.post(door("confirm", row))
    assert "Nothing was done" in words_of(clerk.post(door("confirm", row), follow=True))
    tick()
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "The submitted file is empty"),
        (b"\n\n", "There is nothing in this file"),
        (b"mail\nann@example.com\n", "No column is called “address”"),
        (b"address,address\n", "Two columns have the same name"),
        (b'address,words\na@b.example,"open\n', "never ends"),
        (b"PK\x03\x04" + bytes(range(256)), "No column is called “address”"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(content: bytes, told: str, clerk: Client) -> None:
    answer = upload(clerk, content)
    assert answer.status_code == 200
    assert told in words_of(answer)
    assert not ConsentImport.objects.exists()


def test_a_file_that_is_too_large_is_refused(clerk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LARGEST", 10)
    assert "too large" in words_of(upload(clerk, GOOD))


def test_what_a_file_says_is_no_markup(clerk: Client) -> None:
    evil = "<img src=x onerror=alert(1)>"
    html = upload(clerk, f"address;{evil}\n{evil};x\n", name=f"{evil}.csv").text
    assert "<img src=x" not in html


# it survives


def test_every_reason_has_its_sentence() -> None:
    assert set(privacy.PROBLEMS) == set(RowProblem)
    assert set(privacy.FILE_PROBLEMS) == set(FileProblem)
    assert set(privacy.TAKINGS) == set(Taking)


def test_a_long_file_shows_its_first_rows(clerk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "MOST_JUDGED", 3)
    monkeypatch.setattr(privacy, "MOST_SHOWN", 2)
    rows = "".join(f"p{n}@example.com;weekly_deals;2026-01-05;Fair;paper;Yes.\n" for n in range(5))
    seen = words_of(upload(clerk, HEAD + rows))
    assert "These are the first 3 rows" in seen
    assert "Agreement 3" in seen
    assert "p1@example.com" in seen
    assert "p2@example.com" not in seen


def test_a_file_that_waited_too_long_is_gone(clerk: Client) -> None:
    upload(clerk, GOOD)
    row = ConsentImport.objects.get()
    ConsentImport.objects.update(content=None)
    with time_machine.travel(NOW + timedelta(days=3), tick=False):
        assert "Nothing was done" in words_of(clerk.post(door("confirm", row), follow=True))
        page = clerk.get(reverse("admin:oscar_crosschannel_consentimport_change", args=[row.pk]))
    assert "Thrown away" in words_of(page)
