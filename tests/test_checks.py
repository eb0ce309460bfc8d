"""The system checks: a healthy shop hears nothing, and each fault is named once, with its cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, run_checks
from django.db import connection
from django.db.backends.dummy.base import DatabaseWrapper as OtherDatabase
from django.test import override_settings
from django.utils import timezone
from psycopg import IsolationLevel

from oscar_crosschannel import checks
from oscar_crosschannel.blueprints.abandoned_cart import AbandonedCart
from oscar_crosschannel.core.registry import Registry
from oscar_crosschannel.models import Flow, FlowStep
from sandbox import settings as sandbox

HTTPS = "https://shop.example"
TWILIO = "oscar_crosschannel.channels.sms_backends.twilio.TwilioBackend"
DAY = timedelta(days=1)
CAP = {"name": "texts", "most": 1, "window": DAY, "channels": ["sms"]}
CREDENTIALS = {"ACCOUNT_SID": "AC1", "AUTH_TOKEN": "secret", "MESSAGING_SERVICE_SID": "MG1"}


@pytest.fixture(autouse=True)
def _healthy(settings: Any) -> None:
    settings.CROSSCHANNEL_BASE_URL = HTTPS


def found(**kwargs: Any) -> dict[str, CheckMessage]:
    messages = run_checks(tags=[checks.TAG], **kwargs)
    return {message.id.removeprefix("oscar_crosschannel."): message for message in messages if message.id}


def test_a_shop_that_is_set_up_hears_nothing() -> None:
    assert found() == {}


def test_a_fresh_sandbox_hears_nothing(settings: Any) -> None:
    settings.DEBUG = sandbox.DEBUG
    settings.CROSSCHANNEL_BASE_URL = sandbox.CROSSCHANNEL_BASE_URL
    settings.CROSSCHANNEL_SMS_BACKEND = sandbox.CROSSCHANNEL_SMS_BACKEND

    assert found() == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CROSSCHANNEL_BASE_URL": ""}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "shop.example"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "https://shop.example/"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "http://shop.example"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "http://127.0.0.1:8000"}, "E004"),
        ({"CROSSCHANNEL_BASE_URL": "", "DEBUG": True}, "W004"),
        ({"CROSSCHANNEL_BASE_URL": "http://shop.example", "DEBUG": True}, "W004"),
        ({"CROSSCHANNEL_BRAND": ""}, "E005"),
        ({"CROSSCHANNEL_BRAND": "", "DEBUG": True}, "W005"),
        ({"CROSSCHANNEL_EMAIL_FROM_MARKETING": ""}, "W012"),
        ({"CROSSCHANNEL_POSTAL_ADDRESS": ""}, "W012"),
        ({"CROSSCHANNEL_ADDRESS_KEY": ""}, "W014"),
        ({"CROSSCHANNEL_SMS_BACKEND": "shop.texts.Backend"}, "E010"),
        ({"CROSSCHANNEL_POLICIES": ["shop.policies.nothing"]}, "E010"),
        ({"CROSSCHANNEL_CHANNELS": {"sms": "shop.channels.Sms"}}, "E010"),
        ({"CROSSCHANNEL_SMS_HOURS": {"XX": {"hours": {"someday": "8-9"}}}}, "E011"),
        ({"CROSSCHANNEL_SMS_HOURS": {"XX": {"hours": date(2026, 1, 1)}}}, "E011"),
        ({"CROSSCHANNEL_CAPS": [{"name": "texts", "most": 1}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "windows": DAY}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "window": "1 day"}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "most": "1"}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": [{**CAP, "channels": "sms"}]}, "E019"),
        ({"CROSSCHANNEL_CAPS": ["texts"]}, "E019"),
        ({"USE_TZ": False}, "E020"),
        ({"CROSSCHANNEL_SMS_OPT_OUT_REPLIES": "app-managed"}, "E021"),
        ({"SECURE_SSL_REDIRECT": True}, "W016"),
        ({"ROOT_URLCONF": "anymail.urls"}, "E009"),
    ],
)
@pytest.mark.rule(46, 47)
def test_a_fault_is_named_with_something_to_paste(changes: dict[str, Any], expected: str) -> None:
    with override_settings(**changes):
        messages = found()

    assert list(messages) == [expected]
    assert messages[expected].hint


def test_caps_and_answers_that_a_shop_may_choose_are_no_fault(settings: Any) -> None:
    settings.CROSSCHANNEL_CAPS = [CAP, {**CAP, "name": "all", "channels": []}]
    settings.CROSSCHANNEL_SMS_OPT_OUT_REPLIES = "app_managed"

    assert found() == {}


def test_a_shop_that_runs_already_is_told_to_keep_its_digests(settings: Any) -> None:
    settings.CROSSCHANNEL_ADDRESS_KEY = ""

    assert "SECRET_KEY in use now" in str(found()["W014"].hint)


def test_a_developers_loopback_address_is_no_fault(settings: Any) -> None:
    settings.DEBUG = True
    settings.CROSSCHANNEL_BASE_URL = "http://localhost:8000"

    assert found() == {}


@pytest.mark.parametrize(
    ("twilio", "expected"),
    [
        (CREDENTIALS, []),
        ({**CREDENTIALS, "MESSAGING_SERVICE_SID": "", "FROM": "+12065550100"}, []),
        ({**CREDENTIALS, "BASE_URL": "http://127.0.0.1:9000"}, []),
        ({}, ["E006", "E007"]),
        ({**CREDENTIALS, "AUTH_TOKEN": ""}, ["E006"]),
        ({**CREDENTIALS, "AUTH_TOKEN": "", "API_KEY": "SK1"}, ["E006"]),
        ({**CREDENTIALS, "AUTH_TOKEN": "", "API_KEY": "SK1", "API_SECRET": "s"}, ["W018"]),
        ({**CREDENTIALS, "FROM": "+12065550100"}, ["E007"]),
        ({**CREDENTIALS, "MESSAGING_SERVICE_SID": ""}, ["E007"]),
        ({**CREDENTIALS, "BASE_URL": "https://twilio.test.example"}, ["E008"]),
    ],
)
@pytest.mark.rule(64, 86)
def test_twilio_must_be_able_to_work_once_it_is_chosen(
    twilio: dict[str, str], expected: list[str], settings: Any
) -> None:
    settings.CROSSCHANNEL_SMS_BACKEND = TWILIO
    settings.CROSSCHANNEL_TWILIO = twilio

    assert sorted(found()) == expected


@pytest.mark.rule(64)
def test_without_a_provider_nothing_is_missing(settings: Any) -> None:
    settings.CROSSCHANNEL_TWILIO = {}

    assert found() == {}


@pytest.mark.rule(86)
def test_a_developer_may_point_twilio_at_another_machine(settings: Any) -> None:
    settings.DEBUG = True
    settings.CROSSCHANNEL_SMS_BACKEND = TWILIO
    settings.CROSSCHANNEL_TWILIO = {**CREDENTIALS, "BASE_URL": "http://mock:9000"}

    assert found() == {}


@pytest.mark.rule(40)
def test_hours_that_nobody_reviewed_for_half_a_year_are_named(settings: Any) -> None:
    today: date = timezone.localdate()
    hours = {"hours": {"mon-sat": "09:00-20:00"}}
    settings.CROSSCHANNEL_SMS_HOURS = {
        "XA": {**hours, "reviewed_on": f"{today - timedelta(days=181)}"},
        "XB": {**hours, "reviewed_on": f"{today - timedelta(days=179)}"},
        "XC": hours,
        "XD": {**hours, "reviewed_on": today},  # a date is as good as its words
    }

    assert "XA" in found()["W015"].msg
    assert "XB" not in found()["W015"].msg
    assert "XC" not in found()["W015"].msg


@pytest.fixture
def after_oscar() -> Iterator[None]:
    apps = [app for app in django_settings.INSTALLED_APPS if app != "oscar_crosschannel"]
    with override_settings(INSTALLED_APPS=[*apps, "oscar_crosschannel"]):
        yield


@pytest.mark.usefixtures("after_oscar")
def test_an_app_behind_oscar_is_told_that_its_boxes_do_not_show(settings: Any) -> None:
    assert list(found()) == ["W013"]

    settings.CROSSCHANNEL_TEMPLATE_INJECTION = False
    assert found() == {}


def test_a_database_nobody_tried_is_refused() -> None:
    other = OtherDatabase({"OPTIONS": {}})
    other.display_name = "another database"

    assert [message.id for message in checks.database_problems(other)] == ["oscar_crosschannel.E001"]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "options",
    [{}, {"transaction_mode": "IMMEDIATE"}, {"transaction_mode": "IMMEDIATE", "timeout": 5}, {"timeout": 20}],
)
def test_sqlite_must_take_its_lock_at_once_and_be_patient(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)

    assert list(found()) == ["E002"]


def make_offer(name: str, **changes: str) -> Any:
    offer_model = apps.get_model("offer", "ConditionalOffer")
    product_range = apps.get_model("offer", "Range").objects.create(name=name, includes_all_products=True)
    return offer_model.objects.create(
        name=name,
        condition=apps.get_model("offer", "Condition").objects.create(
            range=product_range, type="Count", value=1
        ),
        benefit=apps.get_model("offer", "Benefit").objects.create(
            range=product_range, type="Percentage", value=10
        ),
        **{"offer_type": offer_model.VOUCHER, "status": offer_model.OPEN} | changes,
    )


@pytest.fixture
def only_the_cart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow that the app brings along, without those of other tests."""
    own = Registry()
    own.register(AbandonedCart)
    monkeypatch.setattr(checks, "flows", own)


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_a_code_that_no_offer_gives_is_named(settings: Any) -> None:
    offer = make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER, status="Suspended")
    assert "abandoned_cart:code" in found(databases=["default"])["W022"].msg
    assert found() == {}, "nothing is asked of a database that was not named"

    offer.status = offer.OPEN
    offer.save()
    assert found(databases=["default"]) == {}


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda step: setattr(step, "offer", make_offer("Another")),
        lambda step: setattr(step, "removed_at", timezone.now()),
        lambda step: Flow.objects.update(enabled=False),
    ],
)
def test_a_step_with_an_offer_of_its_own_or_switched_off_is_no_fault(
    change: Callable[[FlowStep], None],
) -> None:
    step = FlowStep(flow=Flow.objects.get_or_create(key="abandoned_cart")[0], key="code")
    change(step)
    step.save()

    assert found(databases=["default"]) == {}


@pytest.mark.sqlite
@pytest.mark.django_db
def test_a_database_before_its_first_migration_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps.get_model("offer", "ConditionalOffer")._meta, "db_table", "not_there_yet")

    assert found(databases=["default"]) == {}


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_sqlite_without_its_write_ahead_log_is_a_warning(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    assert found(databases=["default"]) == {}
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=DELETE")
        try:
            assert list(found(databases=["default"])) == ["W017"]
        finally:
            cursor.execute("PRAGMA journal_mode=WAL")


@pytest.mark.postgresql
def test_postgresql_set_to_another_isolation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"isolation_level": IsolationLevel.SERIALIZABLE})
    assert list(found()) == ["E003"]

    monkeypatch.setitem(
        connection.settings_dict, "OPTIONS", {"isolation_level": IsolationLevel.READ_COMMITTED}
    )
    assert found() == {}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_server_with_another_default_isolation_is_refused(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    assert found(databases=["default"]) == {}
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation TO 'repeatable read'")
        try:
            assert list(found(databases=["default"])) == ["E003"]
        finally:
            cursor.execute("SET default_transaction_isolation TO DEFAULT")
