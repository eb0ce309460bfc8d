"""Which databases the ledger may stand in, and what only their rows tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.backends.dummy.base import DatabaseWrapper as OtherDatabase
from django.utils import timezone
from oscar.apps.communication.utils import Dispatcher
from psycopg import IsolationLevel

from oscar_crosschannel import checks
from oscar_crosschannel.blueprints.abandoned_cart import AbandonedCart
from oscar_crosschannel.core.registry import Registry
from oscar_crosschannel.models import Flow, FlowStep, InboxEvent
from oscar_crosschannel.services import plans

from .pasting import found, paste

#: What only an open database tells is asked in these runs.
ASKED = {"databases": ["default"]}


@pytest.mark.rule(52)
def test_a_database_nobody_tried_is_refused() -> None:
    other = OtherDatabase({"OPTIONS": {}, "ENGINE": "mysql"}, "default")
    other.display_name = "another database"
    (refused,) = checks.database.problems_of(other)
    assert refused.id == "oscar_crosschannel.E001"

    assert pasted_into_databases(refused, {})["ENGINE"] == "django.db.backends.postgresql"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transaction_mode": "IMMEDIATE"},
        {"transaction_mode": "IMMEDIATE", "timeout": 5},
        {"timeout": 20, "check_same_thread": False},
    ],
)
def test_sqlite_must_take_its_lock_at_once_and_be_patient(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    assert list(found()) == ["E002"]

    cured = pasted_into_databases(found()["E002"], {"OPTIONS": options})["OPTIONS"]
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", cured)
    assert found() == {}
    assert set(options) <= set(cured)


@pytest.mark.sqlite
@pytest.mark.django_db(transaction=True)
def test_sqlite_without_its_write_ahead_log_is_a_warning(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    assert found(**ASKED) == {}
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=DELETE")
        try:
            assert list(found(**ASKED)) == ["W017"]
            cured = pasted_into_databases(found(**ASKED)["W017"], {})["OPTIONS"]
            cursor.execute(cured["init_command"].partition(";")[0])
            assert found(**ASKED) == {}
        finally:
            cursor.execute("PRAGMA journal_mode=WAL")


@pytest.mark.postgresql
def test_postgresql_set_to_another_isolation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"isolation_level": IsolationLevel.SERIALIZABLE}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    assert list(found()) == ["E003"]

    cured = pasted_into_databases(found()["E003"], {"OPTIONS": dict(options)})["OPTIONS"]
    for harmless in (cured, {"isolation_level": IsolationLevel.READ_COMMITTED}):
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", harmless)
        assert found() == {}


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_server_with_another_default_isolation_is_refused(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    assert found(**ASKED) == {}
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation TO 'repeatable read'")
        try:
            assert list(found(**ASKED)) == ["E003"]
            assert f"ALTER DATABASE {connection.settings_dict['NAME']} SET" in str(
                found(**ASKED)["E003"].hint
            )
        finally:
            cursor.execute("SET default_transaction_isolation TO DEFAULT")


@pytest.fixture
def only_the_cart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow that the app brings along, without those of other tests."""
    own = Registry()
    own.register(AbandonedCart)
    for module in (checks.codes, plans):
        monkeypatch.setattr(module, "flows", own)


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_a_code_that_no_offer_gives_is_named(settings: Any) -> None:
    offer = make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER, status="Suspended")
    assert "abandoned_cart:code" in found(**ASKED)["W022"].msg
    assert "in Oscar's dashboard" in str(found(**ASKED)["W022"].hint)
    assert found() == {}, "nothing is asked of a database that was not named"

    offer.status = offer.OPEN
    offer.save()
    assert found(**ASKED) == {}


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_an_offer_of_the_shop_that_would_do_is_proposed(settings: Any) -> None:
    make_offer('"Quill" week')

    paste(found(**ASKED)["W022"], settings)

    assert settings.CROSSCHANNEL_VOUCHER_OFFER == '"Quill" week'
    assert found(**ASKED) == {}


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

    assert found(**ASKED) == {}


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_a_code_that_a_merchant_switched_is_judged_as_it_is_now(settings: Any) -> None:
    flow = Flow.objects.get_or_create(key="abandoned_cart")[0]
    FlowStep.objects.create(flow=flow, key="nudge", voucher=True)
    FlowStep.objects.create(flow=flow, key="code", voucher=False)
    own = Flow.objects.create(key="own-tea", trigger="user.registered", enabled=True)
    FlowStep.objects.create(flow=own, key="sip", delay=timedelta(0), channels=["email"], voucher=True)

    told = found(**ASKED)["W022"].msg
    assert "abandoned_cart:nudge, own-tea:sip:" in told
    assert ":code" not in told

    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    assert found(**ASKED) == {}


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_the_closed_offer_of_one_step_is_told_beside_an_open_usual_one(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    flow = Flow.objects.get_or_create(key="abandoned_cart")[0]
    closed = make_offer("Last year", status="Suspended")
    FlowStep.objects.create(flow=flow, key="code", offer=closed)

    assert "abandoned_cart:code: the offer that was chosen" in found(**ASKED)["W022"].msg


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_looking_for_offers_writes_nothing() -> None:
    Flow.objects.all().delete()

    assert "abandoned_cart:code" in found(**ASKED)["W022"].msg
    assert not Flow.objects.exists()


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_a_flow_of_the_merchants_that_hides_a_declared_one_is_told(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    Flow.objects.update_or_create(key="abandoned_cart", defaults={"trigger": "user.registered"})
    hiding = found(**ASKED)
    assert list(hiding) == ["W041"]
    exec(str(hiding["W041"].hint))
    assert Flow.objects.filter(key="own-abandoned_cart", trigger="user.registered").exists()
    assert found(**ASKED) == {}


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_what_nobody_works_off_is_said_to_wait(settings: Any) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    now = timezone.now()
    event = InboxEvent.objects.create(
        name="basket.touched", key="1", occurred_at=now, not_before=now - timedelta(hours=3)
    )
    waiting = found(**ASKED)
    assert list(waiting) == ["W038"]
    assert "3\xa0hours ago" in waiting["W038"].msg
    assert "manage.py crosschannel_run" in str(waiting["W038"].hint)
    assert found() == {}

    for done in (
        {"processed_at": now},
        {"not_before": now - timedelta(minutes=50)},
        {"tries": 1},  # an engine was there
    ):
        InboxEvent.objects.update(**done)
        assert found(**ASKED) == {}
        InboxEvent.objects.update(processed_at=None, tries=0, not_before=event.not_before)


@pytest.mark.usefixtures("only_the_cart")
@pytest.mark.django_db
def test_words_for_a_text_that_oscar_cannot_send_are_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    event_type = apps.get_model("communication", "CommunicationEventType")
    event_type.objects.create(code="REGISTRATION", name="Welcome", email_subject_template="Hello")
    event_type.objects.create(code="ORDER_PLACED", name="Order", sms_template="Thanks!")
    assert list(found(**ASKED)) == ["W030"]
    assert "ORDER_PLACED" in found(**ASKED)["W030"].msg

    with monkeypatch.context() as patch:
        patch.setattr(Dispatcher, "send_text_message", lambda *arguments: None)
        assert found(**ASKED) == {}, "a dispatcher of the store's own can"

    exec(str(found(**ASKED)["W030"].hint), {})
    assert found(**ASKED) == {}


@pytest.mark.sqlite
@pytest.mark.django_db
@pytest.mark.parametrize("model", ["offer.ConditionalOffer", "communication.CommunicationEventType"])
def test_a_database_before_its_first_migration_is_no_fault(
    settings: Any, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    make_offer(settings.CROSSCHANNEL_VOUCHER_OFFER)
    monkeypatch.setattr(apps.get_model(model)._meta, "db_table", "not_there_yet")

    assert found(**ASKED) == {}


def pasted_into_databases(finding: Any, database: dict[str, Any]) -> dict[str, Any]:
    """The settings of a database after the hint; Django takes no others while it runs."""
    namespace: dict[str, Any] = {"DATABASES": {"default": database}}
    exec(str(finding.hint), namespace)
    changed: dict[str, Any] = namespace["DATABASES"]["default"]
    return changed


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
