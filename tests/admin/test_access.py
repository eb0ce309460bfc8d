"""Who may look, and that nobody may touch."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import serializers
from django.db import models
from django.test import Client
from django.urls import reverse
from oscar.test import factories

from oscar_crosschannel.admin.editing import EditingAdmin
from oscar_crosschannel.models import (
    ConsentEvent,
    ConsentImport,
    ConsentTemplate,
    Contact,
    Erasure,
    Flow,
    FrequencyCap,
    Guard,
    InboxEvent,
    Message,
    ScheduledEvent,
    SmsBudget,
    Suppression,
    TextingRule,
)
from tests.admin import ledger
from tests.admin.ledger import NOW

MODELS = [model for model in admin.site._registry if model._meta.app_label == "oscar_crosschannel"]
#: What staff only look at, or act upon by `acts`. The others are a merchant's own to change.
RECORDS = [
    model
    for model in MODELS
    if not isinstance(admin.site._registry[model], EditingAdmin) and model not in {ConsentImport, Flow}
]


@pytest.fixture(autouse=True)
def _rows(_shop: None) -> None:
    """One row at least of everything that has a page."""
    ann = ledger.person("Ann", email="ann@example.com", phone="+12125550123")
    ledger.said(ann, "email", "grant", at=NOW)
    ledger.sent_by_email(ledger.run(ann))
    Suppression.objects.create(channel="sms", digest="0" * 64, cause="manual", since=NOW)
    InboxEvent.objects.create(name="order.placed", key="order:1", occurred_at=NOW, not_before=NOW)
    InboxEvent.objects.create(
        name="sms.received", key="1", occurred_at=NOW, not_before=NOW, phone="+12125550123", unread=True
    )
    Suppression.objects.create(channel="sms", digest="1" * 64, cause="review", since=NOW)
    ConsentImport.objects.create(file_name="list.csv", at=NOW, by="mina")
    Erasure.objects.create(contact_id=1, at=NOW, by="mina", cause="request")
    Guard.objects.create(channel="email", measure="complaints", level="paused", bad=3, sent=900, since=NOW)
    TextingRule.objects.create(place="FR", most=2, most_within=timedelta(days=1))
    FrequencyCap.objects.create(key="emails-a-week", most=2)
    SmsBudget.objects.create(key="day", most=500)
    ConsentTemplate.objects.create(kind="email", language="en", words="{brand}", made_at=NOW, made_by="ed")
    ScheduledEvent.objects.create(
        product=factories.create_product(),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        zone="Europe/London",
        place="York",
        changed_at=NOW,
    )


def pages(model: type[models.Model]) -> Iterable[str]:
    name = f"admin:oscar_crosschannel_{model._meta.model_name}"
    yield reverse(f"{name}_changelist")
    yield reverse(f"{name}_change", args=[model._default_manager.first().pk])


def everything() -> str:
    return serializers.serialize("json", [row for model in MODELS for row in model._default_manager.all()])


@pytest.mark.parametrize("model", MODELS)
def test_staff_with_the_view_permission_see_each_page(model: type[models.Model], merchant: Client) -> None:
    for page in pages(model):
        assert merchant.get(page).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_it_see_none(model: type[models.Model], client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("paul", "paul@shop.example", is_staff=True))

    for page in pages(model):
        assert client.get(page).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_shoppers_are_sent_to_the_login(model: type[models.Model], client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("ann", "ann@example.com"))

    for page in pages(model):
        answer = client.get(page)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("model", RECORDS)
@pytest.mark.rule(6)
def test_not_even_a_superuser_changes_a_row(model: type[models.Model], superuser: Client) -> None:
    before = everything()
    changelist, change = pages(model)
    row = model._default_manager.first().pk
    name = f"admin:oscar_crosschannel_{model._meta.model_name}"

    assert superuser.post(change, {"_save": "1", "state": "0", "note": "x"}).status_code == 403
    assert superuser.post(reverse(f"{name}_add"), {"name": "x"}).status_code == 403
    assert superuser.post(reverse(f"{name}_delete", args=[row]), {"post": "yes"}).status_code == 403
    superuser.post(changelist, {"action": "delete_selected", "_selected_action": row, "post": "yes"})

    assert everything() == before


@pytest.mark.rule(6)
def test_deleting_an_account_leaves_its_consents(superuser: Client) -> None:
    user = get_user_model().objects.create_user("gone", "gone@example.com")
    gone = ledger.person("Gone", email="gone@example.com", user=user)
    event = ledger.said(gone, "email", "grant", at=NOW)

    superuser.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"})

    assert not get_user_model().objects.filter(pk=user.pk).exists()
    assert ConsentEvent.objects.get(pk=event.pk).contact == gone
    assert Contact.objects.get(pk=gone.pk).user is None


def test_a_row_that_is_gone_leads_back_without_an_error(merchant: Client) -> None:
    assert merchant.get(reverse("admin:oscar_crosschannel_message_change", args=[0])).status_code == 302


def test_what_people_write_stays_text(merchant: Client) -> None:
    eve = ledger.person("<script>alert(1)</script>", email="eve@example.com")
    message = ledger.sent_by_email(ledger.run(eve))
    ledger.said(eve, "email", "revoke", at=NOW, verbatim="<img src=x onerror=alert(1)>")

    for row in (eve, message):
        model = row._meta.model_name
        for page in (
            reverse(f"admin:oscar_crosschannel_{model}_change", args=[row.pk]),
            reverse(f"admin:oscar_crosschannel_{model}_changelist"),
        ):
            html = merchant.get(page).content.decode()
            assert "<script>alert" not in html
            assert "<img src=x" not in html


def test_pages_write_nothing(merchant: Client) -> None:
    before = everything()

    for model in MODELS:
        for page in pages(model):
            merchant.get(page)

    assert everything() == before
    assert Message.objects.count() == 1
